"""`openmed score GOLD PRED`: exact-span scores of any two files that can be read.

openmed score test.tsv predicted.tsv
openmed score gold.tsv predicted.tsv --scheme iob1 --pred-scheme iobes
openmed score outputs/.../predictions/test.jsonl outputs/.../predictions/test.jsonl --clean jnlpba_clean.json
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmed.errors import DataError

if TYPE_CHECKING:
    from openmed.analysis.leakage import Subset
    from openmed.analysis.score import Kept, Source

PREDICTED_KEYS = ("entities", "spans")
"""Where a JSONL line holds what was predicted. Not `gold`: a line with that alone holds no prediction."""

LENIENT = "lenient: a stray I- opens an entity (the convention of seqeval's default mode and of conlleval)"


def score(
    gold: Annotated[Path, typer.Argument(help="the right annotations: a file or folder in any format")],
    pred: Annotated[Path, typer.Argument(help="the predicted ones, of the same texts")],
    clean: Annotated[
        Path | None, typer.Option(help="score only what is not listed here (openmed corpora audit NAME --clean FILE)")
    ] = None,
    scheme: Annotated[
        str | None, typer.Option(help="of token files, both: iob1, iob2, iob2-lenient, iobes", show_default=False)
    ] = None,
    pred_scheme: Annotated[
        str | None, typer.Option(help="of a predicted token file, where it is another; or detect", show_default=False)
    ] = None,
    format: Annotated[str | None, typer.Option(help="of GOLD, where name and content do not tell")] = None,
    pred_format: Annotated[str | None, typer.Option(help="of PRED, the same")] = None,
    default_type: Annotated[str | None, typer.Option(help="type of bare B and I tags in token files")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Precision, recall and F1 of exact, typed spans, per type and over all, with a 95% interval of F1.

    Unless --scheme or --pred-scheme is told, the scheme of a gold token file is detected, and a predicted one is read
    as strict IOB2, for mistakes among predicted tags look like another scheme: a stray I- (no B- before it) opens no
    entity. Of token files the score by the lenient convention, by which it opens one, stands beside it.
    """
    from openmed.analysis.leakage import Subset
    from openmed.analysis.score import Source, drawn, interval, pair_up, score_pairs, without_seen

    with _in_options("--scheme", "--format"):
        right = Source.of(gold, format, scheme=scheme, default_type=default_type)
        right.read()
    told = pred_scheme or scheme
    with _in_options("--pred-scheme", "--pred-format"):
        settings = {"scheme": told or "iob2", "default_type": default_type, "mentions": PREDICTED_KEYS}
        found = Source.of(pred, pred_format, **settings)
        found.read()
    pairs = pair_up(right.documents, found.documents)
    losses = {"gold": right.losses, "pred": found.losses}
    subset = None if clean is None else Subset.read(clean)
    lines, answer = _loss_lines(losses), {"losses": losses, "removed": 0, **_lenient(right, found, subset)}
    if subset is not None:
        kept = without_seen(pairs, subset)
        lines.append(_clean_line(subset, kept, len(pairs)))
        if kept.listed and not kept.removed:
            print(f"warning: {clean} removes nothing: is this the corpus and split it was made for?", file=sys.stderr)
        pairs = kept.pairs
        answer |= {"removed": kept.removed, "clean": _clean_json(subset, kept)}
    answer |= {**score_pairs(pairs).as_dict(), "interval": interval(pairs), "interval_over": drawn(pairs)._asdict()}
    answer |= {"documents": len(pairs), "notes": _notes(right, found, scheme, told)}
    if as_json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _show(answer, lines)


@contextmanager
def _in_options(scheme: str, format: str) -> Iterator[None]:
    """Say mends that name a reader's setting by the option that sets it here."""
    try:
        yield
    except DataError as error:
        mend = (error.mend or "").replace("dataset.format=", "format=")
        for setting, option in (("scheme", scheme), ("format", format)):
            mend = re.sub(rf"\b{setting}= ?", f"{option} ", mend)
        mend = re.sub(r"or (let it|leave it to) be detected", f"or {scheme} detect", mend)
        raise DataError(error.problem, path=error.path, line=error.line, text=error.text, mend=mend) from error


def _notes(gold: Source, pred: Source, scheme: str | None, pred_scheme: str | None) -> list[str]:
    """What may have been read by a wrong scheme, where none was told."""
    from openmed.analysis.score import TOKENS, looks_iob1

    notes = []
    for source, told, option in ((gold, scheme, "--scheme"), (pred, pred_scheme, "--pred-scheme")):
        if told or source.format != TOKENS:
            continue
        try:
            lenient = source.read_leniently()
        except DataError:  # IOBES, which is not mistaken for IOB1
            continue
        if looks_iob1(source.documents, lenient):
            notes.append(
                f"{source.path} opens nearly all its mentions with I- and was read as IOB2, in which these are none: "
                f"if it is IOB1, pass {option} iob1"
            )
    return notes


def _lenient(gold: Source, pred: Source, subset: Subset | None) -> dict[str, Any]:
    """The score by the other convention, or why there is none."""
    from openmed.analysis.score import lenient_pairs, score_pairs, without_seen

    try:
        pairs = lenient_pairs(gold, pred)
    except DataError as error:
        return {"lenient": None, "lenient_absent": str(error)}
    kept = pairs if subset is None else without_seen(pairs, subset).pairs
    return {"lenient": score_pairs(kept).micro.as_dict(), "lenient_absent": None}


def _loss_lines(losses: dict[str, Counter[str]]) -> list[str]:
    from openmed.analysis.audit.losses import explained

    return [
        f"{side}: {count} {explained(kind)}" for side, kinds in losses.items() for kind, count in sorted(kinds.items())
    ]


def _clean_line(subset: Subset, kept: Kept, number: int) -> str:
    against = " and ".join(subset.against)
    return (
        f"--clean: {subset.split} of {subset.corpus} without what {against} holds: removed {kept.removed} of the "
        f"{kept.listed} {kept.unit} it lists; {kept.removed} of {number} texts left out"
    )


def _clean_json(subset: Subset, kept: Kept) -> dict[str, Any]:
    of = {"corpus": subset.corpus, "split": subset.split, "against": list(subset.against)}
    return {**of, "removed": kept.removed, "listed": kept.listed}


def _show(answer: dict[str, Any], lines: list[str]) -> None:
    from rich.console import Console

    from openmed.analysis.report.scores import scores_table

    console = Console()
    table = scores_table(answer)
    if lenient := answer["lenient"]:
        shares = [f"{100 * lenient[key]:.1f}" for key in ("precision", "recall", "f1")]
        table.add_row("all, lenient", *shares, str(lenient["tp"] + lenient["fn"]), str(lenient["tp"] + lenient["fp"]))
    console.print(table)
    console.print(
        LENIENT if lenient else f"lenient: not scored: {answer['lenient_absent']}", markup=False, soft_wrap=True
    )
    if answer["interval"]:
        low, high = answer["interval"]
        over = answer["interval_over"]
        alone = ", taken as independent" if over["unit"] == "texts" else ""
        drawn = f"bootstrap over {over['number']} {over['unit']}{alone}"
        console.print(f"95% interval of F1: {100 * low:.1f} to {100 * high:.1f} ({drawn})", soft_wrap=True)
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    for note in answer["notes"]:
        console.print(f"note: {note}", markup=False, soft_wrap=True)
