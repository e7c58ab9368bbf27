"""A `WandbLogger` that cannot kill or stall a training, whatever happens to W&B, the network, or the disk.

wandb's calls wait for its background process, so they are made on a thread of our own, in order; the training only
puts them in a queue. The first exception, or a queue that fills up, ends the logging with one warning. Starting and
finishing are waited for, but only so long.

    logger = SafeWandbLogger(request)
    logger.start()
    ...
    logger.finish(failed=False)
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from openmed.tracking.axes import STEP, Axes
from openmed.tracking.service import RunRequest, abandon_service, disk_is_full, first_line, start_run

if TYPE_CHECKING:
    import wandb

Task = Callable[["wandb.Run"], Any]

logger = logging.getLogger("openmed.tracking")

MAX_WAITING = 10_000
"""Calls that may wait for W&B before it counts as hung."""

GRACE_SECONDS = 10.0
"""Beyond `init_seconds`: importing wandb, and starting offline where online failed."""


class SafeWandbLogger(WandbLogger):
    """See the module. Inert until `start`, after `finish`, after the first failure, and in any pickled copy.

    Args:
        request: the run to start.
        max_waiting: capacity of the queue, in calls.
    """

    def __init__(self, request: RunRequest, *, max_waiting: int = MAX_WAITING) -> None:
        super().__init__(project=request.project, name=request.name, save_dir=request.save_dir, id=request.run_id)
        self._request = request
        self._axes = Axes(request.job_type)
        self._tasks: queue.Queue[Task | None] = queue.Queue(max_waiting)
        self._lock = threading.Lock()
        self._started = threading.Event()
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None
        self._run: wandb.Run | None = None
        self._failure: str | None = None
        self._stalled = False
        self._ended_well = False
        self._exit_code = 0

    @property
    def failure(self) -> str | None:
        """Why nothing is logged any more; None while all is well."""
        return self._failure

    @property
    def folder(self) -> Path:
        """Where the run's log lies (`wandb sync` uploads it)."""
        return Path(self._run.settings.sync_dir) if self._run else self._request.save_dir / "wandb"

    @property
    def location(self) -> str | None:
        """What to show the user: the run's address, or its folder when offline; None when nothing is logged."""
        if self._run is None or self._failure:
            return None
        return str(self.folder) if self._run.offline else self._run.url

    @property
    def version(self) -> str:
        """The run's id, known before the run is started."""
        return self._run.id if self._run else self._request.run_id

    @property
    def experiment(self) -> Any:
        """wandb's run, each method of which is queued and returns None."""
        return _QueuedRun(self)

    def start(self) -> None:
        """Starts the run; returns when it is there, or failed, or took too long."""
        self._thread = threading.Thread(target=self._work, name="openmed-wandb", daemon=True)
        self._thread.start()
        seconds = self._request.init_seconds + GRACE_SECONDS
        if not self._started.wait(seconds):
            self._give_up(f"it did not start within {seconds:.0f} s", stalled=True)

    def submit(self, task: Task) -> None:
        """Has `task(run)` called soon, on the logger's thread; drops it when nothing is logged any more."""
        if self._thread is None or self._failure or self._finished.is_set():
            return
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            self._give_up(f"{self._tasks.maxsize} calls wait for it", stalled=True)

    def finish(self, *, failed: bool) -> None:
        """Writes what waits and ends the run, within the limit of the request. Later calls do nothing."""
        if self._thread is None or self._finished.is_set():
            return
        self._exit_code = int(failed)
        seconds = self._request.finish_seconds
        if not self._stalled and not self._drained(seconds):
            self._give_up(f"it did not finish within {seconds:.0f} s", stalled=True)
        self._finished.set()
        if not self._ended_well:
            abandon_service(ours=self._run, force=self._stalled)
        elif disk_is_full(self.folder):
            logger.warning("The disk of %s is full: the W&B log there is likely cut short.", self.folder)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = self._axes.complete(metrics if step is None else {**metrics, STEP: step})
        unseen = self._axes.unseen(row)

        def log(run: wandb.Run) -> None:
            for name, axis in unseen:
                run.define_metric(name, step_metric=axis, step_sync=True)
            run.log(row)

        self.submit(log)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        given = vars(params) if isinstance(params, Namespace) else dict(params)
        try:
            values = json.loads(json.dumps(given, default=str, skipkeys=True))
        except ValueError as error:
            self._give_up(f"hyperparameters cannot be written ({error})")
            return
        self.submit(lambda run: run.config.update(values, allow_val_change=True))

    def __reduce__(self) -> tuple[Any, ...]:
        return SafeWandbLogger, (self._request,)

    def _drained(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        try:
            self._tasks.put(None, timeout=seconds)
        except queue.Full:
            return False
        return self._finished.wait(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        try:
            self._run = start_run(self._request)
        except BaseException as error:
            self._give_up(first_line(error))
        self._started.set()
        while (task := self._tasks.get()) is not None:
            if self._failure is None and self._run is not None:
                self._guard(task, self._run)
        if self._run is not None:
            self._ended_well = self._guard(lambda run: run.finish(exit_code=self._exit_code), self._run)
        self._finished.set()

    def _guard(self, task: Task, run: wandb.Run) -> bool:
        try:
            task(run)
        except BaseException as error:
            self._give_up(first_line(error))
            return False
        return True

    def _give_up(self, reason: str, *, stalled: bool = False) -> None:
        with self._lock:
            first = self._failure is None
            self._failure = self._failure or reason
            self._stalled = self._stalled or stalled
        if not first:
            return
        kept = f" What was logged lies in {self.folder}; upload it with: wandb sync {self.folder}" if self._run else ""
        logger.warning("W&B logging is off for this run: %s. The training goes on without it.%s", reason, kept)


class _QueuedRun:
    """Stands in for wandb's run where code asks a logger for its `experiment`."""

    def __init__(self, owner: SafeWandbLogger) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self._owner._run, name, None)
        if value is not None and not callable(value):
            return value
        return lambda *args, **kwargs: self._owner.submit(lambda run: getattr(run, name)(*args, **kwargs))
