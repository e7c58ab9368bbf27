"""Intervals of F1, or of a gain in it: mean over seeds, then over corpora. Texts and trainings are both chance.

found = estimate([OfCorpus(seeds=(1, 2, 3), sides=(ours, theirs))], lambda f1s: f1s[0] - f1s[1])
found.mean, found.low, found.high

The variance is the sum of two. That of the texts: a bootstrap of each corpus's groups (abstracts), the same ones for
all sides and seeds. That of training: the variance of the seeds' means over corpora, by the number of seeds; a seed is
one draw for all corpora, since it starts their taggers alike. Few seeds tell their own variance badly, so the interval
is Student's, with the degrees of freedom of Welch and Satterthwaite (Satterthwaite 1946, doi:10.2307/3002019).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

NUM_RESAMPLES = 2_000
COVERED = 0.95


@dataclass(frozen=True)
class OfCorpus:
    """What was right and wrong on a corpus.

    Attributes:
        seeds: S different ones.
        sides: (S, groups, 3) each: tp, fp, fn of each seed and group; all sides have the same seeds and groups.
    """

    seeds: tuple[int, ...]
    sides: tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Estimate:
    """Attributes:
    mean, low, high: 0..1, and the 95% interval.
    over_seeds: whether training is in the interval as chance; it is not where the corpora share a single seed.
    """

    mean: float
    low: float
    high: float
    over_seeds: bool


def estimate(corpora: Sequence[OfCorpus], combine: Callable[[list[np.ndarray]], np.ndarray]) -> Estimate:
    """The mean over corpora of the mean over their seeds.

    Args:
        combine: of the sides' F1s (S,) what is averaged (S,).
    """
    by_seed = [dict(zip(each.seeds, combine(_f1s(each)), strict=True)) for each in corpora]
    mean = float(np.mean([np.mean(list(values.values())) for values in by_seed]))
    rng = np.random.default_rng(1)
    drawn = np.mean([_draw_groups(each, combine, rng) for each in corpora], axis=0)
    of_texts, of_seeds, freedom = float(drawn.var(ddof=1)), 0.0, math.inf
    shared = sorted(set.intersection(*(set(values) for values in by_seed)))
    if len(shared) > 1:
        means = [np.mean([values[seed] for values in by_seed]) for seed in shared]
        of_seeds = float(np.var(means, ddof=1)) / len(shared)
    if of_seeds:
        freedom = (of_texts + of_seeds) ** 2 / (of_seeds**2 / (len(shared) - 1))
    half = float(t.ppf((1 + COVERED) / 2, freedom)) * math.sqrt(of_texts + of_seeds)
    return Estimate(mean, mean - half, mean + half, over_seeds=len(shared) > 1)


def _draw_groups(
    corpus: OfCorpus, combine: Callable[[list[np.ndarray]], np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """(NUM_RESAMPLES,) means over seeds, groups drawn anew for each."""
    number = corpus.sides[0].shape[1]
    drawn = np.empty(NUM_RESAMPLES)
    for resample in range(NUM_RESAMPLES):
        times = np.bincount(rng.integers(0, number, number), minlength=number)
        drawn[resample] = combine(_f1s(corpus, times)).mean()
    return drawn


def _f1s(corpus: OfCorpus, times: np.ndarray | None = None) -> list[np.ndarray]:
    """F1 (S,) of each side, groups counted so many times (once)."""
    summed = [side.sum(1) if times is None else np.einsum("g,sgk->sk", times, side) for side in corpus.sides]
    return [_f1(counts) for counts in summed]


def _f1(counts: np.ndarray) -> np.ndarray:
    tp, fp, fn = np.moveaxis(counts.astype(float), -1, 0)
    return 2 * tp / np.maximum(2 * tp + fp + fn, 1)
