"""A small plan carried out for real: encoders, taggers on them, broken off and gone on with, and nothing done twice."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from tests.pretraining_text.packing import pack_text
from tests.reproduce.conftest import SHORT, write_plan
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.errors import RunError
from openmed.networks import BackboneSpec
from openmed.reproduce import run as run_module
from openmed.reproduce.forecast import forecast
from openmed.reproduce.keys import cell_keys
from openmed.reproduce.plan import Encoder
from openmed.reproduce.results import read_results
from openmed.reproduce.run import carry_out
from openmed.training.result import read_result

ODD = "runs (1), é=[x]'s"
"""A folder's name that Hydra reads otherwise, unless it is quoted."""
OPENMED = "from openmed.cli.app import main; main()"


@pytest.mark.slow
def test_a_plan_from_nothing_to_its_table(small, tmp_path, monkeypatch):
    out, told = tmp_path / ODD, []
    original = run_module.run_child

    def fail_at_taggers(command, log, claim, *, tell):
        if "dataset=demo" not in command:
            return original(command, log, claim, tell=tell)
        log.touch()
        return 1

    monkeypatch.setattr(run_module, "run_child", fail_at_taggers)
    with pytest.raises(RunError, match=r"ner/tiny/none/demo/1 ended with 1"):
        carry_out(small, out, tell=told.append)
    assert list(read_results(out / "results.json")) == ["dapt/tiny/lora"]
    monkeypatch.setattr(run_module, "run_child", original)
    results = carry_out(small, out, tell=told.append)
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
    again = carry_out(replace(small, seeds=(1, 2)), out, tell=told.append)
    assert "dapt/tiny/lora, again: its encoder is not in" in " ".join(told)
    assert again["ner/tiny/lora/demo/2"]["parents"] == [again["dapt/tiny/lora"]["run_id"]] != lora["parents"]
    results = carry_out(small, out)
    monkeypatch.setattr(run_module, "run_child", None)  # nothing is left to do
    assert carry_out(small, out) == results
    assert all(seconds is not None for seconds in forecast(small, results, cell_keys(small)).values())


@pytest.mark.slow
def test_a_pretraining_goes_on_from_another(small, tmp_path):
    steps = ("optim.lr=1e-2",)
    encoders = {
        "none": Encoder(taggers=False),
        "head": Encoder(("module.train_encoder=false", *steps), taggers=False),
        "lora": Encoder(steps, start="head"),
    }
    chain = replace(small, encoders=encoders)
    keys = cell_keys(chain)
    assert keys["dapt/tiny/lora"] != cell_keys(small)["dapt/tiny/lora"], "another start is another cell"
    results = carry_out(chain, tmp_path / "out")
    head, lora, tagger = (results[name] for name in ("dapt/tiny/head", "dapt/tiny/lora", "ner/tiny/lora/demo/1"))
    assert (head["dev"]["head"], lora["dev"]["head"]) == ("fresh", "pretrained")
    assert lora["dev"]["before"]["loss"] == pytest.approx(head["dev"]["loss"], abs=1e-3)
    assert lora["parents"] == [head["run_id"]]
    assert tagger["parents"] == [lora["run_id"], head["run_id"]]


def test_other_settings_and_other_data_are_other_cells(small, tmp_path):
    keys = cell_keys(small)
    other = cell_keys(replace(small, train=("test=true", *SHORT, "optim.lr=1e-4")))
    assert other["dapt/tiny/lora"] == keys["dapt/tiny/lora"]
    assert other["ner/tiny/lora/demo/1"] != keys["ner/tiny/lora/demo/1"]
    pretrain = cell_keys(replace(small, pretrain=(*small.pretrain, "mask.fraction=0.3")))
    assert pretrain["ner/tiny/none/demo/1"] == keys["ner/tiny/none/demo/1"]
    assert pretrain["ner/tiny/lora/demo/1"] != keys["ner/tiny/lora/demo/1"]
    assert cell_keys(replace(small, train=(*small.train, "views=own"))) == keys, "the same scores"
    moved = pack_text(tmp_path / "moved", BackboneSpec.named("tiny"))
    same_text = cell_keys(replace(small, pretrain=(f"dataset.folder={moved}", *small.pretrain[1:])))
    assert same_text == keys
    more = pack_text(tmp_path / "more", BackboneSpec.named("tiny"), passages=80)
    other_text = cell_keys(replace(small, pretrain=(f"dataset.folder={more}", *small.pretrain[1:])))
    assert other_text["dapt/tiny/lora"] != keys["dapt/tiny/lora"]


def test_a_plan_is_shown_before_it_is_carried_out(small, tmp_path):
    own = write_plan(replace(small, seeds=(1, 2)), tmp_path / "plan.yaml")
    arguments = ["reproduce", str(own), "--out", str(tmp_path / "out"), "--plan"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "5 open; what they take is told as soon as" in shown.output
    rows = json.loads(CliRunner().invoke(app, [*arguments, "--seeds", "1", "--json"]).stdout)
    assert [row["cell"] for row in rows] == ["dapt/tiny/lora", "ner/tiny/none/demo/1", "ner/tiny/lora/demo/1"]
    assert not any(row["done"] for row in rows)


@pytest.mark.slow
def test_the_same_command_goes_on_with_a_training_that_was_stopped(small, tmp_path):
    """SIGTERM reaches the command alone: the training saves, and both are gone before it can be given again."""
    out, mark = tmp_path / "out", tmp_path / "stopped"
    settings = ("trainer.max_steps=8", "callbacks.last_of_steps.every_n_train_steps=3")
    stop = f"+callbacks.stop={{_target_: tests.reproduce.breaking.StopOnce, step: 5, mark: '{mark}'}}"
    encoders = {"none": Encoder(taggers=False), "lora": Encoder((*settings, stop), taggers=False)}
    plan = replace(small, encoders=encoders)
    own = write_plan(plan, tmp_path / "plan.yaml")
    command = [sys.executable, "-c", OPENMED, "reproduce", str(own), "--out", str(out), "--json"]
    stopped = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert stopped.returncode == 128 + signal.SIGTERM, stopped.stderr
    assert stopped.stdout == "", "progress is told on the other stream"
    assert "SIGTERM: the training saves and leaves" in stopped.stderr
    assert "stopped; the same command goes on" in stopped.stderr
    (folder,) = (path for path in (out / "dapt" / "tiny").iterdir() if path.is_dir())
    before = read_result(folder)
    assert before is not None
    assert before["status"] == "interrupted"
    assert torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["global_step"] == 6
    record = carry_out(plan, out)["dapt/tiny/lora"]
    assert (record["run_id"], record["train"]["steps"]) == (before["run_id"], 8)
    assert "wall_seconds" not in record, "of a part only"
    assert not list(out.glob("**/*.broken*"))
