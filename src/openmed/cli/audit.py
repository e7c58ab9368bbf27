"""`openmed corpora audit NAME...`: what in a corpus makes scores flatter or training contradict itself.

openmed corpora audit jnlpba --clean jnlpba_clean.json
openmed corpora audit --all --markdown docs/results/corpora.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from openmed.errors import ConfigError, DataError

if TYPE_CHECKING:
    from openmed.analysis.report.blocks import Cell, Section

TITLE = "Audit of the corpora"
MARKDOWN_EXAMPLES = 3
NOT_AUDITED = ("custom",)


def audit(
    names: Annotated[list[str] | None, typer.Argument(help="as in dataset=NAME", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="every corpus with a split on this machine")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
    html: Annotated[Path | None, typer.Option(help="also write a page to this new file")] = None,
    markdown: Annotated[Path | None, typer.Option(help="also write Markdown to this new file")] = None,
    clean: Annotated[
        Path | None, typer.Option(help="also write the part of test that was not seen to this new file (JSON)")
    ] = None,
    backbone: Annotated[list[str] | None, typer.Option(help="whose tokenizers to try; may be repeated")] = None,
    force: Annotated[bool, typer.Option("--force", help="overwrite files that are there")] = False,
) -> None:
    """Leakage between splits, contradictory and faulty mentions, what tokenizers lose: the weightiest first."""
    from openmed.analysis.audit import summary_section
    from openmed.analysis.leakage import Rule
    from openmed.analysis.report.markdown import to_markdown
    from openmed.analysis.report.page import write_page
    from openmed.analysis.report.terminal import print_sections
    from openmed.writers.atomic import atomic_path

    chosen = _chosen(names or [], everything)
    if clean is not None and len(chosen) != 1:
        raise ConfigError("--clean is for one corpus", mend="name one, without --all")
    for path in (html, markdown, clean):
        if path is not None and path.exists() and not force:
            raise DataError("there is something here already", path=path, mend="choose another name, or add --force")
    several = everything or len(chosen) > 1
    report = _audit_each(chosen, backbone or ["minilm"], clean, several)
    opening = [summary_section(report.rows, Rule(), _absent(chosen) if everything else ())] if several else []
    title = TITLE if several else f"Audit of {chosen[0]}"
    if as_json:
        print(json.dumps(report.entries if several else report.entries[0], ensure_ascii=False))
    else:
        print_sections([*opening, *report.sections])
    if html is not None:
        write_page(html, title, ", ".join(chosen), [*opening, *report.sections])
    if markdown is not None:
        with atomic_path(markdown) as temporary:
            temporary.write_text(to_markdown(title, [*opening, *report.short]), encoding="utf-8", newline="\n")
    if report.absent and not report.failures:
        raise DataError(
            f"all else is told, but these splits are not at hand: {', '.join(report.absent)}",
            mend="openmed corpora fetch NAME",
        )
    if report.failures:
        raise DataError(
            f"{len(report.failures)} of {len(chosen)} corpora could not be read: {' '.join(report.failures)}"
        )


def _chosen(names: list[str], everything: bool) -> list[str]:
    from openmed.analysis.audit import missing_file
    from openmed.corpora import corpus_names, load_spec

    if everything == bool(names):
        raise ConfigError(
            "neither names nor --all were given" if not names else "names and --all were both given",
            mend="openmed corpora audit NAME..., or openmed corpora audit --all",
        )
    if not everything:
        return list(dict.fromkeys(names))
    specs = [load_spec(name) for name in corpus_names() if name not in NOT_AUDITED]
    return [spec.name for spec in specs if any(missing_file(spec, split) is None for split in spec.splits)]


def _absent(chosen: list[str]) -> list[str]:
    from openmed.corpora import corpus_names

    return [name for name in corpus_names() if name not in (*chosen, *NOT_AUDITED)]


class _Report(NamedTuple):
    """What is kept of each corpus, once it was looked at: one at a time is in memory."""

    entries: list[dict[str, Any]]
    rows: list[list[Cell]]
    sections: list[Section]
    short: list[Section]
    failures: list[str]
    absent: list[str]


def _audit_each(names: list[str], backbones: list[str], clean: Path | None, several: bool) -> _Report:
    """JSON entries, rows of the summary, sections for a screen and shorter ones to keep, and what went wrong.

    Of several corpora one that cannot be read does not keep the others from being told.
    """
    from openmed.analysis.report.blocks import Prose, Section

    report = _Report([], [], [], [], [], [])
    for name in names:
        if several:
            print(name, file=sys.stderr)
        try:
            _audit_one(name, backbones, clean, several, report)
        except DataError as error:
            if not several:
                raise
            report.failures.append(str(error))
            report.entries.append({"corpus": name, "error": error.problem})
            for sections in (report.sections, report.short):
                sections.append(Section(name, [Prose(f"Could not be read: {error.problem}.")]))
    return report


def _audit_one(name: str, backbones: list[str], clean: Path | None, several: bool, report: _Report) -> None:
    """Add one corpus to the report. What was read of it lives no longer than this call."""
    from openmed.analysis.audit import audit_corpus, summary_row

    found = audit_corpus(name, backbones=backbones)
    if clean is not None:
        found.write_subset(clean)
    report.entries.append(found.as_dict())
    report.rows.append(summary_row(found))
    report.absent.extend(f"{split} of {name}" for split in found.missing)
    if several:
        report.sections.append(found.short_section())
        report.short.append(found.short_section(max_examples=MARKDOWN_EXAMPLES))
    else:
        report.sections.extend(found.sections())
        report.short.extend(found.sections(max_examples=MARKDOWN_EXAMPLES))
