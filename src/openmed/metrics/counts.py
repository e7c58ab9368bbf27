"""True positives, false positives, false negatives: addable, so that shards, batches and processes merge by `+`.

A predicted span counts as true when a gold span has the same start, end and type (and fragments). Scores are
micro-averaged: counts are summed first, divided last. On token data this equals seqeval's strict IOB2 mode.

    table = score_spans([gold], [predicted])
    table.micro.f1, table.per_type["Disease"].recall
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from openmed.spans import Span


@dataclass(frozen=True, slots=True)
class Counts:
    """tp, fp, fn of one type, or of all. A score without anything to divide by is 0.0, as in seqeval."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        return self.tp / (self.tp + self.fp) if self.tp else 0.0

    @property
    def recall(self) -> float:
        return self.tp / (self.tp + self.fn) if self.tp else 0.0

    @property
    def f1(self) -> float:
        return 2 * self.tp / (2 * self.tp + self.fp + self.fn) if self.tp else 0.0

    def as_dict(self) -> dict[str, float | int]:
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "tp": self.tp,
            "fp": self.fp,
            "fn": self.fn,
        }


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """Counts per entity type."""

    per_type: dict[str, Counts] = field(default_factory=dict)

    def __add__(self, other: ScoreTable) -> ScoreTable:
        types = sorted({*self.per_type, *other.per_type})
        none = Counts()
        return ScoreTable({t: self.per_type.get(t, none) + other.per_type.get(t, none) for t in types})

    @property
    def micro(self) -> Counts:
        return sum(self.per_type.values(), Counts())

    def as_dict(self) -> dict:
        """{precision, recall, f1, tp, fp, fn, per_type: {type: the same}}."""
        return {**self.micro.as_dict(), "per_type": {name: c.as_dict() for name, c in sorted(self.per_type.items())}}


def score_spans(gold: Iterable[Sequence[Span]], predicted: Iterable[Sequence[Span]]) -> ScoreTable:
    """Score units pairwise: `gold[i]` against `predicted[i]`. Types appear as soon as either side has them.

    Duplicates count once a side: the same mention twice is one mention.

    Raises:
        ValueError: another number of gold than of predicted units.
    """
    tp: Counter[str] = Counter()
    fp: Counter[str] = Counter()
    fn: Counter[str] = Counter()
    for gold_unit, predicted_unit in zip(gold, predicted, strict=True):
        wanted = {_key(span) for span in gold_unit}
        found = {_key(span) for span in predicted_unit}
        tp.update(label for *_, label in wanted & found)
        fp.update(label for *_, label in found - wanted)
        fn.update(label for *_, label in wanted - found)
    return ScoreTable({name: Counts(tp[name], fp[name], fn[name]) for name in sorted({*tp, *fp, *fn})})


def _key(span: Span) -> tuple:
    return span.start, span.end, span.fragments, span.label
