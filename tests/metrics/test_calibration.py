"""One temperature makes scores say how often a tag is right; the error says how far they are from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openmed.metrics.calibration import (
    HIGHEST,
    LOWEST,
    MIN_ENTITIES,
    calibration_error,
    entity_scores,
    fit_temperature,
)

Found = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def found(seed: int, *, temperature: float, num_entities: int = 20_000, num_tags: int = 5) -> Found:
    """Entities of one to three words; right as often as their scores say at that temperature."""
    generator = np.random.default_rng(seed)
    entities_W = np.repeat(np.arange(num_entities), generator.integers(1, 4, size=num_entities))
    emissions_WC = generator.normal(size=(len(entities_W), num_tags)).astype(np.float32) * 3
    tags_W = emissions_WC.argmax(axis=1)
    scores_E = entity_scores(emissions_WC, tags_W, entities_W, temperature)
    return emissions_WC, tags_W, entities_W, generator.random(num_entities) < scores_E


def loss(entities: Found, temperature: float) -> float:
    scores_E = entity_scores(*entities[:3], temperature)
    return float(-np.log(np.where(entities[3], scores_E, 1 - scores_E)).mean())


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_them_right_or_wrong_is_found(temperature):
    entities = found(1, temperature=temperature)
    fitted = fit_temperature(*entities)
    assert fitted == pytest.approx(temperature, rel=0.05)
    error = calibration_error(entity_scores(*entities[:3], fitted).tolist(), entities[3].tolist())
    assert error is not None
    assert error < 0.01


@given(seed=st.integers(0, 100), factor=st.sampled_from([0.5, 0.95, 1.05, 2.0]))
@settings(max_examples=20)
def test_no_other_temperature_fits_better(seed, factor):
    entities = found(seed, temperature=1.5, num_entities=200)
    best = fit_temperature(*entities)
    assert loss(entities, best) <= loss(entities, best * factor)


def test_entities_all_right_or_all_wrong_get_a_temperature_all_the_same():
    emissions_WC, tags_W, entities_W = np.array([[5.0, 0.0]] * 30), np.zeros(30, dtype=int), np.arange(30)
    assert fit_temperature(emissions_WC, tags_W, entities_W, [True] * 30) < 0.5
    assert fit_temperature(emissions_WC, tags_W, entities_W, [False] * 30) == pytest.approx(HIGHEST)
    assert fit_temperature(emissions_WC[:0], tags_W[:0], entities_W[:0], []) == 1.0
    assert LOWEST < 1 < HIGHEST


@pytest.mark.parametrize("number", [1, 2, MIN_ENTITIES - 1])
def test_a_few_entities_fit_no_temperature(number):
    emissions_WC, tags_W, entities_W = np.array([[5.0, 0.0]] * number), np.zeros(number, dtype=int), np.arange(number)
    for right in (True, False):
        assert fit_temperature(emissions_WC, tags_W, entities_W, [right] * number) == 1.0


def test_the_score_of_an_entity_is_the_mean_over_its_words():
    emissions_WC = np.log(np.array([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]))
    scores = entity_scores(emissions_WC, np.array([0, 1, 0]), np.array([0, 0, 1]), 1.0)
    assert scores.tolist() == pytest.approx([0.7, 0.5])


def test_scores_that_say_how_often_they_are_right_have_no_error():
    assert calibration_error([0.75] * 4 + [0.2] * 5, [True] * 3 + [False] + [True] + [False] * 4) == pytest.approx(0)


def test_the_error_is_the_distance_in_each_bin_weighed_by_its_entities():
    assert calibration_error([0.95, 0.95, 0.15, 1.0], [False, True, False, True]) == pytest.approx(
        abs(0.95 + 0.95 + 1.0 - 2) / 4 + 0.15 / 4
    )
    assert calibration_error([0.05, 0.95], [True, False]) == pytest.approx(0.95)  # in one bin they would cancel
    assert calibration_error([], []) is None
