"""The trials of a search, trained to their end, replayed under a pruner that would have stopped some of them.

sweep, curves = read_curves(folder)
replay(sweep, curves, "hyperband").share     # of all epochs

The trials take their turns, and the study and the pruner are those that the search itself would have: told dev F1 at
each recorded evaluation, until a trial is given up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from openmed.errors import RunError
from openmed.metrics.names import DEV_F1
from openmed.readers.lines import numbered_lines
from openmed.run_folder import HISTORY
from openmed.search.settings import PRUNERS, TPE
from openmed.search.state import Sweep
from openmed.search.study import report, step_of, study_in

LOW, HIGH = 0.05, 0.95
"""The range of the shuffled orders that is shown."""


@dataclass(frozen=True)
class Curve:
    """A trial that was trained to its end.

    Attributes:
        epochs: trained at each evaluation, such as 0.5, 1.0, 1.5.
        f1: on dev, as often.
    """

    trial: int
    epochs: tuple[float, ...]
    f1: tuple[float, ...]


@dataclass(frozen=True)
class Replay:
    """A pruner over all trials, in one order.

    Attributes:
        epochs, share: trained, of all trials together; in epochs, and of what was recorded.
        num_stopped: trials.
        f1: the best on dev of the trials trained to their end.
        points: of F1 that this is less than the best of all trials.
        rank: of that best trial among all.
        stops: trial -> epochs after which it was stopped.
    """

    epochs: float
    share: float
    num_stopped: int
    f1: float
    points: float
    rank: int
    stops: Mapping[int, float]


def read_curves(folder: Path) -> tuple[Sweep, list[Curve]]:
    """The sweep and the curves of its finished trials, in their order.

    Raises:
        RunError: no TPE search, one that was pruned or is not finished, fewer than two trials, a trial without curve.
    """
    sweep = Sweep.read(folder)
    kind, pruner, trials = (sweep.search[name] for name in ("kind", "pruner", "trials"))
    if kind != TPE:
        raise RunError(f"{folder} is a {kind}, which stops no trials", mend="give the folder of a search=tpe")
    if pruner != "none":
        mend = "search.pruner=none records them whole"
        raise RunError(f"{folder} ran with search.pruner={pruner}: its curves are cut off", mend=mend)
    finished = [job for job in sweep.jobs if sweep.look(job).status == "finished"]
    if len(finished) < trials:
        mend = f"python train.py -m search.resume={folder}"
        raise RunError(f"{len(finished)} of the {trials} trials of {folder} are finished", mend=mend)
    if trials < 2:
        raise RunError(f"{folder} has a single trial, which has no other to be worse than", mend="search more")
    return sweep, [_curve(job.number, sweep.place(job) / HISTORY) for job in finished]


def _curve(trial: int, path: Path) -> Curve:
    if not path.is_file():
        raise RunError(f"trial {trial} has no {path}", mend="search again; each run keeps one")
    try:
        entries = [json.loads(line) for _, line in numbered_lines(path)]
        epochs, f1 = (tuple(float(entry[name]) for entry in entries) for name in ("epoch", DEV_F1))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{path} holds no curve of dev F1 ({error!r})", mend="search again") from error
    if not f1:
        raise RunError(f"{path} is empty", mend="search again")
    return Curve(trial, epochs, f1)


def replay(sweep: Sweep, curves: Sequence[Curve], pruner: str) -> Replay:
    """Let a pruner of `search.pruner` judge the trials in this order."""
    search = {**sweep.search, "pruner": pruner}
    study = study_in(optuna.storages.InMemoryStorage(), search, sweep.task_arguments)
    ends = [_end(study, curve, search["evaluations_per_epoch"]) for curve in curves]
    bests = [max(curve.f1) for curve in curves]
    best = max(f1 for f1, (_, stopped) in zip(bests, ends, strict=True) if not stopped)
    epochs = sum(trained for trained, _ in ends)
    return Replay(
        epochs=epochs,
        share=epochs / sum(curve.epochs[-1] for curve in curves),
        num_stopped=sum(stopped for _, stopped in ends),
        f1=best,
        points=100 * (max(bests) - best),
        rank=1 + sum(f1 > best for f1 in bests),
        stops={curve.trial: trained for curve, (trained, stopped) in zip(curves, ends, strict=True) if stopped},
    )


def _end(study: optuna.Study, curve: Curve, per_epoch: int) -> tuple[float, bool]:
    """(epochs trained, whether it was stopped) of the study's next trial."""
    number = study.ask().number
    for epochs, f1 in zip(curve.epochs, curve.f1, strict=True):
        stop = report(study, number, step_of(epochs, per_epoch), f1)
        if stop and epochs != curve.epochs[-1]:
            study.tell(number, state=TrialState.PRUNED)
            return epochs, True
    study.tell(number, max(curve.f1))
    return curve.epochs[-1], False


def replay_shuffled(sweep: Sweep, curves: Sequence[Curve], *, orders: int, seed: int) -> dict[str, list[Replay]]:
    """Each pruner over the same shuffled orders of the trials; other places, other brackets of Hyperband."""
    chance = np.random.default_rng(seed)
    drawn = [chance.permutation(len(curves)) for _ in range(orders)]
    return {
        pruner: [replay(sweep, [curves[place] for place in order], pruner) for order in drawn]
        for pruner in PRUNERS
        if pruner != "none"
    }


def summary(replays: Sequence[Replay]) -> dict[str, Any]:
    """Mean, low and high of the share trained and of the points lost; in what share of the orders none was lost."""
    found: dict[str, Any] = {}
    for name in ("share", "points", "num_stopped"):
        values = [getattr(replayed, name) for replayed in replays]
        low, high = np.quantile(values, (LOW, HIGH))
        found[name] = {"mean": float(np.mean(values)), "low": float(low), "high": float(high)}
    return {"orders": len(replays), **found, "best_kept": float(np.mean([a.rank == 1 for a in replays]))}
