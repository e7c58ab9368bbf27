"""Callbacks that watch a training: throughput, and plain lines where a progress bar makes no sense.

callbacks = [Throughput(), EpochLines(f1_line)]
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import lightning as L

from openmed.encoding import Batch
from openmed.metrics.names import DEV_F1, TRAIN_LOSS, TRAIN_MFU, TRAIN_TOKENS, TRAIN_TOKENS_PER_SECOND, score_name

Metrics = Mapping[str, Any]
DevLine = Callable[[Metrics], str]


class Throughput(L.Callback):
    """Count real (non-padding) pieces, padded positions and seconds of training; evaluation time apart.

    The seconds are those of the clock on the wall, with loading, logging and whatever else stands between two steps.

    Attributes:
        tokens, positions, seconds: so far, over all of the run's sittings.
        flops_per_token, peak_flops: of training and of the device, where known: then `mfu` is logged, too.
    """

    def __init__(self) -> None:
        self.flops_per_token: float | None = None
        self.peak_flops: float | None = None
        self.tokens = self.positions = 0
        self.seconds = 0.0
        self._since = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "positions": self.positions, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run that goes on in the middle of an epoch starts no epoch."""
        self._since = time.perf_counter()

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
        self._before = 0.0

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run that goes on has done a share before: what is left goes by what this sitting does."""
        self._before = _share_done(trainer)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        metrics = trainer.callback_metrics
        seconds = time.perf_counter() - self._began
        loss = last_loss(metrics)
        shown_loss = f"loss {float(loss):.4f}, " if loss is not None else ""
        share = _share_done(trainer)
        mine = share - self._before
        left = f", {seconds / mine * max(0.0, 1 - share):.0f} s left" if mine > 0 else ""
        epoch = f"epoch {epochs_done(trainer):.4g}/{_epochs_planned(trainer):.4g}"
        print(f"{epoch}: {shown_loss}{self._dev_line(metrics)}, {seconds:.0f} s{left}", flush=True)


def epochs_done(trainer: L.Trainer) -> float:
    """At an evaluation: 2.25 after a quarter of the third epoch."""
    batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
    return trainer.current_epoch + batches / trainer.num_training_batches


def planned_length(trainer: L.Trainer) -> str:
    """`10 epochs`, `3,000 steps`, or `10 epochs, 3,000 steps at most`."""
    assert trainer.max_epochs is not None
    steps = f"{trainer.max_steps:,} steps"
    if 0 < trainer.max_steps <= trainer.max_epochs:  # each epoch has a step at least
        return steps
    return f"{trainer.max_epochs:,} epochs" + (f", {steps} at most" if trainer.max_steps > 0 else "")


def _epochs_planned(trainer: L.Trainer) -> float:
    """Of the whole training; no whole number where its steps end first."""
    epochs = trainer.max_epochs or 0
    if trainer.max_steps <= 0:
        return epochs
    whole, rest = divmod(trainer.max_steps, math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches))
    return min(epochs, whole + rest * trainer.accumulate_grad_batches / trainer.num_training_batches)


def _share_done(trainer: L.Trainer) -> float:
    """Of the training, 0..1: of its epochs or of its steps, whichever ends first."""
    epochs = trainer.max_epochs or 0
    of_epochs = epochs_done(trainer) / epochs if epochs > 0 else 0.0
    of_steps = trainer.global_step / trainer.max_steps if trainer.max_steps > 0 else 0.0
    return max(of_epochs, of_steps)


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
