"""What a task is given to do one run with, and what both tasks do alike: fit, take the best checkpoint, count.

context = RunContext(config, folder, logger, result, resumed=False, meter=meter)
fit(context, trainer, module, datamodule)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from openmed.modules import TrainedModule
from openmed.training.build import LAST
from openmed.training.callbacks import Throughput
from openmed.training.energy import EnergyMeter


@dataclass(frozen=True)
class RunContext:
    """One sitting of a run.

    Attributes:
        folder: the run's, absolute.
        result: what becomes result.json; the task fills it.
        resumed: go on from the last checkpoint, if there is one.
        meter: of this sitting's energy.
    """

    config: DictConfig
    folder: Path
    logger: Logger | None
    result: dict[str, Any]
    resumed: bool
    meter: EnergyMeter


def fit(context: RunContext, trainer: L.Trainer, module: TrainedModule, datamodule: L.LightningDataModule) -> None:
    """Train, from the last checkpoint where the run is resumed."""
    last = context.folder / "checkpoints" / LAST
    path = str(last) if context.resumed and last.is_file() else None
    trainer.fit(module, datamodule, ckpt_path=path, weights_only=False)


def load_best(trainer: L.Trainer, module: TrainedModule) -> int:
    """Bring the best checkpoint's trained tensors into the module, all of them; without one it stays as it is.

    Returns:
        the optimiser step that its tensors are of now.
    """
    path = getattr(trainer.checkpoint_callback, "best_model_path", "")
    if not path:
        return trainer.global_step
    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"], strict=False)
    return checkpoint["global_step"]


def train_facts(trainer: L.Trainer, throughput: Throughput) -> dict[str, Any]:
    """`train` of result.json."""
    return {
        "seconds": throughput.seconds,
        "steps": trainer.global_step,
        "epochs": trainer.current_epoch,
        "tokens": throughput.tokens,
        "tokens_per_second": throughput.tokens_per_second,
        "padding_fraction": throughput.padding_fraction,
    }
