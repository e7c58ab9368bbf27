"""`openmed corpora list | stats NAME | fetch NAME`: what there is, what is in it, get it.

openmed corpora stats ncbi --json
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from openmed.errors import DataError

corpora_app = typer.Typer(help="The corpora: list, stats, fetch.", no_args_is_help=True, add_completion=False)
Json = Annotated[bool, typer.Option("--json", help="for machines")]
Name = Annotated[str, typer.Argument(help="as in dataset=NAME", show_default=False)]


@corpora_app.command("list")
def list_corpora(as_json: Json = False) -> None:
    """All corpora: types, licence, whether their files are here."""
    from openmed.corpora import corpus_names, load_spec, spec_is_here

    rows: list[dict[str, Any]] = []
    for name in corpus_names():
        if name == "custom":
            continue
        spec = load_spec(name)
        rows.append(
            {
                "name": name,
                "title": spec.title,
                "types": spec.type_names,
                "licence": spec.licence,
                "here": spec_is_here(spec),
                "entities": {split: counts.get("entities") for split, counts in spec.counts.items()},
            }
        )
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("name", "corpus", "types", "entities (train/dev/test)", "here", "licence"):
        table.add_column(column)
    for row in rows:
        entities = "/".join(str(count) for count in row["entities"].values())
        here = "yes" if row["here"] else "no"
        table.add_row(row["name"], row["title"], ", ".join(row["types"]), entities, here, row["licence"])
    Console().print(table)


@corpora_app.command()
def stats(name: Name, as_json: Json = False) -> None:
    """Count a corpus: documents, sentences, words, entities per type and split, and what reading it lost."""
    from openmed.corpora import load_spec, load_split

    spec = load_spec(name)
    loaded = {split: load_split(spec, split) for split in spec.splits}
    general = ("documents", "sentences", "words", "entities")
    splits: dict[str, dict[str, Any]] = {
        split: {key: part.counts[key] for key in general}
        | {"per_type": {key: value for key, value in part.counts.items() if key not in general}}
        for split, part in loaded.items()
    }
    losses = {split: dict(part.losses) for split, part in loaded.items()}
    if as_json:
        print(json.dumps({"name": name, "splits": splits, "losses": losses}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{spec.title} ({name})", title_justify="left")
    for column in ("", *splits):
        table.add_column(column, justify="left" if not column else "right")
    types = sorted({label for part in splits.values() for label in part["per_type"]})
    for key in general:
        table.add_row(key, *(f"{part[key]:,}" for part in splits.values()))
    for label in types:
        table.add_row(f"  {label}", *(f"{part['per_type'].get(label, 0):,}" for part in splits.values()))
    for key in sorted({key for part in losses.values() for key in part}):
        table.add_row(f"lost: {key}", *(f"{part.get(key, 0):,}" for part in losses.values()))
    Console().print(table)


@corpora_app.command()
def fetch(name: Name, as_json: Json = False) -> None:
    """Get the files of a corpus and verify them; --json: {name, files: {name: path}}."""
    from openmed.corpora import corpus_file, load_spec

    spec = load_spec(name)
    problems: list[str] = []
    verified: dict[str, str] = {}
    for file in [*spec.files] or [spec.split_file(split) or "" for split in spec.splits]:
        try:
            verified[file] = str(corpus_file(spec, file))
        except DataError as error:
            problems.append(str(error))
        else:
            if not as_json:
                print(f"{verified[file]}: verified")
    if as_json:
        print(json.dumps({"name": name, "files": verified}, ensure_ascii=False))
    if problems:
        raise DataError(f"{len(problems)} files of {name} could not be had: {' '.join(problems)}")
