"""The job of the inputs, the tiny model it runs, and what `openmed predict` makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.serving.pipelines import found

import openmed
from openmed.predicting import EntityTagger
from openmed.serving import expand_inputs, run_job
from openmed.serving.pipeline import PipelineJob


@pytest.fixture
def job(model_folder, inputs, tmp_path):
    """Makes the job of the inputs: job(tasks=2), job(out=...)."""

    def make(out: Path = tmp_path / "out", **settings) -> PipelineJob:
        return PipelineJob([model_folder], expand_inputs([inputs]), out, dtype="float32", **settings)

    return make


@pytest.fixture(scope="module")
def tagger(model_folder) -> EntityTagger:
    return openmed.load(model_folder, dtype="float32")


@pytest.fixture
def predicted(tagger, inputs, tmp_path) -> dict[str, list]:
    """What `openmed predict` makes of the inputs."""
    run_job(tagger, expand_inputs([inputs]), tmp_path / "predicted")
    return found(tmp_path / "predicted")
