"""Levers of prediction change how tagging is done, and not what it finds."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks import tagging_levers
from benchmarks.sizes import Sizes
from benchmarks.tagging_levers import AS_IT_IS, LEVERS, Lever
from tests.serving.jobs import SENTENCE

ROUNDED = "bfloat16"


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps([" ".join([SENTENCE.format(number)] * (1 + number % 3)) for number in range(12)]))
    return path


@pytest.mark.parametrize("name", [name for name in LEVERS if name not in (AS_IT_IS, ROUNDED)])
def test_a_lever_finds_the_same(model, texts, name):
    exact = {"dtype": "float32"}
    wanted = tagging_levers._measure(Lever(load=exact), model, texts)
    lever = LEVERS[name]
    found = tagging_levers._measure(replace(lever, threads=None, load={**exact, **lever.load}), model, texts)
    assert wanted.spans
    assert found.spans == wanted.spans
    assert found.speed > 0
    assert 0 < found.share < 1


def test_a_lever_that_is_none_is_named():
    with pytest.raises(SystemExit, match="no such lever: two threads; there are as it is"):
        tagging_levers.main(["two threads"])


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
def test_the_levers_are_printed(capsys):
    tagging_levers.main(["one window at a time"], Sizes.tiny())
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in printed[2:]] == [AS_IT_IS, "one window at a time"]
