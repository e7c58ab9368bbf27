"""The numbers of a card: scores per type with their 95% intervals, and of what kind the mistakes are.

scored = score_run(facts, "test")
scored.rows[-1].f1, scored.rows[-1].interval, scored.kinds[Kind.BOUNDARY, "Disease"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openmed.analysis.compare.predictions import Reader
from openmed.analysis.score import Drawn, Pair, drawn, interval, pair_up
from openmed.metrics.mistakes import Kind
from openmed.readers import read
from openmed.serving.publish.facts import Facts
from openmed.spans import Document

ALL = "all"


@dataclass(frozen=True)
class ScoreRow:
    """One type, or `ALL`; shares between 0 and 1.

    Attributes:
        interval: of F1; None where there are too few texts to draw from.
        gold, found: mentions.
    """

    label: str
    precision: float
    recall: float
    f1: float
    interval: tuple[float, float] | None
    gold: int
    found: int


@dataclass(frozen=True)
class Scored:
    """A split.

    Attributes:
        unit: what is scored one by one, "sentences" or "documents".
        rows: the types, then `ALL`.
        drawn: what the intervals take for independent.
        kinds: mistakes by kind and type (the gold one; of spurious mentions the predicted one).
    """

    split: str
    unit: str
    rows: tuple[ScoreRow, ...]
    drawn: Drawn
    kinds: Counter[tuple[Kind, str]]


def score_run(facts: Facts, split: str) -> Scored:
    """From the run's predictions, which must be those that its result.json was counted from.

    Raises:
        DataError: they are missing, cut off, or have other counts.
    """
    unit = str(facts.manifest.provenance["unit"])
    tally = Reader(split, unit, None).tally(facts.run)
    path = facts.run.predictions(split)
    gold, found = (list(read(path, format="jsonl", mentions=key)) for key in ("gold", "entities"))
    pairs = pair_up(gold, found)
    scores = facts.result[split]
    rows = [_row(label, counts, _of_type(pairs, label)) for label, counts in sorted(scores["per_type"].items())]
    return Scored(split, unit, (*rows, _row(ALL, scores, pairs)), drawn(pairs), tally.kinds)


def _row(label: str, counts: dict[str, Any], pairs: Sequence[Pair]) -> ScoreRow:
    return ScoreRow(
        label=label,
        precision=counts["precision"],
        recall=counts["recall"],
        f1=counts["f1"],
        interval=interval(pairs),
        gold=counts["tp"] + counts["fn"],
        found=counts["tp"] + counts["fp"],
    )


def _of_type(pairs: Sequence[Pair], label: str) -> list[Pair]:
    return [Pair(_only(pair.gold, label), _only(pair.predicted, label)) for pair in pairs]


def _only(document: Document, label: str) -> Document:
    return document.with_spans(span for span in document.spans if span.label == label)
