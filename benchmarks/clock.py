"""A Lightning callback that marks each step and evaluation of a `train.py` run, brought in by its command line.

python train.py +callbacks.clock._target_=benchmarks.clock.StepClock +callbacks.clock.path=marks.json
"""

from __future__ import annotations

import os
from typing import Any

import lightning as L

from benchmarks.marks import WARMUP_STEPS, Marks, count_positions
from openmed.metrics.names import DEV_F1


class StepClock(L.Callback):
    """Writes `benchmarks.marks` to a file.

    Args:
        path: of the JSON.
        stop_after_pieces: leave the process once so many text pieces were trained on after the warm-up: what follows
            a training (evaluation, model, reports) is not what is being measured. None: mark the whole run.
        stop_after_steps: the same, in steps from the start.
    """

    def __init__(self, path: str, stop_after_pieces: int | None = None, stop_after_steps: int | None = None) -> None:
        self._marks = Marks(path)
        self._stop_after_pieces = stop_after_pieces
        self._stop_after_steps = stop_after_steps
        self._pieces_warm = 0
        self._pad = -1
        self._special: tuple[int, ...] = ()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        tokenizer = trainer.datamodule.tokenizer  # pyright: ignore[reportAttributeAccessIssue]
        self._pad = tokenizer.pad_token_id
        self._special = (tokenizer.cls_token_id, tokenizer.sep_token_id)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        batch_positions = count_positions(batch.input_ids, pad=self._pad, special=self._special)
        num_steps = self._marks.step(batch_positions, loss=float(loss.detach()))
        if num_steps == WARMUP_STEPS:
            self._pieces_warm = self._marks.total.pieces
        if self._is_enough(num_steps):
            self._marks.write()
            os._exit(0)

    def _is_enough(self, num_steps: int) -> bool:
        if self._stop_after_steps is not None and num_steps >= self._stop_after_steps:
            return True
        trained = self._marks.total.pieces - self._pieces_warm
        return self._stop_after_pieces is not None and num_steps > WARMUP_STEPS and trained >= self._stop_after_pieces

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking and DEV_F1 in trainer.callback_metrics:
            self._marks.evaluation(epoch=trainer.current_epoch + 1, f1=float(trainer.callback_metrics[DEV_F1]))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._marks.write()
