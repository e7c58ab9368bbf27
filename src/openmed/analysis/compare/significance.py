"""Is a difference of F1 more than chance? Paired tests and intervals over groups (abstracts), seeded, in numpy.

    counts = Counts(tp_NG, predicted_NG, gold_G, settings=[[0, 1, 2], [3, 4, 5]])
    randomisation_test(counts, base=0, others=[1])       # [p]
    draws = bootstrap(counts)
    draws.difference(0, 1)                               # (low, high): new abstracts, these models
    draws.difference(0, 1, seeds=True)                   # the same, and the recipe trained anew

The statistic is always the difference of two settings' F1, each the mean over its runs (seeds) of micro-F1 on the
whole split. Sentences of one abstract depend on each other, so it is abstracts that are swapped and drawn.

Shapes: N runs, K settings, G groups, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

NUM_RESAMPLES = 10_000
CONFIDENCE = 0.95
_CHUNK = 4_000_000
"""Numbers held at once, about: what is drawn does not depend on it."""
_SAME = 1e-12
"""Two F1s nearer than this are equal: they differ by the order of a sum."""


@dataclass(frozen=True)
class Counts:
    """What was found in each group.

    Attributes:
        tp_NG, predicted_NG: (N, G) of each run.
        gold_G: (G,) the same for all.
        settings: the runs of each setting, by their number.
    """

    tp_NG: np.ndarray
    predicted_NG: np.ndarray
    gold_G: np.ndarray
    settings: Sequence[Sequence[int]]

    @property
    def num_groups(self) -> int:
        return len(self.gold_G)

    @cached_property
    def f1_N(self) -> np.ndarray:
        """(N,) micro-F1 of each run on all groups, 0..1."""
        return f1(self.tp_NG.sum(1), self.predicted_NG.sum(1) + self.gold_G.sum())

    @cached_property
    def mean_KN(self) -> np.ndarray:
        """(K, N): times a value of each run, the mean of each setting."""
        mean_KN = np.zeros((len(self.settings), len(self.tp_NG)))
        for setting, runs in enumerate(self.settings):
            mean_KN[setting, runs] = 1 / len(runs)
        return mean_KN


def f1(tp: np.ndarray, mentions: np.ndarray) -> np.ndarray:
    """2 tp / (predicted + gold mentions); 0 where there are no mentions at all."""
    return 2.0 * tp / np.maximum(mentions, 1)


def randomisation_test(
    counts: Counts, base: int, others: Sequence[int], *, num_resamples: int = NUM_RESAMPLES, seed: int = 1
) -> list[float]:
    """Two-sided p of each difference to `base`, by paired approximate randomisation (Noreen 1989, Yeh 2000).

    Were two settings alike, it would be chance which of them tagged an abstract in which way. So each group's outcomes
    are swapped, or not, by the toss of a coin, those of all runs together; p is the share of the resamples whose
    difference is at least as large as the one seen. Where the runs of both are several, each run of one is swapped
    with each of the other, and the mean over these pairs taken: it needs no pairing, nor equal numbers.

    Where there are no more than `num_resamples` ways to swap (13 groups for 10,000) each is taken once and p is exact;
    else p = (1 + hits) / (1 + R), which is never 0 and rejects no more often than it says (Phipson, Smyth 2010).

    Returns:
        p by the place in `others`. It is 1 for equal predictions.
    """
    gold = float(counts.gold_G.sum())
    means_K = counts.mean_KN @ counts.f1_N
    seen = [abs(means_K[base] - means_K[other]) for other in others]
    hits = [0] * len(others)
    num_swaps = 0
    tp_GN, predicted_GN = _products(counts)
    largest = max(len(runs) for runs in counts.settings)
    for swap_CG in _swaps(counts.num_groups, num_resamples, seed, width=max(len(counts.tp_NG), largest**2)):
        num_swaps += len(swap_CG)
        tp = _Swapped(tp_GN, swap_CG)
        predicted = _Swapped(predicted_GN, swap_CG)
        for place, other in enumerate(others):
            sides = counts.settings[base], counts.settings[other]
            tp_a, tp_b = tp.of(*sides)
            predicted_a, predicted_b = predicted.of(*sides)
            gap_CAB = f1(tp_a, predicted_a + gold) - f1(tp_b, predicted_b + gold)
            hits[place] += int((np.abs(gap_CAB.mean((1, 2))) >= seen[place] - _SAME).sum())
    exact = num_swaps == 2**counts.num_groups
    return [found / num_swaps if exact else (1 + found) / (1 + num_swaps) for found in hits]


@dataclass(frozen=True)
class Draws:
    """F1 of each setting in each resample.

    Attributes:
        groups_RK: groups drawn with replacement; the runs as they are.
        seeds_RK: the runs of each setting drawn, too, and the spread this adds made that of so many runs (see
            `bootstrap`); NaN for settings of one run.
    """

    groups_RK: np.ndarray
    seeds_RK: np.ndarray

    def interval(self, setting: int) -> tuple[float, float]:
        """Of a setting's F1, for these models on new groups."""
        return _interval(self.groups_RK[:, setting])

    def difference(self, one: int, other: int, *, seeds: bool = False) -> tuple[float, float] | None:
        """Of F1 of `one` less that of `other`; None where seeds are asked for, and a setting has but one run."""
        draws_RK = self.seeds_RK if seeds else self.groups_RK
        gap_R = draws_RK[:, one] - draws_RK[:, other]
        return None if np.isnan(gap_R).any() else _interval(gap_R)


def bootstrap(counts: Counts, *, num_resamples: int = NUM_RESAMPLES, seed: int = 1) -> Draws | None:
    """Draw groups with replacement, the same for all runs (so that differences are paired); None for one group.

    The mean of S runs drawn with replacement varies by (S - 1) / S of what the mean of S new runs does. With three
    runs that would make intervals too narrow by a fifth, so what the draw adds is stretched by sqrt(S / (S - 1)).
    """
    if counts.num_groups < 2:
        return None
    tp_GN, predicted_GN = _products(counts)
    gold_G = counts.gold_G.astype(np.float32)
    size_N, stretch_K = _sizes(counts)
    rng = np.random.default_rng([seed, 2])
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    for times_CG in _draws(counts.num_groups, num_resamples, seed, width=len(counts.tp_NG)):
        mentions_CN = (times_CG @ predicted_GN + (times_CG @ gold_G)[:, None]).astype(float)
        f1_CN = f1((times_CG @ tp_GN).astype(float), mentions_CN)
        groups_CK = f1_CN @ counts.mean_KN.T
        drawn_CN = _first_of(counts) + rng.integers(size_N, size=f1_CN.shape)
        ordered_CN = f1_CN[:, np.concatenate(counts.settings)]
        drawn_CK = np.add.reduceat(np.take_along_axis(ordered_CN, drawn_CN, 1) / size_N, _starts(counts), axis=1)
        parts.append((groups_CK, groups_CK + stretch_K * (drawn_CK - groups_CK)))
    groups, seeds = zip(*parts, strict=True)
    return Draws(np.concatenate(groups), np.concatenate(seeds))


def holm(ps: Sequence[float]) -> list[float]:
    """p values corrected for being so many (Holm 1979): the chance that any of them errs is held."""
    corrected = [0.0] * len(ps)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = least
    return corrected


def seed_effect(ones: Sequence[float], others: Sequence[float]) -> float | None:
    """The difference of two means in pooled standard deviations of seeds (Cohen's d); None below two runs each."""
    if min(len(ones), len(others)) < 2:
        return None
    freedom = len(ones) + len(others) - 2
    squares = sum(float(np.var(side, ddof=1)) * (len(side) - 1) for side in (ones, others))
    pooled = float(np.sqrt(squares / freedom))
    gap = float(np.mean(ones) - np.mean(others))
    return gap / pooled if pooled > _SAME else (0.0 if abs(gap) <= _SAME else None)


class _Swapped:
    """Sums over groups of each run, for each toss: of the groups that stay and of those that are swapped."""

    def __init__(self, values_GN: np.ndarray, swap_CG: np.ndarray) -> None:
        self._moved_CN = (swap_CG @ values_GN).astype(float)
        self._kept_CN = values_GN.sum(0, dtype=float) - self._moved_CN

    def of(self, ones: Sequence[int], others: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Two (C, A, B): what each of the runs has when A are swapped with B."""
        kept_a, moved_a = (of[:, list(ones), None] for of in (self._kept_CN, self._moved_CN))
        kept_b, moved_b = (of[:, None, list(others)] for of in (self._kept_CN, self._moved_CN))
        return kept_a + moved_b, kept_b + moved_a


def _products(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """(G, N) of tp and of predicted. Single precision is twice as quick, and exact for sums up to 16 million."""
    return counts.tp_NG.T.astype(np.float32), counts.predicted_NG.T.astype(np.float32)


def _swaps(num_groups: int, num_resamples: int, seed: int, *, width: int) -> Iterator[np.ndarray]:
    """(C, G) float32 of 0 and 1: all ways to swap where they are few, else tosses."""
    rows = max(1, _CHUNK // max(num_groups, width))
    if 2**num_groups <= num_resamples:
        for start in range(0, 2**num_groups, rows):
            numbers = np.arange(start, min(start + rows, 2**num_groups))
            yield ((numbers[:, None] >> np.arange(num_groups)) & 1).astype(np.float32)
        return
    rng = np.random.default_rng([seed, 0])
    for start in range(0, num_resamples, rows):
        size = (min(rows, num_resamples - start), num_groups)
        yield (rng.random(size) < 0.5).astype(np.float32)


def _draws(num_groups: int, num_resamples: int, seed: int, *, width: int) -> Iterator[np.ndarray]:
    """(C, G) float32: how often each group is drawn; G draws a row."""
    rows = max(1, _CHUNK // max(num_groups, width))
    rng = np.random.default_rng([seed, 1])
    for start in range(0, num_resamples, rows):
        number = min(rows, num_resamples - start)
        drawn = rng.integers(num_groups, size=(number, num_groups)) + num_groups * np.arange(number)[:, None]
        yield np.bincount(drawn.ravel(), minlength=number * num_groups).reshape(number, -1).astype(np.float32)


def _starts(counts: Counts) -> np.ndarray:
    """(K,) where each setting's runs begin, when all are put in a row."""
    return np.cumsum([0, *(len(runs) for runs in counts.settings[:-1])])


def _first_of(counts: Counts) -> np.ndarray:
    """(N,) the same, for each run in that row."""
    return np.repeat(_starts(counts), [len(runs) for runs in counts.settings])


def _sizes(counts: Counts) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the number of runs of each run's setting, in that row; (K,) what stretches the spread of drawing them."""
    sizes_K = np.array([len(runs) for runs in counts.settings], dtype=float)
    stretch_K = np.full(len(sizes_K), np.nan)
    several = sizes_K > 1
    stretch_K[several] = np.sqrt(sizes_K[several] / (sizes_K[several] - 1))
    sizes = sizes_K.astype(np.int64)
    return np.repeat(sizes, sizes), stretch_K


def _interval(values: np.ndarray) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail]).tolist()
    return low, high
