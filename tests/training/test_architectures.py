"""Two steps of training from configuration to artefact for each architecture, under the real hub ids."""

from __future__ import annotations

import json

import pytest
from tests.backbones import fake_hub, hub_ids, offline_hub
from tests.training.runs import compose, custom

import openmed
from openmed.training.run import train

FAMILIES = {
    "bert": "pubmedbert",
    "electra": "bioelectra",
    "deberta-v3": "deberta",
    "modernbert": "bioclinical_modernbert",
}


@pytest.mark.parametrize("backbone", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("lora", ["all_linear", "paper", "none"])
def test_two_steps_of_training(tmp_path, backbone, lora):
    folder = tmp_path / "run"
    overrides = [*custom(tmp_path / "corpus"), f"backbone={backbone}", f"lora={lora}", "optim=full"]
    with offline_hub(fake_hub(tmp_path / "hub", hub_ids(backbone))):
        train(compose(*overrides, "trainer.max_steps=2", "batch.max_tokens=64", folder=folder), folder)
        result = json.loads((folder / "result.json").read_text())
        assert result["status"] == "finished"
        assert result["train"]["steps"] == 2
        assert (result["params"]["trainable_percent"] == 100) == (lora == "none")
        document = openmed.load(folder / "model", dtype="float32")("Aspirin relieves headache.")
    assert all(document.mention(span) in document.text for span in document.spans)
    manifest = json.loads((folder / "model" / "openmed.json").read_text())
    assert len(manifest["backbone"]["revision"]) == 40
