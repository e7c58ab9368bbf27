"""The callback that tells the study dev F1 after each epoch, and stops a trial that the pruner gives up.

It is made in the job's own process, of what `environment` has put into a variable: no part of the job's configuration.
"""

from __future__ import annotations

import json
from pathlib import Path

import lightning as L

from openmed.metrics.names import DEV_F1
from openmed.search.state import Sweep
from openmed.search.study import open_study
from openmed.training.build import CALLBACK
from openmed.training.callbacks import Pruned, Throughput
from openmed.training.context import train_facts


def environment(sweep: Sweep, number: int) -> dict[str, str]:
    """What a job's process must have in its environment to report to the study."""
    target = f"{PruneTrial.__module__}.{PruneTrial.__qualname__}"
    return {CALLBACK: json.dumps({"_target_": target, "sweep": str(sweep.folder), "number": number})}


class PruneTrial(L.Callback):
    """See the module.

    Args:
        sweep: the sweep's folder.
        number: of the trial.
    """

    def __init__(self, sweep: str, number: int) -> None:
        kept = Sweep.read(Path(sweep))
        self._study = open_study(kept.search, kept.task_arguments, kept.folder)
        self._number = number
        self._best = 0.0

    def state_dict(self) -> dict[str, float]:
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self._best = state_dict["best"]

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        batches = trainer.fit_loop.epoch_loop.batch_progress.current.completed
        if trainer.sanity_checking or trainer.state.fn != "fit" or batches < trainer.num_training_batches:
            return
        f1 = float(trainer.callback_metrics[DEV_F1])
        self._best = max(self._best, f1)
        epoch = trainer.current_epoch + 1
        stop = self._report(epoch, f1) if trainer.is_global_zero else False
        if trainer.strategy.broadcast(stop):
            counted = next(callback for callback in trainer.callbacks if isinstance(callback, Throughput))  # pyright: ignore[reportAttributeAccessIssue]
            raise Pruned(self._best, epoch, {**train_facts(trainer, counted), "epochs": epoch})

    def _report(self, epoch: int, f1: float) -> bool:
        """Tell the study; whether to stop. An epoch done again after a kill was told already."""
        trial = self._study.trials[self._number]
        if epoch not in trial.intermediate_values:
            self._study._storage.set_trial_intermediate_value(trial._trial_id, epoch, f1)
        return self._study.pruner.prune(self._study, self._study.trials[self._number])
