"""The callback that tells the study dev F1 at each evaluation, and stops a trial that the pruner gives up.

It is made in the job's own process, of what `environment` has put into a variable: no part of the job's configuration.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import lightning as L

from openmed.metrics.names import DEV_F1
from openmed.search.state import Sweep
from openmed.search.study import open_study, report, settle_evaluations, step_of
from openmed.training.build import CALLBACK
from openmed.training.callbacks import Throughput, epochs_done
from openmed.training.context import train_facts
from openmed.training.stopping import Pruned

ROUNDING = 1e-6


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
        self._sweep = kept
        self._per_epoch: int = kept.search["evaluations_per_epoch"]
        self._number = number
        self._best = 0.0

    def state_dict(self) -> dict[str, float]:
        return {"best": self._best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self._best = state_dict["best"]

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Only now, its corpus read, is it known how many epochs a trial has (`length.min_steps`)."""
        if trainer.is_global_zero:
            settle_evaluations(self._sweep, step_of(last_evaluation(trainer), self._per_epoch))
            self._study = open_study(self._sweep)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != "fit":
            return
        f1 = float(trainer.callback_metrics[DEV_F1])
        self._best = max(self._best, f1)
        epochs = epochs_done(trainer)
        step = step_of(epochs, self._per_epoch)
        stop = report(self._study, self._number, step, f1) if trainer.is_global_zero else False
        # At its end a trial is left to finish: stopping would save nothing, and lose its model.
        is_last = trainer.should_stop or epochs >= last_evaluation(trainer) - ROUNDING
        if trainer.strategy.broadcast(stop) and not is_last:
            counted = next(callback for callback in trainer.callbacks if isinstance(callback, Throughput))  # pyright: ignore[reportAttributeAccessIssue]
            # Whole epochs in `train`, as for any run that ends in the middle of one; its `steps` tell the rest.
            raise Pruned(self._best, epochs, {**train_facts(trainer, counted), "epochs": int(epochs)})


def last_evaluation(trainer: L.Trainer) -> float:
    """How many epochs are trained at the last evaluation of a whole training; 0 where there is none.

    With `trainer.max_steps` it may lie before the end, and so it does where an epoch's steps do not divide evenly.
    """
    assert trainer.max_epochs is not None
    batches = int(trainer.num_training_batches)
    between = int(min(trainer.val_check_batch or batches, batches))
    whole, rest = trainer.max_epochs, 0
    if trainer.max_steps > 0:
        per_epoch = math.ceil(batches / trainer.accumulate_grad_batches)
        cut, left = divmod(trainer.max_steps, per_epoch)
        if cut < whole:
            whole, rest = cut, left * trainer.accumulate_grad_batches // between
    if rest:
        return whole + rest * between / batches
    return whole - 1 + batches // between * between / batches if whole else 0.0
