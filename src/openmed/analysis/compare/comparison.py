"""What a comparison holds: settings, their standings, their differences to the base. Every report is made of it.

comparison.standings[0].setting.label, comparison.differences[0].p_holm
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from openmed.analysis.compare.history import Point
from openmed.analysis.compare.predictions import Gold, Tally
from openmed.analysis.compare.runs import LeftOut, Run

ALPHA = 0.05
AS_TRAINED = " as trained"
VERDICTS: tuple[str, ...] = ("better", f"better{AS_TRAINED}", "worse", f"worse{AS_TRAINED}", "not told apart")
Interval = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """Runs that differ in their seed alone.

    Attributes:
        label: the keys in which it differs from the others.
        values: what it has for each of the keys in which the settings differ.
        runs, tallies: by seed, the same order in both.
        histories: of each run the course of its training; empty where the run kept none.
    """

    label: str
    values: Sequence[str]
    runs: Sequence[Run]
    tallies: Sequence[Tally]
    histories: Sequence[Sequence[Point]]


@dataclass(frozen=True)
class Standing:
    """A setting's place. Scores are 0..1, means over its runs.

    Attributes:
        rank: from 1; settings of equal F1 share one.
        tied: whether another has the same rank.
        f1s: of each run. sd: their standard deviation, None for one run.
        interval: 95%, of these models on new groups; None for a single group.
    """

    setting: Setting
    rank: int
    tied: bool
    f1s: Sequence[float]
    f1: float
    sd: float | None
    interval: Interval | None
    precision: float
    recall: float


@dataclass(frozen=True)
class Difference:
    """A setting against the base: F1 of the setting less that of the base, 0..1.

    Attributes:
        interval: 95%, of these models on new groups.
        seeds_interval: 95%, of the two recipes trained anew, on new groups; None where one has a single run.
        p, p_holm: two-sided, alone and corrected for all differences of this comparison.
        effect: the difference in pooled standard deviations of seeds; None below two runs each, or without spread.
    """

    standing: Standing
    f1: float
    interval: Interval
    seeds_interval: Interval | None
    p: float
    p_holm: float
    effect: float | None

    @property
    def verdict(self) -> str:
        """Better or worse: these models beyond chance, and the recipes too. "... as trained": the models alone."""
        if self.p_holm >= ALPHA:
            return VERDICTS[-1]
        sure = self.seeds_interval is not None and not self.seeds_interval[0] <= 0 <= self.seeds_interval[1]
        return ("better" if self.f1 > 0 else "worse") + ("" if sure else AS_TRAINED)


@dataclass(frozen=True)
class Comparison:
    """Everything `openmed compare` knows.

    Attributes:
        unit: "sentences" or "documents", what was scored one by one.
        varied: the keys in which the settings differ.
        standings: the best first.
        base: the setting that the others are compared with; `base_is_best` where none was asked for.
        differences: all other settings against the base, in the order of the standings; empty without a test.
        seen: why the split into seen and unseen mentions could not be made; empty where it was.
        notes: what the reader must know to believe the rest.
    """

    dataset: str
    split: str
    unit: str
    gold: Gold
    varied: Sequence[str]
    standings: Sequence[Standing]
    base: Standing
    base_is_best: bool
    differences: Sequence[Difference]
    left_out: Sequence[LeftOut]
    num_resamples: int
    seen: str
    notes: Sequence[str]

    @cached_property
    def num_runs(self) -> int:
        return sum(len(standing.setting.runs) for standing in self.standings)

    @property
    def groups_name(self) -> str:
        """What is drawn and swapped."""
        return "texts" if len(self.gold.groups) == self.gold.num_texts else "groups (abstracts)"
