"""Kinds of mistakes: each mention of either side stands in one pair, and in the nearest one."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.metrics.mistakes import Kind, wrong_pairs

mentions = st.frozensets(
    st.builds(
        lambda at, length, label: (at, at + length, label), st.integers(0, 9), st.integers(1, 4), st.sampled_from("DG")
    ),
    max_size=7,
)


@given(mentions, mentions)
def test_each_mention_stands_in_one_pair_and_the_counts_add_up(gold, found):
    pairs = wrong_pairs(gold, found)
    assert Counter(one for _, one, _ in pairs if one) == Counter(gold - found)
    assert Counter(other for _, _, other in pairs if other) == Counter(found - gold)
    kinds = Counter(kind for kind, *_ in pairs)
    paired = len(gold & found) + kinds[Kind.TYPE] + kinds[Kind.BOUNDARY] + kinds[Kind.BOTH]
    assert paired + kinds[Kind.MISSED] == len(gold)
    assert paired + kinds[Kind.SPURIOUS] == len(found)


@given(mentions, mentions)
def test_a_kind_says_what_is_wrong(gold, found):
    for kind, one, other in wrong_pairs(gold, found):
        if one is None or other is None:
            assert kind == (Kind.SPURIOUS if one is None else Kind.MISSED)
            continue
        assert max(one[0], other[0]) < min(one[1], other[1])
        same_bounds, same_type = one[:2] == other[:2], one[2] == other[2]
        assert {(True, False): Kind.TYPE, (False, True): Kind.BOUNDARY, (False, False): Kind.BOTH}[
            same_bounds, same_type
        ] == kind


@given(mentions, mentions)
def test_nothing_that_overlaps_is_left_on_both_sides(gold, found):
    pairs = wrong_pairs(gold, found)
    left = [one for kind, one, _ in pairs if kind == Kind.MISSED and one]
    spare = [other for kind, _, other in pairs if kind == Kind.SPURIOUS and other]
    assert not any(one[0] < other[1] and other[0] < one[1] for one in left for other in spare)


@pytest.mark.parametrize(
    ("gold", "found", "wanted"),
    [
        pytest.param({(0, 5, "D")}, {(0, 5, "D")}, [], id="correct"),
        pytest.param({(0, 5, "D")}, {(5, 9, "D")}, [Kind.MISSED, Kind.SPURIOUS], id="they touch, and do not overlap"),
        pytest.param({(0, 9, "D")}, {(0, 9, "G"), (0, 8, "D")}, [Kind.TYPE, Kind.SPURIOUS], id="same bounds first"),
        pytest.param({(0, 9, "D")}, {(0, 8, "G"), (7, 12, "D")}, [Kind.BOUNDARY, Kind.SPURIOUS], id="then same type"),
        pytest.param({(0, 9, "D")}, {(0, 3, "D"), (4, 9, "D")}, [Kind.BOUNDARY, Kind.SPURIOUS], id="cut in two"),
    ],
)
def test_which_pairs(gold, found, wanted):
    assert [kind for kind, *_ in wrong_pairs(gold, found)] == wanted


def test_of_two_the_longer_overlap_is_taken():
    (first, *_) = wrong_pairs({(0, 9, "D")}, {(0, 3, "D"), (4, 9, "D")})
    assert first == (Kind.BOUNDARY, (0, 9, "D"), (4, 9, "D"))
