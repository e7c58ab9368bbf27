"""`openmed predict MODEL [MODEL...] [FILES...]`: tag text, files or folders.

openmed predict outputs/.../model notes/ pubmed24n0001.xml.gz --to jsonl --out tagged/
openmed predict outputs/disease/model outputs/chemical/model notes/ --overlaps longest --to brat --out tagged/
echo "Aspirin relieves headache." | openmed predict outputs/.../model
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmed.errors import ConfigError, OpenMedError

if TYPE_CHECKING:
    from openmed.predicting import EntityTagger
    from openmed.serving import JobSummary
    from openmed.spans import Document

MAX_LINES = 20
"""Of more inputs than this, no line is printed for each."""


class Output(StrEnum):
    """What to write."""

    view = "view"
    jsonl = "jsonl"
    brat = "brat"
    pubtator = "pubtator"
    bioc = "bioc"
    conll = "conll"
    csv = "csv"
    html = "html"


class Overlaps(StrEnum):
    """What becomes of entities that overlap."""

    keep = "keep"
    longest = "longest"
    score = "score"


def predict(
    model: Annotated[Path, typer.Argument(help="a run's model/ folder", show_default=False)],
    files: Annotated[
        list[str] | None,
        typer.Argument(help="more model/ folders, then files or folders; none, or '-': text from standard input"),
    ] = None,
    text: Annotated[str | None, typer.Option(help="tag this text instead of files")] = None,
    to: Annotated[
        Output | None, typer.Option(help="default: view (marked-up text) on a terminal or with --text, else jsonl")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="folder for the results, one per input file; the same command goes on there")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="of all inputs, where their suffixes do not tell (text, jsonl, medline, ...)")
    ] = None,
    text_column: Annotated[str, typer.Option(help="of CSV and TSV: the column to tag")] = "text",
    id_column: Annotated[str | None, typer.Option(help="of CSV and TSV; default: id, else the row's number")] = None,
    threshold: Annotated[float, typer.Option(help="drop entities with a lower score (0 to 1)")] = 0.0,
    overlaps: Annotated[
        Overlaps, typer.Option(help="of entities that overlap keep all, the longest or the one with the best score")
    ] = Overlaps.keep,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the GPU where there is one")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="for machines: a summary of what --out holds")] = False,
) -> None:
    """Tag text with one trained model, or several in one pass; offsets count the characters of the text as given.

    With --out a job that was stopped goes on when the same command is given again. What cannot be read or written is
    listed in errors.jsonl there (without --out on standard error), everything else is done, and the exit code is 1.
    """
    models, names = _parted(model, files or [])
    inputs = [] if names == ["-"] else names
    _check(text, names, to, out)
    from openmed.predicting import Selection, load
    from openmed.serving import Reading, expand_inputs, read_sound, run_job
    from openmed.spans import Document

    selection, reading = Selection(threshold, overlaps.value), Reading(format, text_column, id_column)
    paths = expand_inputs(inputs, reading, without=out) if inputs else []
    tagger = load(models, device=device, dtype=dtype)
    if out is not None:
        told = _print_line if len(paths) <= MAX_LINES else None
        name = (to or Output.jsonl).value
        summary = run_job(
            tagger, paths, out, to=name, selection=selection, reading=reading, settings={"dtype": dtype}, told=told
        )
        _report(summary, out, as_json=as_json)
        raise typer.Exit(1 if summary.failed else 0)
    failures, losses = _Failures(), Counter[str]()
    if inputs:
        read = (read_sound(path, reading, refused=failures, losses=losses) for path in paths)
        documents = chain.from_iterable(read)
    else:
        documents = iter([Document("1", _given(text))])
    terminal = sys.stdout.isatty() or text is not None
    view = to is Output.view or (to is None and terminal and not as_json)
    _print(map(selection, _tagged(tagger, documents, failures)), view=view)
    if losses:
        print(_listed("not kept", losses), file=sys.stderr)
    raise typer.Exit(1 if failures.number else 0)


class _Failures:
    """Prints what is wrong to standard error, and counts it. The rest goes on."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, error: OpenMedError) -> None:
        self.number += 1
        print(f"error: {error}", file=sys.stderr, flush=True)


def _tagged(tagger: EntityTagger, documents: Iterable[Document], failures: _Failures) -> Iterator[Document]:
    from openmed.serving import annotate_each

    for given, tagged in annotate_each(tagger, documents):
        if isinstance(tagged, str):
            failures(OpenMedError(f"document {given.id!r} {tagged}"))
        else:
            yield tagged


def _parted(model: Path, names: Sequence[str]) -> tuple[list[Path], list[str]]:
    """The models, which stand before the inputs, and the inputs."""
    from openmed.artefact import MANIFEST

    more = list(takewhile(lambda name: (Path(name) / MANIFEST).is_file(), names))
    inputs = list(names[len(more) :])
    for name in inputs:
        if (inside := Path(name) / "model" / MANIFEST).is_file():
            raise ConfigError(f"{name} is a run folder, not text to tag", mend=f"did you mean {inside.parent}?")
        if (Path(name) / MANIFEST).is_file():
            raise ConfigError(f"the model {name} stands behind inputs", mend="name all models first")
    return [model, *map(Path, more)], inputs


def _check(text: str | None, names: Sequence[str], to: Output | None, out: Path | None) -> None:
    """Refuse options at odds with each other."""
    if text is not None and names:
        raise ConfigError("--text and files were both given", mend="give one of them")
    if out is not None and (not names or names == ["-"] or to is Output.view):
        raise ConfigError(
            "--out needs input files and a format of files", mend="name files and say --to jsonl, or leave --out away"
        )
    if out is None and to not in (None, Output.view, Output.jsonl):
        raise ConfigError(f"--to {to.value} writes files", mend="say where: --out FOLDER")
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError(f"--out {out} is a file", mend="name a folder")
    if out is not None and any(out.resolve() == Path(name).resolve() for name in names):
        raise ConfigError(
            f"{out} is an input, too: its results would be inputs the next time", mend="choose another --out"
        )


def _given(text: str | None) -> str:
    """That of --text, else of standard input, byte for byte: read as text, its line ends would be changed."""
    from openmed.serving import decode_text

    if text is not None:
        return decode_text(os.fsencode(text), "--text")
    return decode_text(sys.stdin.buffer.read(), "standard input")


def _print(selected: Iterable[tuple[Document, Counter[str]]], *, view: bool) -> None:
    from openmed.writers import document_json

    dropped: Counter[str] = Counter()
    for document, reasons in selected:
        dropped += reasons
        if view:
            _show(document)
        else:
            print(json.dumps(document_json(document), ensure_ascii=False), flush=True)
    if dropped:
        print(_listed("entities dropped", dropped), file=sys.stderr)


def _show(document: Document) -> None:
    from rich.console import Console
    from rich.text import Text

    from openmed.tracking import render_rich

    console = Console()
    console.print(Text.assemble((document.id, "bold"), f"  ({len(document.spans)} mentions)"))
    console.print(render_rich(document), soft_wrap=True)


def _print_line(source: Path, target: Path, entry: dict[str, Any]) -> None:
    failed = f", {len(entry['errors'])} failed" if entry["errors"] else ""
    place = f" -> {target}" if target.exists() else ""
    print(f"{source}: {entry['counts']['documents']} documents{failed}{place}", file=sys.stderr)


def _report(summary: JobSummary, out: Path, *, as_json: bool) -> None:
    from openmed.serving.job import ERRORS

    if as_json:
        print(json.dumps({**asdict(summary), "out": str(out)}, ensure_ascii=False))
        return
    lines = [
        f"{summary.documents:,} documents of {summary.files:,} files, {summary.entities:,} entities in {out}; "
        f"{summary.tagged:,} documents tagged in {summary.seconds:.1f} s ({summary.documents_per_second:.1f}/s)"
    ]
    if summary.dropped:
        lines.append(_listed("entities dropped", summary.dropped))
    if summary.losses:
        lines.append(_listed("not kept", summary.losses))
    if summary.failed:
        lines.append(f"{summary.failed:,} failed: {out / ERRORS} says what and why")
    print("\n".join(lines), file=sys.stderr)


def _listed(what: str, counts: Any) -> str:
    return f"{what}: " + ", ".join(f"{kind} {number:,}" for kind, number in sorted(counts.items()))
