"""The tests and intervals, against scipy, a published example, all permutations written out, and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy import stats

from openmed.analysis.compare import significance
from openmed.analysis.compare.significance import Counts, bootstrap, f1, holm, randomisation_test, seed_effect

# Darwin's maize: heights of 15 pairs of plants in eighths of an inch (The Effects of Cross and Self Fertilisation,
# 1876), with which Fisher introduced the randomisation test (The Design of Experiments, 1935, section 21): of the
# 32,768 ways to choose the signs, 863 give a sum of differences of 314 or more.
CROSSED = (188, 96, 168, 176, 153, 172, 177, 163, 146, 173, 186, 168, 177, 184, 96)
SELFED = (139, 163, 160, 160, 147, 149, 149, 122, 132, 144, 130, 144, 102, 124, 144)


def counts_of(*settings: np.ndarray, gold: np.ndarray | None = None) -> Counts:
    """Settings as (runs, G, 2) of tp and predicted."""
    runs = np.concatenate(settings)
    ends = np.cumsum([len(setting) for setting in settings])
    gold = np.full(runs.shape[1], 10) if gold is None else gold
    owners = [list(range(end - len(setting), end)) for setting, end in zip(settings, ends, strict=True)]
    return Counts(runs[..., 0], runs[..., 1], gold, owners)


def drawn(rng: np.random.Generator, runs: int, groups: int, skill: ArrayLike = 0.7, gold: ArrayLike = 10) -> np.ndarray:
    """Runs of a tagger that finds each mention with a chance, and some that are none."""
    tp = rng.binomial(gold, skill, (runs, groups))
    return np.stack([tp, tp + rng.poisson(2, tp.shape)], axis=2)


def darwin() -> Counts:
    """With as many predicted as gold mentions everywhere, F1 is a sum over groups."""
    sides = [np.array([[(height, 200) for height in side]]) for side in (CROSSED, SELFED)]
    return counts_of(*sides, gold=np.full(15, 200))


def test_fishers_example_of_darwins_maize():
    assert randomisation_test(darwin(), 0, [1], num_resamples=2**15) == [2 * 863 / 2**15]


def test_resampling_comes_near_to_all_permutations():
    (p,) = randomisation_test(darwin(), 0, [1], num_resamples=20_000)
    assert p != 2 * 863 / 2**15
    assert p == pytest.approx(2 * 863 / 2**15, abs=4 * np.sqrt(0.0527 * 0.9473 / 20_000))


@pytest.mark.parametrize("seed", range(5))
def test_all_permutations_are_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    ours, theirs = drawn(rng, 1, 9, 0.8), drawn(rng, 1, 9, 0.7)
    gold = rng.integers(8, 30, 9)
    both = np.concatenate([ours[0], theirs[0]])

    def statistic(one, other):
        """Of groups by their number: those of `ours`, then those of `theirs`."""
        sides = (both[side.astype(int)].sum(0) for side in (one, other))
        one_f1, other_f1 = (2 * tp / (predicted + gold.sum()) for tp, predicted in sides)
        return one_f1 - other_f1

    wanted = stats.permutation_test(
        (np.arange(9), np.arange(9) + 9), statistic, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    (p,) = randomisation_test(counts_of(ours, theirs, gold=gold), 0, [1])
    assert p == pytest.approx(wanted.pvalue, abs=1e-12)


@pytest.mark.parametrize(("num_ours", "num_theirs"), [(1, 1), (3, 3), (3, 2)])
def test_of_several_seeds_each_is_swapped_with_each_of_the_other(num_ours, num_theirs):
    rng = np.random.default_rng(num_theirs)
    ours, theirs = drawn(rng, num_ours, 6, 0.75), drawn(rng, num_theirs, 6, 0.7)
    counts = counts_of(ours, theirs)

    def gap(swap: tuple[int, ...]) -> float:
        where = np.array(swap, dtype=bool)[:, None]
        gaps = []
        for one, other in product(ours, theirs):
            (tp_a, predicted_a), (tp_b, predicted_b) = (
                np.where(where, other, one).sum(0),
                np.where(where, one, other).sum(0),
            )
            gaps.append(2 * tp_a / (predicted_a + 60) - 2 * tp_b / (predicted_b + 60))
        return float(np.mean(gaps))

    seen = gap((0,) * 6)
    assert seen == pytest.approx(counts.f1_N[:num_ours].mean() - counts.f1_N[num_ours:].mean())
    wanted = np.mean([abs(gap(swap)) >= abs(seen) - 1e-12 for swap in product((0, 1), repeat=6)])
    assert randomisation_test(counts, 0, [1]) == [pytest.approx(wanted)]


@pytest.mark.parametrize("groups", [5, 40])
def test_equal_predictions_have_a_p_of_one(groups):
    runs = drawn(np.random.default_rng(1), 3, groups)
    assert randomisation_test(counts_of(runs, runs.copy()), 0, [1], num_resamples=200) == [1.0]


def test_no_mentions_at_all_are_no_difference():
    nothing = np.zeros((1, 20, 2), dtype=int)
    counts = counts_of(nothing, nothing, gold=np.zeros(20, dtype=int))
    assert randomisation_test(counts, 0, [1], num_resamples=200) == [1.0]
    draws = bootstrap(counts, num_resamples=200)
    assert draws is not None
    assert draws.difference(0, 1) == (0.0, 0.0)


def test_a_p_depends_on_neither_side_nor_the_other_settings_nor_the_size_of_a_chunk(monkeypatch):
    rng = np.random.default_rng(3)
    settings = [drawn(rng, 2, 30, skill) for skill in (0.7, 0.66, 0.6)]
    counts = counts_of(*settings)
    forth, other = randomisation_test(counts, 0, [1, 2], num_resamples=700)
    assert 0 < other < forth < 1
    assert randomisation_test(counts, 1, [0], num_resamples=700) == [forth]
    assert randomisation_test(counts_of(settings[0], settings[2]), 0, [1], num_resamples=700) == [other]
    whole = bootstrap(counts, num_resamples=700)
    monkeypatch.setattr(significance, "_CHUNK", 900)
    assert randomisation_test(counts, 0, [1, 2], num_resamples=700) == [forth, other]
    parts = bootstrap(counts, num_resamples=700)
    assert whole is not None
    assert parts is not None
    assert np.array_equal(whole.groups_RK, parts.groups_RK)
    assert np.array_equal(whole.seeds_RK, parts.seeds_RK)


def test_a_p_of_resamples_is_never_zero():
    rng = np.random.default_rng(1)
    assert randomisation_test(counts_of(drawn(rng, 1, 40, 1.0), drawn(rng, 1, 40, 0.1)), 0, [1], num_resamples=99) == [
        0.01
    ]


def test_another_seed_draws_otherwise():
    rng = np.random.default_rng(3)
    counts = counts_of(*(drawn(rng, 2, 30, skill) for skill in (0.7, 0.66)))
    assert len({randomisation_test(counts, 0, [1], num_resamples=999, seed=seed)[0] for seed in range(5)}) > 1


def test_the_interval_is_that_of_scipys_bootstrap():
    rng = np.random.default_rng(5)
    gold = rng.integers(0, 40, 60)
    ours, theirs = drawn(rng, 1, 60, 0.8, gold), drawn(rng, 1, 60, 0.74, gold)
    draws = bootstrap(counts_of(ours, theirs, gold=gold))
    assert draws is not None

    def score(run, groups):
        tp, predicted = run[0][groups.astype(int)].sum(0)
        return 2 * tp / (predicted + gold[groups.astype(int)].sum())

    def wanted(statistic):
        found = stats.bootstrap(
            (np.arange(60),), statistic, method="percentile", vectorized=False, n_resamples=4_000, rng=1
        )
        return pytest.approx(tuple(found.confidence_interval), abs=0.002)

    assert draws.interval(0) == wanted(lambda groups: score(ours, groups))
    assert draws.difference(0, 1) == wanted(lambda groups: score(ours, groups) - score(theirs, groups))
    assert draws.difference(0, 1, seeds=True) is None


@pytest.mark.parametrize("num_runs", [2, 5])
def test_what_the_draw_of_seeds_adds_is_the_variance_of_a_mean(num_runs):
    """Where all groups are alike, drawing them adds nothing."""
    skills = np.random.default_rng(2).integers(50, 70, num_runs)
    runs = np.repeat(np.stack([skills, np.full(num_runs, 100)], axis=1)[:, None, :], 7, axis=1)
    draws = bootstrap(counts_of(runs, gold=np.full(7, 100)), num_resamples=40_000)
    assert draws is not None
    assert draws.groups_RK.std() < 1e-9
    assert draws.seeds_RK.var() == pytest.approx((skills / 100).var(ddof=1) / num_runs, rel=0.04)
    assert draws.seeds_RK.mean() == pytest.approx((skills / 100).mean(), abs=0.001)


def test_one_group_has_no_interval():
    assert bootstrap(counts_of(drawn(np.random.default_rng(1), 2, 1))) is None


def test_holm():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_effect_in_pooled_standard_deviations():
    assert seed_effect([3, 5, 4], [1, 3, 2]) == pytest.approx(2.0)
    assert seed_effect([3], [1, 2]) is None
    assert seed_effect([2, 2], [2, 2]) == 0
    assert seed_effect([3, 3], [2, 2]) is None  # no spread to measure by


def test_f1_without_mentions_is_zero():
    assert f1(np.array([0, 3]), np.array([0, 8])).tolist() == [0.0, 0.75]


def rejections(num_simulations: int, groups: int, runs: int, gain: float = 0.0) -> int:
    """How often p is at most 0.05 for two taggers that are alike, or not, in every abstract."""
    rng = np.random.default_rng(11)
    found = 0
    for _ in range(num_simulations):
        hard = rng.beta(6, 3, groups)  # an abstract is hard, or easy, for both
        sides = [drawn(rng, runs, groups, np.clip(hard + more, 0, 1)) for more in (gain, 0.0)]
        found += randomisation_test(counts_of(*sides), 0, [1], num_resamples=399)[0] <= 0.05
    return found


@pytest.mark.parametrize(
    ("num_simulations", "groups", "runs"),
    [
        (300, 25, 1),
        pytest.param(3_000, 40, 1, marks=pytest.mark.slow),
        pytest.param(3_000, 12, 1, marks=pytest.mark.slow),
        pytest.param(2_000, 40, 3, marks=pytest.mark.slow),
    ],
)
def test_equal_taggers_are_told_apart_no_more_often_than_promised(num_simulations, groups, runs):
    low, high = stats.binom.interval(0.999, num_simulations, 0.05)
    assert low <= rejections(num_simulations, groups, runs) <= high


def test_a_difference_is_found():
    assert rejections(60, groups=40, runs=1, gain=0.15) > 55


@pytest.mark.slow
def test_the_second_interval_holds_the_truth_about_recipes_and_the_first_one_does_not():
    """Two equal recipes, each run of which is better or worse by its seed: their difference is truly 0."""
    rng = np.random.default_rng(4)
    covered = {"groups": 0, "seeds": 0}
    num_simulations, runs, groups = 400, 5, 60
    for _ in range(num_simulations):
        hard = rng.beta(6, 3, groups)
        sides = [
            np.concatenate([drawn(rng, 1, groups, np.clip(hard + luck, 0, 1)) for luck in rng.normal(0, 0.03, runs)])
            for _ in range(2)
        ]
        draws = bootstrap(counts_of(*sides), num_resamples=600)
        assert draws is not None
        for name in covered:
            interval = draws.difference(0, 1, seeds=name == "seeds")
            assert interval is not None
            covered[name] += interval[0] <= 0 <= interval[1]
    assert covered["groups"] < 0.8 * num_simulations
    assert covered["seeds"] > 0.93 * num_simulations
