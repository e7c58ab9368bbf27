"""Leaving a run and going on with it: exact resume, the graceful stop, and the two ways in which training is left.

callbacks = [ExactResume(), GracefulStop(folder / "checkpoints" / "last.ckpt")]
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import numpy as np
import torch

SAME_REQUEST_SECONDS = 1.0
"""Signals that follow each other within this are one request to stop."""


class Interrupted(BaseException):
    """A signal asked the run to stop; it is checkpointed. Not an Exception, so that nothing swallows it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class Pruned(Exception):
    """A search has given this run up.

    Args:
        f1: the best on dev so far.
        epochs: how many were trained; 0.5 after a half.
        train: `train` of result.json.
    """

    def __init__(self, f1: float, epochs: float, train: dict[str, Any]) -> None:
        super().__init__(f"the search stopped it after {epochs:.4g} epochs")
        self.f1 = f1
        self.train = train


class ExactResume(L.Callback):
    """Keep the random state of Python, NumPy and torch in each checkpoint, and restore it before the next step.

    With the data's own place (`NerDataModule.state_dict`) a run killed and resumed equals one left alone.
    """

    def __init__(self) -> None:
        self._state: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002 (the global state is what has to be kept)
        return {
            "python": random.getstate(),
            "numpy": (name, torch.from_numpy(np.asarray(keys).copy()), position, has_gauss, gauss),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._state = state_dict

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Everything that draws numbers before the first step (building the network, say) is behind us here."""
        if self._state is None:
            return
        version, internal, gauss = self._state["python"]
        random.setstate((version, tuple(internal), gauss))
        name, keys, *rest = self._state["numpy"]
        np.random.set_state((name, keys.numpy(), *rest))  # noqa: NPY002
        torch.set_rng_state(self._state["torch"])
        if self._state["cuda"]:
            torch.cuda.set_rng_state_all(self._state["cuda"])
        self._state = None


class GracefulStop(L.Callback):
    """On SIGTERM (preemption) or Ctrl-C: finish the step, save, leave. One more leaves at once.

    What comes within a second is the same request: a scheduler signals each process of a job, and a parent such as
    `openmed reproduce` hands its own on. Where a validation is due after that step, it comes first.

    Args:
        path: the checkpoint to write, from which `resume=` goes on.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._received: int | None = None
        self._received_at = 0.0
        self._is_validated_first = False
        self._before: dict[int, Any] = {}

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Lightning has not put its own handlers in place yet: they swallow signals, and keep the trainer alive."""
        self._before = {number: signal.getsignal(number) for number in self.SIGNALS}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for number in self.SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del frame
        now = time.monotonic()
        if self._received is not None:
            if now - self._received_at < SAME_REQUEST_SECONDS:
                return
            raise KeyboardInterrupt
        self._received, self._received_at = number, now
        print("\nstopping after this step and saving (again to leave at once) ...", flush=True)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._received is None or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return  # gradients that wait for the optimiser's step are in no checkpoint
        loop = trainer.fit_loop
        if loop.epoch_loop._should_check_val_fx(loop._data_fetcher):  # pyright: ignore[reportArgumentType]
            self._is_validated_first = True  # Lightning would never make up for it
            return
        self._save_and_leave(trainer)

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Behind a validation. The checkpoint is to say what one that Lightning writes at its end would say."""
        if not self._is_validated_first:
            return
        loop = trainer.fit_loop.epoch_loop
        loop._batches_that_stepped -= 1
        for progress in (loop.batch_progress.current, loop.batch_progress.total):
            progress.ready -= 1
        self._save_and_leave(trainer)

    def _save_and_leave(self, trainer: L.Trainer) -> None:
        assert self._received is not None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".stopping")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            os.replace(temporary, self._path)
        raise Interrupted(self._received)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """After an epoch's last step validation comes first, and with it the epoch's own checkpoint."""
        if self._received is not None and self._path.is_file():
            raise Interrupted(self._received)

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.on_train_epoch_start(trainer, pl_module)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
