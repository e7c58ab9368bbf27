"""Plans, and what their tables say of outcomes made by hand."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from openmed.errors import ConfigError
from openmed.reproduce.outcome import group_counts
from openmed.reproduce.plan import Plan, list_cells, plan_names
from openmed.reproduce.table import difference, tables

CONTENT = {
    "name": "p",
    "backbones": ["tiny"],
    "corpora": ["demo", "ncbi"],
    "seeds": [1, 2],
    "baseline": "none",
    "pretrain": ["seed=5"],
    "train": ["test=true"],
    "encoders": {"none": None, "head": {"overrides": ["a=1"], "taggers": False}, "lora": {"overrides": ["b=2"]}},
}


def plan(**changes) -> Plan:
    return Plan.from_mapping({**CONTENT, **changes})


def test_cells_are_the_encoders_then_every_tagger():
    cells = {cell.name: cell for cell in list_cells(plan())}
    taggers = {f"ner/tiny/{e}/{c}/{s}" for e in ("none", "lora") for c in ("demo", "ncbi") for s in (1, 2)}
    assert set(cells) == {"dapt/tiny/head", "dapt/tiny/lora"} | taggers
    assert cells["dapt/tiny/lora"].overrides == ("module=dapt", "backbone=tiny", "seed=5", "b=2")
    assert cells["ner/tiny/lora/ncbi/2"].overrides == ("dataset=ncbi", "backbone=tiny", "test=true", "seed=2")
    assert cells["ner/tiny/lora/ncbi/2"].parent == "dapt/tiny/lora"
    assert cells["ner/tiny/none/ncbi/2"].parent is None
    names = list(cells)
    assert all(names.index(cell.parent) < names.index(name) for name, cell in cells.items() if cell.parent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbones": ["mini"]}, "unknown backbone 'mini'"),
        ({"corpora": ["ncbl"]}, "unknown corpus 'ncbl'"),
        ({"corpora": []}, "names no corpus"),
        ({"baseline": "nothing"}, "unknown baseline"),
        ({"seeds": []}, "no seed"),
        ({"seed": 1}, "unknown key 'seed'"),
        ({"encoders": {"none": {"override": []}}}, "unknown key 'override' in encoders.none"),
        ({"name": ""}, "lacks 'name'"),
    ],
)
def test_mistakes_in_a_plan_are_explained(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


@pytest.mark.parametrize("name", plan_names())
def test_the_plans_that_come_along_are_sound(name):
    assert list_cells(Plan.read(name))


def test_a_plan_of_ones_own(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Plan.read(str(tmp_path / "no.yaml"))
    with pytest.raises(ConfigError, match="unknown reproduce 'dapt-efect'"):
        Plan.read("dapt-efect")


def record(counts: np.ndarray) -> dict:
    packed = base64.b64encode(zlib.compress(counts.astype("<u2").tobytes())).decode()
    tp, fp, fn = counts.sum(0)
    scores = {"f1": 2 * tp / (2 * tp + fp + fn)}
    return {"groups": {"dev": packed, "test": packed}, "dev": scores, "test": scores}


def outcomes(base: np.ndarray, other: np.ndarray) -> dict:
    found = {}
    for corpus in ("demo", "ncbi"):
        for seed in (1, 2):
            found[f"ner/tiny/none/{corpus}/{seed}"] = record(base)
            found[f"ner/tiny/lora/{corpus}/{seed}"] = record(other)
    return found


COUNTS = np.random.default_rng(0).integers(0, 20, size=(60, 3))


def test_counts_come_back():
    assert np.array_equal(group_counts(record(COUNTS), "dev"), COUNTS)


def test_no_difference_has_an_interval_of_nothing():
    assert difference(plan(), outcomes(COUNTS, COUNTS), "tiny", "lora", ["demo", "ncbi"], "dev") == (0, 0, 0)


def test_a_gain_everywhere_is_found_with_an_interval_beside_it():
    better = COUNTS.copy()
    better[:, 0] += 2  # two that were missed are found in each group
    better[:, 2] = np.maximum(better[:, 2] - 2, 0)
    found = difference(plan(), outcomes(COUNTS, better), "tiny", "lora", ["demo"], "dev")
    assert found is not None
    mean, low, high = found
    tp, fp, fn = COUNTS.sum(0)
    a, b, c = better.sum(0)
    assert mean == pytest.approx(2 * a / (2 * a + b + c) - 2 * tp / (2 * tp + fp + fn))
    assert 0 < low < mean < high
    assert difference(plan(), outcomes(better, COUNTS), "tiny", "lora", ["demo"], "dev")[0] == pytest.approx(-mean)


def test_tables_leave_open_what_is_not_done():
    done = outcomes(COUNTS, COUNTS)
    del done["ner/tiny/lora/ncbi/2"]
    perplexities, dev, test = tables(plan(), done)
    assert "None is pre-trained yet" in perplexities.blocks[0].text
    assert dev.blocks[0].columns == ("corpus", "none", "lora", "lora - none")
    assert dev.blocks[0].rows[0][3] == "+0.0 (+0.0 to +0.0)"
    assert "1 runs are not done" in dev.blocks[1].text
    assert test.title.endswith("test")
