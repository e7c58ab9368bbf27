"""Intervals cover what they say, know few seeds for few, and take a seed for one draw of all corpora."""

from __future__ import annotations

import numpy as np
import pytest

from openmed.reproduce.intervals import OfCorpus, estimate

GROUPS = 40


def of_corpus(rng: np.random.Generator, seeds: dict[int, float], *, texts: float = 0.0) -> OfCorpus:
    """A corpus on which recall is a half, by so much more in a seed, and in each group by chance."""
    of_group = rng.normal(0, texts, GROUPS)
    found = np.stack([np.clip(100 * (0.5 + more + of_group), 0, 100) for more in seeds.values()])
    return OfCorpus(tuple(seeds), (np.stack([found, np.zeros_like(found), 100 - found], axis=-1),))


def recall(f1s: list[np.ndarray]) -> np.ndarray:
    """Without false positives 2 r / (1 + r) is F1."""
    return f1s[0] / (2 - f1s[0])


@pytest.mark.parametrize("num_seeds", [2, 3, 5])
def test_few_seeds_still_cover_what_they_should(num_seeds, monkeypatch):
    """Over trainings drawn anew 95% of the intervals hold the mean of all of them, on texts that say the same."""
    monkeypatch.setattr("openmed.reproduce.intervals.NUM_RESAMPLES", 20)
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        found = estimate([of_corpus(rng, dict(enumerate(rng.normal(0, 0.02, num_seeds))))], recall)
        held.append(found.low <= 0.5 <= found.high)
    assert 0.92 <= np.mean(held) <= 0.98


def test_texts_and_seeds_both_widen():
    rng = np.random.default_rng(0)
    calm = estimate([of_corpus(rng, {1: 0.0, 2: 0.0}, texts=0.1)], recall)
    assert calm.high - calm.low == pytest.approx(2 * 1.96 * 0.1 / GROUPS**0.5, rel=0.3)
    moved = estimate([of_corpus(np.random.default_rng(0), {1: 0.05, 2: -0.05}, texts=0.1)], recall)
    assert moved.high - moved.low > 3 * (calm.high - calm.low)
    assert moved.mean == pytest.approx(calm.mean, abs=1e-9)


def test_a_seed_is_one_draw_for_all_corpora():
    """What moves all corpora at once stays in their mean; what moves each its own way is averaged out."""
    rng = np.random.default_rng(0)
    together = estimate([of_corpus(rng, {1: 0.05, 2: -0.05}) for _ in range(4)], recall)
    against = estimate([of_corpus(rng, {1: way, 2: -way}) for way in (0.05, -0.05, 0.05, -0.05)], recall)
    assert together.high - together.low == pytest.approx(2 * 12.706 * 0.05, rel=0.01)
    assert against.high - against.low == pytest.approx(0, abs=1e-9)


def test_a_single_seed_says_nothing_of_training():
    rng = np.random.default_rng(0)
    one = of_corpus(rng, {1: 0.0}, texts=0.1)
    two = of_corpus(rng, {1: 0.05, 2: -0.05}, texts=0.1)
    assert not estimate([one], recall).over_seeds
    assert not estimate([one, two], recall).over_seeds
    assert estimate([two, two], recall).over_seeds


def test_the_mean_is_that_of_corpora_whatever_their_seeds():
    rng = np.random.default_rng(0)
    found = estimate([of_corpus(rng, {1: 0.1}), of_corpus(rng, {1: 0.0, 2: 0.2, 3: 0.2})], recall)
    assert found.mean == pytest.approx(0.5 + (0.1 + 0.4 / 3) / 2)
