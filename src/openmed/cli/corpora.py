"""`openmed corpora list | fetch | stats | audit`: what there is, get it, what is in it, what is wrong with it.

openmed corpora stats ncbi --json
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from openmed.cli.audit import audit
from openmed.cli.fetch import fetch
from openmed.cli.stats import stats

if TYPE_CHECKING:
    from openmed.corpora import CorpusSpec

MAX_SHOWN = 44
"""Characters of a licence in the table; --json has it whole."""

WIDE = 110
"""Columns of a terminal that has room for sources and licences."""

corpora_app = typer.Typer(help="The corpora: list, fetch, stats, audit.", no_args_is_help=True, add_completion=False)
corpora_app.command()(fetch)
corpora_app.command()(stats)
corpora_app.command()(audit)


@corpora_app.command("list")
def list_corpora(as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False) -> None:
    """All corpora: types, size, licence, source, whether their files are here."""
    from openmed.corpora import corpus_names, load_spec

    rows = [_row(load_spec(name)) for name in corpus_names() if name != "custom"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = ("name", "types", "mentions: train/dev/test", "here", "source", "licence")
    if console.width < WIDE:
        columns = columns[:-2]
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption="?: no copy was at hand to count. Sources, licences, citations: --json",
        caption_justify="left",
    )
    for column in columns:
        table.add_column(column, no_wrap=column in ("name", "here"), min_width=17 if column[0] == "m" else None)
    for row in rows:
        types = row["types"][0] if len(row["types"]) == 1 else f"{len(row['types'])} types"
        sources = [source.rpartition("/")[2] for source in row["sources"]]
        cells = (row["name"], types, _sizes(row["entities"]), row["files"], ", ".join(sources), _short(row["licence"]))
        table.add_row(*cells[: len(columns)])
    console.print(table)


def _row(spec: CorpusSpec) -> dict[str, Any]:
    from openmed.corpora import SPLITS, data_folder, spec_is_here

    present = sum((data_folder() / name).exists() for name in spec.files)
    here = spec_is_here(spec)
    return {
        "name": spec.name,
        "title": spec.title,
        "types": spec.type_names,
        "documents": {split: spec.counts.get(split, {}).get("documents") for split in SPLITS},
        "entities": {split: spec.counts.get(split, {}).get("entities") for split in SPLITS},
        "licence": spec.licence,
        "citation": spec.citation,
        "homepage": spec.homepage,
        "sources": sorted({_source(file.url) for file in spec.files.values() if file.url}),
        "here": here,
        "files": "yes" if here else f"{present} of {len(spec.files)}" if present else "no",
    }


def _source(url: str) -> str:
    """The repository that a file comes from: `cambridgeltl/MTL-Bioinformatics-2016`; elsewhere the host."""
    address = urlsplit(url)
    if address.hostname in ("raw.githubusercontent.com", "codeload.github.com", "github.com"):
        return "/".join(address.path.split("/")[1:3])
    return address.hostname or url


def _sizes(counts: dict[str, int | None]) -> str:
    return "/".join("?" if count is None else str(count) for count in counts.values())


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"
