"""The results file, which several processes write, and what of it nobody can check."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.reproduce.test_command import whole

from openmed.errors import DataError
from openmed.reproduce.results import keep, read_results, with_unchecked

NAMES = [f"ner/tiny/none/demo/{seed}" for seed in range(1, 9)]


def test_what_others_have_kept_meanwhile_stays(tmp_path):
    place = tmp_path / "new" / "results.json"
    keep(place, NAMES[1], whole())
    before = read_results(place)
    keep(place, NAMES[0], whole())  # by another process, after this one has read
    keep(place, NAMES[1], {**whole(), "key": "2"})
    assert list(read_results(place)) == NAMES[:2]
    assert read_results(place)[NAMES[1]]["key"] == "2"
    assert list(before) == [NAMES[1]]
    assert [path.name for path in place.parent.iterdir()] == ["results.json"], "no lock is left beside it"


def test_several_at_once_lose_nothing(tmp_path):
    place = tmp_path / "results.json"
    with ThreadPoolExecutor(len(NAMES)) as pool:
        list(pool.map(lambda name: keep(place, name, whole()), NAMES))
    assert list(read_results(place)) == NAMES


def test_a_damaged_file_is_not_written_over(tmp_path):
    place = tmp_path / "results.json"
    place.write_text(json.dumps({"cells": {NAMES[0]: None}}))
    before = place.read_text()
    with pytest.raises(DataError, match="has kind None"):
        keep(place, NAMES[1], whole())
    assert place.read_text() == before


def test_what_cannot_be_checked_is_shown_with_the_rest():
    found = {name: {"key": name} for name in NAMES[:3]}
    own = {NAMES[0]: found[NAMES[0]]}
    assert with_unchecked(own, found, [NAMES[1], NAMES[4]]) == ({name: found[name] for name in NAMES[:2]}, [NAMES[1]])
