"""What the tests of prediction's benchmarks share."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.backbones import local_spec, save_model

from openmed.networks import LoraSpec


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, bert: Path) -> Path:
    """A LoRA model that finds mentions everywhere."""
    return save_model(tmp_path_factory.mktemp("lora") / "model", local_spec(bert), lora=LoraSpec(4, 8))
