"""Whatever happens to W&B, the training's calls neither raise nor wait: one warning, and on it goes."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from lightning.pytorch.loggers.logger import DummyLogger

from openmed.tracking import finish, log_summary, make_wandb_logger, safe_logger
from openmed.tracking.safe_logger import SafeWandbLogger
from openmed.tracking.service import RunRequest


class FakeRun:
    """A run that does as told; `finished` holds the exit codes."""

    id = "fake"
    offline = True

    def __init__(self, folder: Path, log: Any = lambda row: None, finish: Any = lambda: None) -> None:
        self.settings = SimpleNamespace(sync_dir=str(folder))
        self.log = log
        self.define_metric = lambda name, **axis: None
        self._finish = finish
        self.finished: list[int] = []

    def finish(self, exit_code: int) -> None:
        self._finish()
        self.finished.append(exit_code)


@pytest.fixture(autouse=True)
def abandoned(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[bool]:
    """The `force` of each call of `abandon_service`; the real one is kept in tests with "real" in their name."""
    calls: list[bool] = []
    if "real" not in request.node.name:
        monkeypatch.setattr(safe_logger, "abandon_service", lambda *, ours, force: calls.append(force))
    return calls


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


def start(monkeypatch: pytest.MonkeyPatch, folder: Path, run: Any, **options: Any) -> SafeWandbLogger:
    monkeypatch.setattr(safe_logger, "start_run", run if callable(run) else lambda request: run)
    limits = {"init_seconds": 5.0, "finish_seconds": 5.0} | options.pop("limits", {})
    request = RunRequest(project="p", name="n", save_dir=folder, mode="offline", run_id="abc", **limits)
    logger = SafeWandbLogger(request, **options)
    logger.start()
    return logger


def real_logger(folder: Path, **changes: Any) -> Any:
    settings: dict[str, Any] = {"mode": "offline", "init_seconds": 20.0, "finish_seconds": 20.0}
    return make_wandb_logger(
        project="p", name="n", group=None, tags=(), job_type=None, save_dir=folder, config={}, **settings | changes
    )


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "openmed.tracking"]


def refuse(*_: Any) -> Any:
    raise OSError("No space left on device")


def test_a_failed_start_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = start(monkeypatch, tmp_path, refuse)
    logger.log_metrics({"dev/f1": 0.5}, step=1)
    logger.log_hyperparams({"lr": 1})
    logger.experiment.log({"x": 1})
    log_summary(logger, {"status": "finished", "dev": {"f1": 1.0}})
    finish(logger, failed=False)
    assert logger.location is None
    assert logger.version == "abc"
    assert len(warnings_of(caplog)) == 1
    assert "OSError: No space left on device" in warnings_of(caplog)[0]


def test_a_failed_call_ends_the_logging_but_the_run_is_finished(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, abandoned: list[bool]
) -> None:
    run = FakeRun(tmp_path, log=refuse)
    logger = start(monkeypatch, tmp_path, run)
    for step in range(5):
        logger.log_metrics({"dev/f1": 0.5}, step=step)
    finish(logger, failed=True)
    finish(logger, failed=False)
    assert run.finished == [1]
    assert len(warnings_of(caplog)) == 1
    assert f"wandb sync {tmp_path}" in warnings_of(caplog)[0]
    assert abandoned == []


def test_a_hung_service_neither_holds_up_the_calls_nor_the_finish(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, abandoned: list[bool]
) -> None:
    release = threading.Event()
    logger = start(monkeypatch, tmp_path, FakeRun(tmp_path, log=lambda row: release.wait(30)), max_waiting=3)
    with within(2.0):
        for step in range(50):
            logger.log_metrics({"dev/f1": 0.5}, step=step)
        finish(logger, failed=False)
    release.set()
    assert len(warnings_of(caplog)) == 1
    assert "3 calls wait" in warnings_of(caplog)[0]
    assert abandoned == [True]


def test_a_finish_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture, abandoned: list[bool]
) -> None:
    release = threading.Event()
    run = FakeRun(tmp_path, finish=lambda: release.wait(30))
    logger = start(monkeypatch, tmp_path, run, limits={"finish_seconds": 0.3})
    with within(2.0):
        finish(logger, failed=False)
    release.set()
    assert "did not finish within" in warnings_of(caplog)[0]
    assert f"wandb sync {tmp_path}" in warnings_of(caplog)[0]
    assert abandoned == [True]


def test_a_start_that_takes_too_long_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(safe_logger, "GRACE_SECONDS", 0.1)
    release = threading.Event()
    with within(2.0):
        logger = start(monkeypatch, tmp_path, lambda _: release.wait(30), limits={"init_seconds": 0.2})
        logger.log_metrics({"dev/f1": 0.5}, step=1)
        finish(logger, failed=False)
    release.set()
    assert len(warnings_of(caplog)) == 1
    assert "did not start" in warnings_of(caplog)[0]


def test_a_service_that_really_hangs_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if sys.platform == "win32":
        pytest.skip("processes cannot be suspended by signal here")
    from wandb.sdk import wandb_setup

    logger = real_logger(tmp_path / "0", finish_seconds=1.0)
    process = wandb_setup.singleton()._connection._proc._process
    os.kill(process.pid, signal.SIGSTOP)
    with within(5.0):
        for step in range(2000):
            logger.log_metrics({"x" * 500: 0.5}, step=step)
        finish(logger, failed=False)
    assert "did not finish" in warnings_of(caplog)[0]
    assert process.poll() is not None
    after = real_logger(tmp_path / "1")
    after.log_metrics({"dev/f1": 0.5}, step=1)
    finish(after, failed=False)
    assert after.failure is None


def test_a_service_that_really_dies_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from wandb.sdk import wandb_setup

    logger = real_logger(tmp_path / "0")
    wandb_setup.singleton()._connection._proc._process.kill()
    with within(5.0):
        for step in range(20):
            logger.log_metrics({"dev/f1": 0.5}, step=step)
        finish(logger, failed=False)
    assert len(warnings_of(caplog)) == 1
    after = real_logger(tmp_path / "1")
    finish(after, failed=False)
    assert after.failure is None


def test_a_later_import_is_not_harmed_by_a_service_that_really_died(tmp_path: Path) -> None:
    from wandb.sdk import wandb_setup
    from wandb.sdk.lib.import_hooks import notify_module_loaded

    logger = real_logger(tmp_path)
    process = wandb_setup.singleton()._connection._proc._process
    process.kill()
    process.wait()
    for name in ("accelerate", "catboost"):  # what wandb takes note of
        notify_module_loaded(SimpleNamespace(__name__=name))
    finish(logger, failed=False)


def test_a_real_run_left_open_does_not_take_in_the_next(tmp_path: Path) -> None:
    left_open, following = real_logger(tmp_path / "0"), real_logger(tmp_path / "1")
    assert left_open.version != following.version
    assert following.folder.is_relative_to(tmp_path / "1")
    finish(following, failed=False)
    finish(left_open, failed=True)
    assert left_open.failure is following.failure is None


def test_a_real_unreachable_server_means_offline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    with within(10.0):
        logger = real_logger(tmp_path, mode="auto", init_seconds=1.5)
        logger.log_metrics({"dev/f1": 0.5}, step=1)
        finish(logger, failed=False)
    assert logger.failure is None
    assert "offline-run-" in str(logger.folder)
    assert len(warnings_of(caplog)) == 1
    assert "wandb sync" in warnings_of(caplog)[0]


def test_a_folder_that_cannot_be_made_is_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    logger = real_logger(tmp_path / "file" / "run")
    logger.log_metrics({"dev/f1": 0.5}, step=1)
    finish(logger, failed=False)
    assert len(warnings_of(caplog)) == 1


def test_disabled_is_silent_and_a_missing_wandb_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = real_logger(tmp_path, mode="disabled")
    assert isinstance(logger, DummyLogger)
    log_summary(logger, {"status": "finished", "dev": {"f1": 1.0}})
    finish(logger, failed=False)
    finish(None, failed=False)
    assert not caplog.records
    monkeypatch.setattr(safe_logger.WandbLogger, "__init__", lambda *_, **__: refuse())
    assert isinstance(real_logger(tmp_path), DummyLogger)
    assert len(warnings_of(caplog)) == 1
    assert not (tmp_path / "wandb").exists()


def test_processes_of_higher_rank_start_no_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lightning.pytorch.utilities import rank_zero_only

    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = real_logger(tmp_path / "run")
    logger.log_metrics({"dev/f1": 0.5}, step=1)
    finish(logger, failed=False)
    assert not (tmp_path / "run").exists()


def test_a_pickled_copy_is_inert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = []
    run = FakeRun(tmp_path, log=rows.append)
    logger = start(monkeypatch, tmp_path, run)
    copy = pickle.loads(pickle.dumps(logger))
    copy.log_metrics({"dev/f1": 0.1}, step=1)
    finish(copy, failed=True)
    logger.experiment.log({"x": 1})
    assert logger.experiment.id == "fake"
    finish(logger, failed=False)
    assert rows == [{"x": 1}]
    assert run.finished == [0]


def test_a_disk_that_fills_up_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = start(monkeypatch, tmp_path, FakeRun(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    finish(logger, failed=False)
    assert "is full" in warnings_of(caplog)[0]


def test_a_full_disk_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    logger = real_logger(tmp_path)
    finish(logger, failed=False)
    assert len(warnings_of(caplog)) == 1
    assert "No space left on device" in warnings_of(caplog)[0]
