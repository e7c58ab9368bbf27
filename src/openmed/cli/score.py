"""`openmed score GOLD PRED`: exact-span scores of any two files that can be read.

openmed score test.tsv predicted.tsv
openmed score outputs/.../predictions/test.jsonl outputs/.../predictions/test.jsonl --clean jnlpba_clean.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from openmed.spans import Document


def score(
    gold: Annotated[Path, typer.Argument(help="the right annotations: a file or folder in any format")],
    pred: Annotated[Path, typer.Argument(help="the predicted ones, of the same texts")],
    clean: Annotated[
        Path | None, typer.Option(help="score only what is not listed here (openmed corpora audit NAME --clean FILE)")
    ] = None,
    default_type: Annotated[str | None, typer.Option(help="type of bare B and I tags in token files")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Precision, recall and F1 of exact, typed spans, per type and over all, with a 95% interval of F1.

    Token files are read as strict IOB2: a stray I- (no B- before it) opens no entity.
    """
    from openmed.analysis.leakage import Subset
    from openmed.analysis.score import interval, pair_up, score_pairs

    pairs = pair_up(_read(gold, "gold", default_type), _read(pred, "entities", default_type))
    number = len(pairs)
    if clean is not None:
        subset = Subset.read(clean)
        pairs = [pair for pair in pairs if subset.keeps(pair.gold)]
    answer: dict[str, Any] = {**score_pairs(pairs).as_dict(), "interval": interval(pairs)}
    answer |= {"documents": len(pairs), "removed": number - len(pairs)}
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer)


def _read(path: Path, mentions: str, default_type: str | None) -> list[Document]:
    """All documents of a file. A JSONL line may hold both sides, `gold` and `entities`: each is read from its key."""
    from openmed.readers import detect_format, read

    format = detect_format(path)
    options: dict[str, Any] = {}
    if format == "conll":
        options = {"scheme": "iob2", "default_type": default_type}
    if format == "jsonl" and path.is_file() and _first_line_has(path, mentions):
        options = {"mentions": mentions}
    return list(read(path, format=format, **options))


def _first_line_has(path: Path, key: str) -> bool:
    from openmed.readers.lines import numbered_lines

    first = next((line for _, line in numbered_lines(path) if line.strip()), "")
    try:
        return key in json.loads(first)
    except (ValueError, TypeError):  # the reader will say what is wrong
        return False


def _show(answer: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for column in ("type", "precision", "recall", "F1", "gold", "found"):
        table.add_column(column, justify="left" if column == "type" else "right")
    for name, row in [*sorted(answer["per_type"].items()), ("all", answer)]:
        values = [f"{100 * row[key]:.1f}" for key in ("precision", "recall", "f1")]
        numbers = [str(row["tp"] + row["fn"]), str(row["tp"] + row["fp"])]
        table.add_row(name, *values, *numbers, style="bold" if name == "all" else "")
    console = Console()
    console.print(table)
    if answer["interval"]:
        low, high = answer["interval"]
        console.print(f"95% interval of F1: {100 * low:.1f} to {100 * high:.1f} (bootstrap over groups)")
    if answer["removed"]:
        console.print(f"{answer['removed']} of {answer['removed'] + answer['documents']} texts left out (--clean)")
