"""One run, whatever its task: it claims its folder, and leaves a result.json there however it ends.

train(config, Path("outputs/2026-01-01/12-00-00"))      # -> its dev score; everything else is in the folder
"""

from __future__ import annotations

import logging
import secrets
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf

from openmed.errors import RunError
from openmed.run_folder import CONFIG
from openmed.tracking import finish, log_summary
from openmed.training.build import build_logger, set_threads
from openmed.training.context import RunContext
from openmed.training.energy import EnergyMeter, check_country, gpus_of
from openmed.training.friendly import explain
from openmed.training.ner import train_tagger
from openmed.training.outputs import shown
from openmed.training.pretrain import pretrain
from openmed.training.result import read_result, start_result, write_result
from openmed.training.stopping import Interrupted, Pruned
from openmed.writers import atomic_path

log = logging.getLogger(__name__)
TASKS: Mapping[str, Callable[[RunContext], float]] = {"ner": train_tagger, "dapt": pretrain}
"""What `module` of the configuration stands for."""


def train(config: DictConfig, folder: Path, *, group: str | None = None, resumed: bool = False) -> float | None:
    """Train and score one tagger or encoder in `folder`.

    Args:
        config: the composed configuration.
        folder: the run folder. A new run refuses one that holds a run already.
        group: the sweep that this run belongs to.
        resumed: go on with the run that is there.

    Returns:
        for sweepers: dev F1 in the corpus's own unit, or the loss on held-out text.

    Raises:
        OpenMedError: whatever the user can mend.
        SystemExit: after a signal, with the run checkpointed.
    """
    folder = folder.absolute()
    check_country(_country(config))
    # Lightning starts this script anew for each further device; the folder belongs to the first process.
    run_id = _claim(config, folder, resumed=resumed) if on_main_process() else secrets.token_hex(4)
    meter = _start_meter(config, folder, resumed=resumed)
    result = {**start_result(config, run_id=run_id), "energy": meter.so_far}
    logger: Logger | None = None
    failed = True
    try:
        _write_on_main(folder, result)
        logger = build_logger(config, folder, group=group, run_id=run_id)
        _quiet()
        set_threads(config)
        L.seed_everything(config.seed, workers=True, verbose=False)
        score = TASKS[result["module"]](RunContext(config, folder, logger, result, resumed, meter))
        failed = False
        return score
    except Interrupted as stop:
        _write_on_main(folder, {**result, "status": "interrupted", "error": str(stop), "energy": meter.stop()})
        if on_main_process():
            # Of a sweep's job, the sweep says how to go on.
            print("saved" if group else f"saved; go on with: python train.py resume={shown(folder)}", flush=True)
        raise SystemExit(128 + stop.signal_number) from None
    except Pruned as stop:
        failed = False
        facts = {"status": "pruned", "error": str(stop), "dev": {"f1": stop.f1}, "train": stop.train}
        facts["energy"] = meter.stop()
        log_summary(logger, {**result, **facts})
        _write_on_main(folder, {**result, **facts})
        return stop.f1
    except BaseException as error:
        _record_failure(folder, {**result, "energy": meter.stop()}, error)
        raise
    finally:
        meter.stop()
        finish(logger, failed=failed)


def _start_meter(config: DictConfig, folder: Path, *, resumed: bool) -> EnergyMeter:
    """Counts this sitting's energy; on the further devices' processes it stands still, for the first counts all."""
    before = read_result(folder) if resumed else None
    meter = EnergyMeter(folder, country=_country(config), gpus=gpus_of(config.trainer), before=before)
    return meter.start() if on_main_process() else meter


def _country(config: DictConfig) -> str | None:
    return OmegaConf.select(config, "energy.country")  # runs of an earlier version have none


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
