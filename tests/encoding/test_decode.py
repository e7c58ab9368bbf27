"""Decoding: the best legal path, whatever the emissions; never an illegal one."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.strategies import LABELS

from openmed.encoding import decode_unit, legal_matrix, log_softmax, unit_spans
from openmed.encoding.decode import _viterbi
from openmed.spans import Span
from openmed.tagging import tag_names

TAGS = tag_names(LABELS)
LEGAL = legal_matrix(TAGS)
PATHS = {length: list(product(range(len(TAGS)), repeat=length)) for length in range(1, 5)}


def emissions(longest: int, values: st.SearchStrategy[float] | None = None) -> st.SearchStrategy[np.ndarray]:
    """(1..longest, num_tags) log-probabilities, ties and hopeless tags among them."""
    values = values if values is not None else st.integers(-6, 0).map(float) | st.floats(-30, 0)
    shapes = st.integers(1, longest).map(lambda length: (length, len(TAGS)))
    return arrays.arrays(np.float64, shapes, elements=values)


def is_legal_path(path) -> bool:
    return bool(LEGAL[-1, path[0]]) and all(LEGAL[before, tag] for before, tag in pairwise(path))


def score(log_probs: np.ndarray, path) -> float:
    return float(log_probs[np.arange(len(path)), np.asarray(path)].sum())


def test_what_is_legal():
    assert TAGS[1:3] == ["B-Disease", "I-Disease"]
    follows = {tag: [TAGS[i] for i in np.flatnonzero(LEGAL[:, j]) if i < len(TAGS)] for j, tag in enumerate(TAGS)}
    assert follows["I-Disease"] == ["B-Disease", "I-Disease"]
    assert all(follows[tag] == TAGS for tag in TAGS if not tag.startswith("I-"))
    assert [tag for j, tag in enumerate(TAGS) if LEGAL[-1, j]] == [tag for tag in TAGS if not tag.startswith("I-")]


@given(emissions(4))
def test_decoding_equals_brute_force(log_probs):
    path, _ = decode_unit(log_probs, LEGAL)
    best = max(score(log_probs, legal) for legal in PATHS[len(log_probs)] if is_legal_path(legal))
    assert is_legal_path(path)
    assert score(log_probs, path) == pytest.approx(best)


@given(emissions(30))
def test_the_shortcut_gives_viterbis_path(log_probs):
    log_probs = log_probs + np.linspace(0, 1e-3, log_probs.size).reshape(log_probs.shape)  # no ties
    assert decode_unit(log_probs, LEGAL)[0].tolist() == _viterbi(log_probs, LEGAL).tolist()


@given(emissions(12, st.sampled_from([0.0, -1.0, -50.0, -1e30, -1e38, -np.inf])), st.sets(st.integers(0, 11)))
def test_no_emissions_whatever_give_an_illegal_path(log_probs, broken):
    log_probs[[step for step in broken if step < len(log_probs)]] = np.nan  # what softmax makes of a diverged network
    assert is_legal_path(decode_unit(log_probs, LEGAL)[0])


@given(emissions(12))
def test_single_precision_is_enough(log_probs):
    path, _ = decode_unit(log_probs.astype(np.float32), LEGAL)
    assert is_legal_path(path)
    assert score(log_probs, path) == pytest.approx(score(log_probs, decode_unit(log_probs, LEGAL)[0]), abs=1e-4)


def test_a_unit_without_words_has_no_tags():
    path, scores = decode_unit(np.zeros((0, len(TAGS))), LEGAL)
    assert len(path) == len(scores) == 0
    assert unit_spans([], np.zeros((0, len(TAGS))), TAGS, LEGAL) == ()


def test_a_stray_inside_tag_gives_way_to_the_better_of_its_repairs():
    probabilities = np.full((2, len(TAGS)), 0.01)
    probabilities[0, [0, 1]] = 0.56, 0.40  # O, or B-Disease
    probabilities[1, [0, 2]] = 0.30, 0.66  # O, or I-Disease, which O forbids
    path, scores = decode_unit(np.log(probabilities), LEGAL)
    assert [TAGS[i] for i in path] == ["B-Disease", "I-Disease"], "0.40 x 0.66 beats 0.56 x 0.30"
    assert scores.tolist() == pytest.approx([0.40, 0.66])


def test_a_span_scores_the_mean_of_its_words():
    probabilities = np.full((3, len(TAGS)), 0.01)
    probabilities[[0, 1, 2], [1, 2, 0]] = 0.9, 0.6, 0.8
    (span,) = unit_spans([(0, 3), (4, 8), (8, 9)], np.log(probabilities), TAGS, LEGAL)
    assert span == Span(0, 8, "Disease")
    assert span.score == pytest.approx(0.75)


@given(arrays.arrays(np.float32, (4, 5), elements=st.floats(-1e4, 1e4, width=32)))
def test_log_softmax_sums_to_one_and_keeps_differences(scores):
    log_probs = log_softmax(scores)
    assert np.isfinite(log_probs).all()
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert log_probs - log_probs[:, :1] == pytest.approx(scores - scores[:, :1], abs=1e-2)
