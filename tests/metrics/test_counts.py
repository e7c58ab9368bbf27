"""Counts add up over any shards; a span is right when its place, fragments and type are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import any_spans

from openmed.metrics import Counts, ScoreTable, score_spans
from openmed.spans import Span

UNITS = st.lists(st.tuples(any_spans(12), any_spans(12)), max_size=8)
COUNTS = st.builds(Counts, st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))


def table_of(units: list[tuple[tuple[Span, ...], tuple[Span, ...]]]) -> ScoreTable:
    return score_spans([gold for gold, _ in units], [predicted for _, predicted in units])


@given(units=UNITS, cuts=st.sets(st.integers(0, 8), max_size=3))
@settings(max_examples=60)
def test_scores_of_shards_add_up_to_the_score_of_all(units, cuts):
    edges = [0, *sorted(cuts), len(units)]
    shards = [table_of(units[start:end]) for start, end in pairwise(edges)]
    assert sum(shards, ScoreTable()) == table_of(units)
    assert sum(reversed(shards), ScoreTable()) == table_of(units)


@given(UNITS)
@settings(max_examples=60)
def test_every_mention_is_counted_once_on_its_side(units):
    micro = table_of(units).micro
    assert micro.tp + micro.fn == sum(len(set(gold)) for gold, _ in units)
    assert micro.tp + micro.fp == sum(len(set(predicted)) for _, predicted in units)


@given(UNITS)
@settings(max_examples=60)
def test_changing_sides_swaps_precision_and_recall(units):
    there, back = table_of(units).micro, table_of([(predicted, gold) for gold, predicted in units]).micro
    assert (there.precision, there.recall, there.f1) == (back.recall, back.precision, back.f1)


@given(COUNTS)
def test_f1_is_the_harmonic_mean(counts):
    precision, recall = counts.precision, counts.recall
    assert counts.f1 == pytest.approx(2 * precision * recall / (precision + recall) if counts.tp else 0)
    assert 0 <= min(precision, recall) <= counts.f1 <= max(precision, recall) <= 1 or counts.tp == 0


def test_scores_without_anything_to_divide_by_are_zero():
    for counts in (Counts(), Counts(0, 3, 0), Counts(0, 0, 3)):
        assert (counts.precision, counts.recall, counts.f1) == (0, 0, 0)


GOLD = Span(3, 8, "Disease")


@pytest.mark.parametrize(
    "predicted",
    [
        Span(3, 7, "Disease"),
        Span(2, 8, "Disease"),
        Span(3, 8, "Gene"),
        Span(3, 8, "Disease", fragments=((3, 4), (6, 8))),
    ],
    ids=["another end", "another start", "another type", "in fragments"],
)
def test_what_is_not_exact_is_wrong_on_both_sides(predicted):
    assert score_spans([[GOLD]], [[predicted]]).micro == Counts(tp=0, fp=1, fn=1)


def test_identifier_and_score_do_not_matter():
    predicted = Span(3, 8, "Disease", identifier="MESH:D1", score=0.4)
    assert score_spans([[GOLD]], [[predicted]]).micro == Counts(tp=1)


def test_the_same_mention_twice_counts_once():
    assert score_spans([[GOLD, GOLD]], [[GOLD, GOLD, GOLD]]).micro == Counts(tp=1)


def test_the_same_offsets_in_another_unit_do_not_count():
    assert score_spans([[GOLD], []], [[], [GOLD]]).micro == Counts(tp=0, fp=1, fn=1)


def test_micro_sums_before_it_divides():
    table = ScoreTable({"Disease": Counts(9, 1, 0), "Gene": Counts(0, 0, 10)})
    assert table.micro == Counts(9, 1, 10)
    assert table.micro.recall == 9 / 19
    assert table.as_dict()["per_type"]["Gene"] == {
        "precision": 0.0, "recall": 0.0, "f1": 0.0, "tp": 0, "fp": 0, "fn": 10
    }  # fmt: skip


def test_types_appear_as_soon_as_one_side_has_them():
    table = score_spans([[GOLD]], [[Span(0, 2, "Gene")]])
    assert table.per_type == {"Disease": Counts(0, 0, 1), "Gene": Counts(0, 1, 0)}


def test_other_numbers_of_units_are_refused():
    with pytest.raises(ValueError, match="zip"):
        score_spans([[GOLD]], [])
