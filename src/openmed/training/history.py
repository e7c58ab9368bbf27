"""The course of a training, in its run folder: a line of `history.jsonl` each time that dev was scored.

callbacks = [throughput, History(folder / HISTORY, throughput)]

    {"epoch": 1.0, "step": 199, "tokens": 178512, "train/loss": 0.62, "dev/f1": 0.71, "dev/loss": 0.41, ...}
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import lightning as L

from openmed.metrics.names import TRAIN_LOSS
from openmed.training.callbacks import Throughput, epochs_done, last_loss
from openmed.writers import atomic_path


class History(L.Callback):
    """Keeps what is logged of dev, with how far training was: epochs, optimiser steps, text pieces.

    Args:
        path: of the file.
        throughput: counts the pieces, over all of the run's sittings.
    """

    def __init__(self, path: Path, throughput: Throughput) -> None:
        self._path = path
        self._throughput = throughput

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or not trainer.is_global_zero or trainer.state.fn != "fit":
            return
        line: dict[str, Any] = {
            "epoch": epochs_done(trainer),
            "step": trainer.global_step,
            "tokens": self._throughput.tokens,
        }
        metrics = trainer.callback_metrics
        if (loss := last_loss(metrics)) is not None:
            line[TRAIN_LOSS] = _number(loss)
        line |= {name: _number(value) for name, value in sorted(metrics.items()) if name.startswith("dev/")}
        # A run that was killed may have been scored after the checkpoint that it goes on from.
        lines = [earlier for earlier in self._lines() if json.loads(earlier)["step"] < line["step"]]
        with atomic_path(self._path) as temporary:
            temporary.write_text("\n".join([*lines, json.dumps(line)]) + "\n", encoding="utf-8")

    def _lines(self) -> list[str]:
        return self._path.read_text(encoding="utf-8").splitlines() if self._path.is_file() else []


def _number(value: Any) -> float | None:
    """JSON knows neither NaN nor infinity."""
    number = float(value)
    return number if math.isfinite(number) else None
