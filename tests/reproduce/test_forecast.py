"""What is told of the time that runs take."""

from __future__ import annotations

import pytest

from openmed.corpora import load_spec
from openmed.reproduce.cells import list_cells
from openmed.reproduce.forecast import forecast
from openmed.reproduce.plan import Plan

BARE = {"name": "p", "corpora": ["ncbi", "bc2gm"], "seeds": [1, 2], "baseline": "none"}


def test_a_forecast_goes_by_the_words_of_other_corpora_and_never_by_another_backbone():
    plan = Plan.from_mapping({**BARE, "backbones": ["tiny", "minilm"], "encoders": {"none": None}})
    keys = {cell.name: cell.name for cell in list_cells(plan)}
    words = {corpus: load_spec(corpus).counts["train"]["words"] for corpus in plan.corpora}
    done = {"ner/tiny/none/ncbi/1": {"key": "ner/tiny/none/ncbi/1", "train": {"seconds": 60.0}}}
    found = forecast(plan, done, keys)
    assert found["ner/tiny/none/ncbi/2"] == 60
    assert found["ner/tiny/none/bc2gm/1"] == pytest.approx(60 * words["bc2gm"] / words["ncbi"])
    assert {seconds for name, seconds in found.items() if "/minilm/" in name} == {None}
    done["ner/tiny/none/bc2gm/2"] = {"key": "ner/tiny/none/bc2gm/2", "train": {"seconds": 100.0}}
    assert forecast(plan, done, keys)["ner/tiny/none/bc2gm/1"] == 100
    done["ner/tiny/none/bc2gm/2"]["wall_seconds"] = 300.0  # scoring included
    assert forecast(plan, done, keys)["ner/tiny/none/bc2gm/1"] == 300


def test_a_pretraining_is_forecast_by_the_pieces_that_it_reads():
    steps = {"short": 100, "long": 400, "whole": -1}
    encoders = {name: {"overrides": [f"trainer.max_steps={n}"], "taggers": False} for name, n in steps.items()}
    settings = {"backbones": ["tiny", "minilm"], "pretrain": ["batch.max_tokens=2000"]}
    plan = Plan.from_mapping({**BARE, **settings, "encoders": {"none": {"taggers": False}, **encoders}})
    keys = {cell.name: cell.name for cell in list_cells(plan)}
    of_another_plan = {"key": "?", "train": {"seconds": 30.0, "tokens": 100_000}}
    done = {"dapt/tiny/other": of_another_plan}
    found = forecast(plan, done, keys)
    assert found["dapt/tiny/short"] == pytest.approx(30 * 200_000 / 100_000)
    assert found["dapt/tiny/long"] == pytest.approx(30 * 800_000 / 100_000)
    assert found["dapt/tiny/whole"] is None, "nobody knows how much it reads"
    assert found["dapt/minilm/short"] is None
    done["dapt/tiny/short"] = {"key": "dapt/tiny/short", "train": {"seconds": 100.0, "tokens": 200_000}}
    found = forecast(plan, done, keys)
    assert found["dapt/tiny/short"] == 100
    assert found["dapt/tiny/long"] == 400, "one of the same plan says more"
    assert found["dapt/tiny/whole"] == 100
