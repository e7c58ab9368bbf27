"""Callbacks of a run, one concern each: exact resume, graceful stop, throughput, plain progress lines.

callbacks = [ExactResume(), GracefulStop(folder / "checkpoints" / "last.ckpt"), Throughput()]
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import numpy as np
import torch

from openmed.encoding import Batch
from openmed.metrics.names import DEV_F1, TRAIN_LOSS, TRAIN_MFU, TRAIN_TOKENS, TRAIN_TOKENS_PER_SECOND, score_name

Metrics = Mapping[str, Any]
DevLine = Callable[[Metrics], str]


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
    """On SIGTERM (preemption) or Ctrl-C: finish the step, save, leave. A second signal leaves at once.

    Where a validation is due after that step, it comes first.

    Args:
        path: the checkpoint to write, from which `resume=` goes on.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, path: Path) -> None:
        self._path = path
        self._received: int | None = None
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
        if self._received is not None:
            raise KeyboardInterrupt
        self._received = number
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


class Throughput(L.Callback):
    """Count real (non-padding) pieces, padded positions and seconds of training; evaluation time apart.

    The seconds are those of the clock on the wall, with loading, logging and whatever else stands between two steps.

    Attributes:
        tokens, positions, steps, seconds: so far, over all of the run's sittings.
        flops_per_token, peak_flops: of training and of the device, where known: then `mfu` is logged, too.
    """

    def __init__(self) -> None:
        self.flops_per_token: float | None = None
        self.peak_flops: float | None = None
        self.tokens = self.positions = self.steps = 0
        self.seconds = 0.0
        self._since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "positions": self.positions, "steps": self.steps, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._since = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """An evaluation in the middle of an epoch does not count."""
        self._since = time.perf_counter()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        self.tokens += batch.num_tokens
        self.positions += batch.input_ids.numel()
        self.steps += 1
        if trainer.global_step % trainer.log_every_n_steps == 0:  # pyright: ignore[reportAttributeAccessIssue]
            logged = {TRAIN_TOKENS: float(self.tokens), TRAIN_TOKENS_PER_SECOND: self.tokens_per_second}
            if self.mfu is not None:
                logged[TRAIN_MFU] = self.mfu
            pl_module.log_dict(logged, batch_size=1)

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def mfu(self) -> float | None:
        """Model FLOP utilisation, 0..1; None where the device's peak is not known."""
        if self.flops_per_token is None or not self.peak_flops:
            return None
        return self.tokens_per_second * self.flops_per_token / self.peak_flops

    @property
    def padding_fraction(self) -> float:
        return 1 - self.tokens / self.positions if self.positions else 0.0


class EpochLines(L.Callback):
    """One line each time that dev was scored, for logs and other places where a progress bar makes no sense.

    Args:
        dev_line: of the logged metrics, what the line says of dev.
    """

    def __init__(self, dev_line: DevLine) -> None:
        self._dev_line = dev_line
        self._began = time.perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        metrics = trainer.callback_metrics
        seconds = time.perf_counter() - self._began
        done, wanted = epochs_done(trainer), trainer.max_epochs
        loss = last_loss(metrics)
        shown_loss = f"loss {float(loss):.4f}, " if loss is not None else ""
        left = f", {seconds / done * (wanted - done):.0f} s left" if wanted and done else ""
        print(f"epoch {done:.4g}/{wanted}: {shown_loss}{self._dev_line(metrics)}, {seconds:.0f} s{left}", flush=True)


def epochs_done(trainer: L.Trainer) -> float:
    """At an evaluation: 2.25 after a quarter of the third epoch."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    return trainer.current_epoch + batches / trainer.num_training_batches


def last_loss(metrics: Metrics) -> Any:
    """Of the last step of training, where one was logged."""
    return metrics.get(f"{TRAIN_LOSS}_step", metrics.get(TRAIN_LOSS))


def f1_line(metrics: Metrics) -> str:
    """`dev F1 0.8227 (sentences 0.8227, documents 0.8159)`."""
    views = ", ".join(
        f"{view} {float(metrics[score_name('dev', 'f1', view)]):.4f}"
        for view in ("sentences", "documents")
        if score_name("dev", "f1", view) in metrics
    )
    return f"dev F1 {float(metrics[DEV_F1]):.4f} ({views})"


def perplexity_line(metrics: Metrics) -> str:
    """`held-out perplexity 12.34, accuracy 0.5012`."""
    perplexity, accuracy = (float(metrics[score_name("dev", name)]) for name in ("perplexity", "accuracy"))
    return f"held-out perplexity {perplexity:.2f}, accuracy {accuracy:.4f}"
