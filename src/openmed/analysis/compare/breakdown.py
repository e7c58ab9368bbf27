"""Where settings are good and bad: F1 by type, by length, by whether train had the mention; mistakes by kind.

parts = f1_by(comparison, "label")
parts[0].name, parts[0].num_gold, parts[0].scores[0].mean
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from openmed.analysis.compare.comparison import Comparison, Setting
from openmed.analysis.compare.predictions import MAX_WORDS, Cell
from openmed.metrics import Counts
from openmed.metrics.mistakes import MISTAKES, Kind


@dataclass(frozen=True)
class Spread:
    """Mean over the runs of a setting, and their standard deviation (None for one run)."""

    mean: float
    sd: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)


@dataclass(frozen=True)
class Part:
    """Mentions that are alike in one way.

    Attributes:
        num_gold: gold ones.
        scores: F1 (0..1) of each setting on them, in the order of the standings. A predicted mention belongs to the
            part of its own type, length and text.
    """

    name: str
    num_gold: int
    scores: Sequence[Spread]


_NAMES: Mapping[str, Callable[[Cell], str]] = {
    "label": lambda cell: cell.label,
    "num_words": lambda cell: _words(cell.num_words),
    "seen": lambda cell: "seen in train" if cell.seen else "not in train",
}


def f1_by(comparison: Comparison, by: str) -> list[Part]:
    """F1 by "label", "num_words" or "seen"; the parts by name. Empty where nothing is known of `by`."""
    if by == "seen" and comparison.seen:
        return []
    name = _NAMES[by]
    gold = _sum_by(comparison.gold.cells, name)
    settings = [standing.setting for standing in comparison.standings]
    counts = [[(_sum_by(t.tp, name), _sum_by(t.predicted, name)) for t in setting.tallies] for setting in settings]
    found = {part for of_setting in counts for _, predicted in of_setting for part in predicted}
    return [
        Part(
            part,
            gold[part],
            [
                Spread.of(
                    [Counts(tp[part], predicted[part] - tp[part], gold[part] - tp[part]).f1 for tp, predicted in of]
                )
                for of in counts
            ],
        )
        for part in sorted({*gold, *found})
    ]


def mistakes_of(setting: Setting) -> dict[Kind, Spread]:
    """How many mistakes of each kind a setting makes."""
    return {
        kind: Spread.of([sum(n for (of, _), n in tally.kinds.items() if of == kind) for tally in setting.tallies])
        for kind in MISTAKES
    }


def confusion_of(setting: Setting) -> Counter[tuple[str, str]]:
    """(gold type, predicted type) -> pairs over all runs, those of one type alone left out."""
    total: Counter[tuple[str, str]] = Counter()
    for tally in setting.tallies:
        total.update({pair: number for pair, number in tally.confusion.items() if pair[0] != pair[1]})
    return total


def _sum_by(cells: Counter[Cell], name: Callable[[Cell], str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for cell, number in cells.items():
        total[name(cell)] += number
    return total


def _words(number: int) -> str:
    return "1 word" if number == 1 else f"{number} words" + (" and more" if number == MAX_WORDS else "")
