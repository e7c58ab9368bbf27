"""EntityF1 is seqeval's strict IOB2 score on token data, and a torchmetrics metric that adds up."""

from __future__ import annotations

import pickle

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2
from tests.strategies import LABELS

from openmed.metrics import Counts
from openmed.metrics.entity_f1 import EntityF1
from openmed.spans import Span
from openmed.tagging import decode_tags

TAGS = ["O", "O", *(f"{letter}-{label}" for label in LABELS for letter in "BI")]


@st.composite
def tagged(draw: st.DrawFn) -> tuple[list[list[str]], list[list[str]]]:
    """Gold and predicted tags of some sentences: any sequence, stray I- included; much is predicted right."""
    gold, predicted = [], []
    for tags in draw(st.lists(st.lists(st.sampled_from(TAGS), min_size=1, max_size=9), min_size=1, max_size=5)):
        gold.append(tags)
        flips = draw(st.dictionaries(st.integers(0, len(tags) - 1), st.sampled_from(TAGS), max_size=3))
        predicted.append([flips.get(place, tag) for place, tag in enumerate(tags)])
    return gold, predicted


def spans_of(sentences: list[list[str]]) -> list[tuple[Span, ...]]:
    return [decode_tags([(3 * i, 3 * i + 2) for i in range(len(tags))], tags) for tags in sentences]


def metric_of(gold, predicted, types=LABELS) -> EntityF1:
    metric = EntityF1(types)
    metric.update(gold, predicted)
    return metric


@given(tagged())
def test_equals_seqeval_strict_iob2(tags):
    gold, predicted = map(spans_of, tags)
    found = {span.label for unit in [*gold, *predicted] for span in unit}
    assume(found)  # seqeval fails on nothing at all
    scores = metric_of(gold, predicted).compute()
    options = {"scheme": IOB2, "zero_division": 0}
    assert [scores["precision"], scores["recall"], scores["f1"]] == pytest.approx(
        precision_recall_fscore_support(*tags, average="micro", **options)[:3]
    )
    per_type = precision_recall_fscore_support(*tags, average=None, **options)[2]
    assert [scores[f"f1/{label}"] for label in sorted(found)] == pytest.approx(list(per_type))


def test_a_stray_inside_tag_opens_no_entity_as_in_strict_seqeval():
    tags = [["O", "I-Disease", "O", "B-Disease"]], [["O", "B-Disease", "O", "B-Disease"]]
    assert metric_of(*map(spans_of, tags)).table().micro == Counts(tp=1, fp=1, fn=0)


@given(tagged(), st.integers(0, 5))
@settings(max_examples=40)
def test_batches_and_processes_add_up(tags, cut):
    gold, predicted = map(spans_of, tags)
    whole = metric_of(gold, predicted)
    in_batches = EntityF1(LABELS)
    for batch in (slice(cut), slice(cut, None)):
        in_batches.update(gold[batch], predicted[batch])
    first, second = metric_of(gold[:cut], predicted[:cut]), metric_of(gold[cut:], predicted[cut:])
    first.merge_state(second)
    assert whole.compute() == in_batches.compute() == first.compute()


def test_another_type_counts_in_a_row_of_its_own():
    metric = metric_of([[Span(0, 3, "Virus")]], [[Span(0, 3, "Virus"), Span(5, 9, "Gene")]], types=["Disease"])
    assert metric.table().per_type == {"Disease": Counts(), EntityF1.OTHER: Counts(tp=1, fp=1)}
    assert metric.compute()["f1/(other)"] == pytest.approx(2 / 3)
    assert metric.compute()["f1"] == pytest.approx(2 / 3), "never silently nowhere"


def test_types_without_mentions_score_zero_and_the_other_row_hides_when_empty():
    assert EntityF1(["Disease"]).table().per_type == {"Disease": Counts()}
    scores = metric_of([[Span(0, 3, "Disease")]], [[Span(0, 3, "Disease")]], types=["Disease", "Gene"]).compute()
    assert scores == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "f1/Disease": 1.0, "f1/Gene": 0.0}


def test_reset_forgets():
    metric = metric_of([[Span(0, 3, "Disease")]], [[]])
    metric.reset()
    assert metric.table().micro == Counts()


def test_counts_are_integers_that_survive_pickling_and_sum_over_processes():
    metric = metric_of([[Span(0, 3, "Disease")]], [[Span(0, 3, "Disease")]])
    assert metric.counts.dtype == torch.int64
    assert metric.counts.shape == (len(LABELS) + 1, 3)
    assert pickle.loads(pickle.dumps(metric)).compute() == metric.compute()
    gathered = torch.stack([metric.counts, metric.counts])
    assert metric._reductions["counts"](gathered).tolist() == (2 * metric.counts).tolist()
