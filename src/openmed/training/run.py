"""One run: fit, take the best checkpoint, score, save the model, tell everyone.

train(config, Path("outputs/2026-01-01/12-00-00"))      # -> dev F1; everything else is in the folder
"""

from __future__ import annotations

import logging
import secrets
import warnings
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from openmed.analysis.report.terminal import print_sections
from openmed.data import NerDataModule
from openmed.errors import RunError
from openmed.modules import NerModule
from openmed.tracking import finish
from openmed.training.build import (
    LAST,
    build_datamodule,
    build_logger,
    build_module,
    build_trainer,
    num_epochs,
    resolve_precision,
    set_threads,
)
from openmed.training.callbacks import Interrupted, Throughput
from openmed.training.clean import add_clean_scores
from openmed.training.evaluate import Evaluation, collect
from openmed.training.first_look import first_look, is_own
from openmed.training.friendly import explain
from openmed.training.outputs import announce, report, shown, write_outputs
from openmed.training.raw import add_raw_views
from openmed.training.result import read_result, start_result, write_result
from openmed.writers import atomic_path

log = logging.getLogger(__name__)
CONFIG = "config.yaml"


def train(config: DictConfig, folder: Path, *, group: str | None = None, resumed: bool = False) -> float | None:
    """Train and score one tagger in `folder`.

    Args:
        config: the composed configuration.
        folder: the run folder. A new run refuses one that holds a run already.
        group: the sweep that this run belongs to.
        resumed: go on with the run that is there.

    Returns:
        dev F1 in the corpus's own unit, for sweepers.

    Raises:
        OpenMedError: whatever the user can mend.
        SystemExit: after a signal, with the run checkpointed.
    """
    folder = folder.absolute()
    # Lightning starts this script anew for each further device; the folder belongs to the first process.
    run_id = _claim(config, folder, resumed=resumed) if on_main_process() else secrets.token_hex(4)
    result = start_result(config, run_id=run_id)
    logger: Logger | None = None
    failed = True
    try:
        _write_on_main(folder, result)
        logger = build_logger(config, folder, group=group, run_id=run_id)
        score = _train(config, folder, logger, result, resumed=resumed)
        failed = False
        return score
    except Interrupted as stop:
        _write_on_main(folder, {**result, "status": "interrupted", "error": str(stop)})
        if on_main_process():
            print(f"saved; go on with: python train.py resume={shown(folder)}", flush=True)
        raise SystemExit(128 + stop.signal_number) from None
    except BaseException as error:
        _record_failure(folder, result, error)
        raise
    finally:
        finish(logger, failed=failed)


def on_main_process() -> bool:
    """Whether this is the first of a run's processes (there is one per device)."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _write_on_main(folder: Path, result: dict[str, Any]) -> None:
    if on_main_process():
        write_result(folder, result)


def _claim(config: DictConfig, folder: Path, *, resumed: bool) -> str:
    """Take the folder for this run and return the run's id.

    Raises:
        RunError: a new run in a folder that holds one; a finished run asked to go on.
    """
    before = read_result(folder)
    if resumed:
        if before is None:
            return secrets.token_hex(4)
        if before["status"] == "finished":
            raise RunError(f"the run in {folder} is finished", mend="nothing is left to resume; start a new run")
        return before["run_id"]
    if before is not None or (folder / CONFIG).exists():
        raise RunError(
            f"{folder} already holds a run", mend=f"python train.py resume={folder}, or choose another hydra.run.dir"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / CONFIG) as temporary:
        OmegaConf.save(config, temporary, resolve=True)
    return secrets.token_hex(4)


def _train(
    config: DictConfig, folder: Path, logger: Logger | None, result: dict[str, Any], *, resumed: bool
) -> float | None:
    _quiet()
    set_threads(config)
    L.seed_everything(config.seed, workers=True, verbose=False)
    precision = resolve_precision(config)
    datamodule = build_datamodule(config)
    datamodule.prepare_data()
    datamodule.setup("fit")
    if config.test:
        datamodule.setup("test")  # what is wrong with it is better told before training than after
    module = build_module(config, datamodule, precision=precision)
    epochs = num_epochs(config, datamodule)
    trainer, throughput = build_trainer(config, folder, logger, precision=precision, epochs=epochs)
    last = folder / "checkpoints" / LAST
    if is_own(datamodule.spec) and trainer.is_global_zero:
        print_sections(first_look(datamodule))
    announce(config, datamodule, module, trainer, epochs, folder)
    trainer.fit(module, datamodule, ckpt_path=str(last) if resumed and last.is_file() else None, weights_only=False)

    result["params"] = module.network.num_parameters()
    result["train"] = _train_facts(trainer, throughput)
    evaluations = _evaluate(config, trainer, module, datamodule)
    result |= {split: evaluation.as_dict() for split, evaluation in evaluations.items()}
    result |= {"data": datamodule.describe(), "status": "finished"}
    if trainer.is_global_zero:
        write_outputs(folder, result, evaluations, module, datamodule)
        add_clean_scores(result, evaluations, datamodule)
        add_raw_views(result, folder / "model", datamodule.spec)
        write_result(folder, result)
        report(config, logger, result, evaluations["dev"], folder)
    trainer.strategy.barrier()
    return result["dev"]["f1"]


def _evaluate(
    config: DictConfig, trainer: L.Trainer, module: NerModule, datamodule: NerDataModule
) -> dict[str, Evaluation]:
    """Score dev (and test, if asked) with the best checkpoint."""
    checkpoint = trainer.checkpoint_callback
    best = getattr(checkpoint, "best_model_path", "") or None
    if best is not None:
        _load_trained(module, best)
    trainer.validate(module, datamodule, verbose=False)
    evaluations = {"dev": collect(module, trainer.val_dataloaders)}  # pyright: ignore[reportArgumentType]
    if config.test:
        trainer.test(module, datamodule, verbose=False)
        evaluations["test"] = collect(module, trainer.test_dataloaders)  # pyright: ignore[reportArgumentType]
    return evaluations


def _load_trained(module: NerModule, path: str) -> None:
    """Bring the trained tensors of a checkpoint into the module, all of them."""
    import torch

    checkpoint = torch.load(path, map_location="cpu", weights_only=False)
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"], strict=False)


def _train_facts(trainer: L.Trainer, throughput: Throughput) -> dict[str, Any]:
    return {
        "seconds": throughput.seconds,
        "steps": throughput.steps,
        "epochs": trainer.current_epoch,
        "tokens": throughput.tokens,
        "tokens_per_second": throughput.tokens_per_second,
        "padding_fraction": throughput.padding_fraction,
    }


def _record_failure(folder: Path, result: dict[str, Any], error: BaseException) -> None:
    """Leave the reason in result.json; on a full disk that may fail too, and must not hide the first error."""
    interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
    status = "interrupted" if interrupted else "failed"
    try:
        reason = explain(error, []) or f"{type(error).__name__}: {error}"
        _write_on_main(folder, {**result, "status": status, "error": reason})
    except OSError as second:
        log.error("result.json could not be written: %s", second)


def _quiet() -> None:
    """Keep what libraries say about themselves out of the way; their warnings about our use stay."""
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings(
        "ignore", message=".*The number of training batches.*is smaller than the logging interval.*"
    )
    # Lightning does not know that the DataModule keeps the place in the epoch (NerDataModule.state_dict).
    warnings.filterwarnings("ignore", message=".*your dataloader is not resumable.*")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message=".*Checkpoint directory .* exists and is not empty.*")
