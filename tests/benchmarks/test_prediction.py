"""The prediction rows: equal work on all sides, what makes a ratio meaningless, and a whole run on a tiny model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from benchmarks import prediction, tagging
from benchmarks.prediction import NotAsGood, check_f1, compare_taggers
from benchmarks.sizes import Sizes
from tests.backbones import local_spec, save_model
from tests.serving.jobs import SENTENCE

import openmed
from openmed.networks import LoraSpec


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps([SENTENCE.format(number) for number in range(12)]))
    return path


def test_copies_are_other_models_that_find_the_same_places(model, texts, tmp_path):
    copies = tagging.write_copies(model, tmp_path / "copies", 3)
    tagger = openmed.load(copies)
    types = openmed.load(model).types
    assert tagger.types == tuple(f"{name}{copy}" for copy in range(3) for name in types)
    assert len({model.digest for model in tagger.models}) == 3
    one, all_ = tagging.tag_one_and_all(copies, texts, 12)
    assert one > 0
    assert all_ > 0


def test_models_that_do_other_work_than_the_one_are_refused(model, bert, texts, tmp_path):
    other = save_model(tmp_path / "other", local_spec(bert), lora=LoraSpec(4, 8), seed=1)
    with pytest.raises(AssertionError, match="together the models find other mentions"):
        tagging.tag_one_and_all([model, other], texts, 12)


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, None),
        ({"ours": 0.6299}, "ours 0.6299, pipeline 0.6300"),
        ({"int8": 0.6771}, None),
        ({"int8": 0.6769}, "8 bits 0.6769, float32 0.6800"),
    ],
)
def test_a_ratio_is_for_what_is_as_good(changes, refused):
    f1 = {"ours": 0.68, "pipeline": 0.63, "int8": 0.68, "float32": 0.68, **changes}
    if refused is None:
        check_f1(f1)
        return
    with pytest.raises(NotAsGood, match=refused):
        check_f1(f1)


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
def test_all_sides_run_and_give_three_rows(model, tmp_path, monkeypatch):
    """In this process, and with a graph in float32 for the one in 8 bits: the calibration has tests of its own."""
    from openmed.serving.export import export_model

    def write_graph(model: Path, folder: Path) -> list[str]:
        export_model(model, folder, to="onnx")
        return ["all"]

    monkeypatch.setattr(prediction, "in_ready_process", lambda function, *given: function(*given))
    monkeypatch.setattr(prediction, "write_int8", write_graph)
    checked = []
    monkeypatch.setattr(prediction, "check_f1", checked.append)  # a model that was not trained is good at nothing
    rows = compare_taggers(model, tmp_path, Sizes.tiny())
    assert [row["name"] for row in rows] == [
        "prediction, raw abstracts",
        "prediction, 8 bits",
        "prediction, 3 models over one pass",
    ]
    (f1,) = checked
    assert set(f1) == {"pipeline", "ours", "int8", "float32"}
    assert f1["int8"] == pytest.approx(f1["float32"], abs=0.01)
    assert all(row["ours"] > 0 and row["peer"] > 0 for row in rows)
    seconds = rows[2]
    assert seconds["ratio"] == seconds["peer"] / seconds["ours"] < 1
    assert json.loads(json.dumps(rows)) == rows
