"""From the composed configuration to live objects. The one place that calls `hydra.utils.instantiate`.

datamodule = build_datamodule(config)
module = build_module(config, datamodule, precision="bf16-mixed")
trainer, throughput = build_trainer(config, folder, logger, datamodule, precision="bf16-mixed", dev_line=f1_line)
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
from pathlib import Path
from typing import Any

import lightning as L
import torch
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig, OmegaConf

from openmed.corpora.spec import ALL_VIEWS
from openmed.data import NerDataModule, TextDataModule
from openmed.errors import ConfigError
from openmed.modules import DaptModule, NerModule
from openmed.networks.precision import best_precision
from openmed.run_folder import HISTORY
from openmed.tracking import make_wandb_logger, run_name
from openmed.training.callbacks import DevLine, EpochLines, Throughput
from openmed.training.history import History
from openmed.training.result import task_of
from openmed.training.stopping import ExactResume, GracefulStop

LAST = "last.ckpt"
HIGH_FOR_ALL_WEIGHTS = 1e-3
log = logging.getLogger(__name__)
CALLBACK = "OPENMED_CALLBACK"
"""Environment variable: a further callback, as JSON with `_target_`, that is no setting. A search hears by it."""
PRECISIONS = ("auto", "bf16-mixed", "32-true")


def plain(config: Any) -> Any:
    """Configuration as dicts and lists, interpolations resolved."""
    return OmegaConf.to_container(config, resolve=True) if OmegaConf.is_config(config) else config


def resolve_precision(config: DictConfig) -> str:
    """The Lightning precision: "auto" is bf16-mixed where the hardware computes in bfloat16.

    Raises:
        ConfigError: another precision, such as fp16, in which DeBERTa-v3 overflows.
    """
    wanted = str(config.trainer.precision)
    if wanted not in PRECISIONS:
        raise ConfigError(f"trainer.precision={wanted} is not supported", mend=f"choose one of {', '.join(PRECISIONS)}")
    if wanted != "auto":
        return wanted
    on_gpu = config.trainer.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return best_precision("cuda" if on_gpu else "cpu")


def build_datamodule(config: DictConfig) -> NerDataModule:
    """The corpus's DataModule: its YAML's fields, with window, batch, seed and the backbone's tokenizer.

    Raises:
        ConfigError: the dataset is no corpus but text to pre-train on.
    """
    _check_kind(config, NerDataModule, mend="module=dapt pre-trains on it")
    return instantiate(
        config.dataset,
        **_batches(config),
        overlap=config.window.overlap,
        max_sentences=config.window.max_sentences,
        views=config.get("views", ALL_VIEWS),  # runs of an earlier version have none
        _convert_="all",
    )


def build_text_datamodule(config: DictConfig) -> TextDataModule:
    """The packed text's DataModule.

    Raises:
        ConfigError: the dataset is a corpus for taggers.
    """
    _check_kind(config, TextDataModule, mend="for module=dapt choose packed text, such as dataset=dapt_mix")
    return instantiate(config.dataset, **_batches(config), mask=plain(config.mask), _convert_="all")


def _batches(config: DictConfig) -> dict[str, Any]:
    return {
        "backbone": plain(config.backbone),
        "max_pieces": config.window.max_pieces,
        "max_tokens": config.batch.max_tokens,
        "eval_max_tokens": config.batch.eval_max_tokens,
        "seed": config.seed,
    }


def _check_kind(config: DictConfig, wanted: type, *, mend: str) -> None:
    if str(config.dataset._target_).rpartition(".")[2] != wanted.__name__:
        raise ConfigError(f"dataset={config.dataset.name} is not for this module", mend=mend)


def build_dapt_module(config: DictConfig, *, precision: str) -> DaptModule:
    """The masked language model and how it learns."""
    _warn_of_high_rate(config)
    return instantiate(
        config.module,
        backbone=plain(config.backbone),
        lora=plain(config.lora),
        optim=plain(config.optim),
        max_pieces=config.window.max_pieces,
        frozen_dtype="bfloat16" if precision == "bf16-mixed" else "float32",
        _convert_="all",
    )


def _warn_of_high_rate(config: DictConfig) -> None:
    if config.lora.rank is None and config.optim.lr > HIGH_FOR_ALL_WEIGHTS:
        log.warning(
            "lora=none trains all weights with lr %g, a rate for adapters; optim=full has one for all weights",
            config.optim.lr,
        )


def build_module(config: DictConfig, datamodule: NerDataModule, *, precision: str) -> NerModule:
    """The network and how it learns. Frozen weights are kept in the precision that they are used in."""
    _warn_of_high_rate(config)
    return instantiate(
        config.module,
        backbone=plain(config.backbone),
        lora=plain(config.lora),
        optim=plain(config.optim),
        info=datamodule.info.as_dict(),
        unit=datamodule.spec.unit,
        frozen_dtype="bfloat16" if precision == "bf16-mixed" else "float32",
        _convert_="all",
    )


def num_epochs(config: DictConfig, datamodule: NerDataModule | TextDataModule, *, num_processes: int = 1) -> int:
    """`trainer.max_epochs` where given, else `length`: so many epochs, and more on a corpus that is small.

    With `trainer.max_steps` alone, so many that they cannot end the training before: each has a step at least.

    Args:
        num_processes: they share the batches, so that an epoch has fewer optimiser steps.
    """
    if config.trainer.max_epochs is not None:
        return config.trainer.max_epochs
    if config.trainer.max_steps > 0:
        return config.trainer.max_steps
    batches = math.ceil(len(datamodule.train_dataloader()) / num_processes)
    steps = max(1, math.ceil(batches / config.trainer.accumulate_grad_batches))
    return max(config.length.epochs, math.ceil(config.length.min_steps / steps))


def build_logger(config: DictConfig, folder: Path, *, group: str | None, run_id: str | None) -> Logger | None:
    """The run's logger: W&B (offline without a key), CSV, or none.

    Raises:
        ConfigError: another kind.
    """
    kind = config.logger.kind
    if kind == "none":
        return None
    if kind == "csv":
        from lightning.pytorch.loggers import CSVLogger

        return CSVLogger(save_dir=str(folder), name="", version="metrics")
    if kind != "wandb":
        raise ConfigError(f"unknown logger.kind {kind!r}", mend="logger=wandb, logger=csv or logger=none")
    return make_wandb_logger(
        project=config.logger.project,
        name=run_name(
            dataset=config.dataset.name,
            backbone=config.backbone.name,
            lora=config.lora.rank,
            lr=config.optim.lr,
            seed=config.seed,
        ),
        group=config.logger.group or group,
        tags=[task_of(config), config.dataset.name, config.backbone.name, *config.tags],
        job_type=task_of(config),
        save_dir=folder,
        config=plain(config),
        mode=config.logger.mode,
        entity=config.logger.entity,
        run_id=run_id,
        resume="allow" if run_id else None,
    )


def build_trainer(
    config: DictConfig,
    folder: Path,
    logger: Logger | None,
    datamodule: NerDataModule | TextDataModule,
    *,
    precision: str,
    dev_line: DevLine,
) -> tuple[L.Trainer, Throughput]:
    """The Lightning Trainer with our callbacks before those of `conf/callbacks`.

    Args:
        datamodule: set up; its batches are counted for the number of epochs.
        dev_line: what a line of progress says of dev, made of the logged metrics.

    Raises:
        ConfigError: settings that leave nothing to evaluate.
    """
    if config.trainer.get("limit_val_batches") == 0:
        mend = "give a number of batches, or a share of dev such as 0.1"
        raise ConfigError(
            "trainer.limit_val_batches=0 leaves nothing to score, and scores choose what is kept", mend=mend
        )
    throughput = Throughput()
    # Throughput counts a step before GracefulStop may save and leave.
    history = History(folder / HISTORY, throughput)
    callbacks: list[L.Callback] = [ExactResume(), throughput, history, GracefulStop(folder / "checkpoints" / LAST)]
    fast = bool(config.trainer.get("fast_dev_run"))
    for entry in plain(config.callbacks).values():
        if entry and not fast:
            callbacks.append(instantiate(entry, _convert_="all"))
    if os.environ.get(CALLBACK):
        callbacks.append(instantiate(json.loads(os.environ[CALLBACK])))
    progress = bool(config.trainer.enable_progress_bar) and sys.stdout.isatty()
    if progress:
        from lightning.pytorch.callbacks import RichProgressBar

        callbacks.append(RichProgressBar(leave=True))
    else:
        callbacks.append(EpochLines(dev_line))
    trainer = instantiate(
        config.trainer,
        precision=precision,
        max_epochs=1,  # until it is known how many processes share the batches
        logger=logger if logger is not None else False,
        callbacks=callbacks,
        enable_progress_bar=progress,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        use_distributed_sampler=False,
        default_root_dir=str(folder),
        _convert_="all",
    )
    trainer.fit_loop.max_epochs = num_epochs(config, datamodule, num_processes=trainer.world_size)
    return trainer, throughput


def set_threads(config: DictConfig) -> None:
    """CPU threads of torch: `threads`, else OMP_NUM_THREADS, else what torch takes."""
    if config.threads is not None:
        if config.threads < 1:
            raise ConfigError(f"threads={config.threads} must be at least 1")
        torch.set_num_threads(config.threads)
        os.environ["OMP_NUM_THREADS"] = str(config.threads)
