"""The Optuna study of a search: in SQLite, its chance a function of (seed, trial number), its pruner by name.

study = open_study(sweep)
trial = study.ask(distributions(axes))
stop = report(study, trial.number, step_of(epochs=1.5, per_epoch=2), f1=0.7)
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from openmed.errors import ConfigError
from openmed.search.space import Axis
from openmed.search.state import Sweep

try:
    import optuna
    from optuna.samplers import BaseSampler
    from sqlalchemy.exc import SQLAlchemyError
except ImportError as error:  # an extra: grids do without
    raise ConfigError("search.kind=tpe needs Optuna", mend="pip install 'openmed-ner[search]'") from error

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.trial import FrozenTrial

DATABASE = "study.db"
EVALUATIONS = "evaluations"
"""Of a trial trained to its end; an attribute of the study."""
REDUCTION = 3
"""Hyperband keeps one of so many at each rung."""


def open_study(sweep: Sweep) -> optuna.Study:
    """The study of a sweep, made where there is none; whoever opens it has the same sampler and pruner.

    One worker at a time: Optuna lays out an empty database without a lock, and the slower of two would fail.
    """
    address = sweep.search["storage"] or f"sqlite:///{(sweep.folder / DATABASE).absolute()}"
    with FileLock(sweep.locks / "study"):
        return study_in(open_storage(address), sweep.search, sweep.task_arguments)


def open_storage(address: str) -> BaseStorage:
    """
    Raises:
        ConfigError: it names no database that can be opened.
    """
    try:
        return optuna.storages.RDBStorage(address)
    except (SQLAlchemyError, ImportError) as error:
        shown = re.sub(r":[^:@/]+@", ":***@", address)
        why = str(error).strip().split("\n")[0].rstrip(".")
        mend = "search.storage is an address for SQLAlchemy, its driver installed: sqlite:////data/studies.db"
        raise ConfigError(f"search.storage={shown} cannot be opened ({why})", mend=mend) from error


def study_in(storage: BaseStorage, search: Mapping[str, Any], arguments: Sequence[str]) -> optuna.Study:
    """The study of a search, in a storage that is there.

    Args:
        search: as `sweep.json` has it.
        arguments: with `search` they give the study its name, so that one storage holds many. The sweep's id is in it,
            so that two folders never share one.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    identity = json.dumps([search["space"], search["seed"], sorted(arguments)], sort_keys=True)
    kind = f"openmed-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    study = optuna.create_study(
        storage=storage,
        study_name="-".join([kind, *([search["id"]] if "id" in search else [])]),
        load_if_exists=True,
        direction="maximize",
        sampler=NumberedSampler(lambda number: _tpe(search["seed"], number)),
    )
    evaluations = study.user_attrs.get(EVALUATIONS, search["epochs"] * search["evaluations_per_epoch"])
    study.pruner = _pruner(search["pruner"], evaluations, kind)
    return study


def settle_evaluations(sweep: Sweep, evaluations: int) -> None:
    """Write down how many evaluations a whole trial has, as the first to begin has it, for the pruners of all."""
    study = open_study(sweep)
    with FileLock(sweep.locks / "study"):
        if EVALUATIONS not in study.user_attrs:
            study.set_user_attr(EVALUATIONS, evaluations)


def step_of(epochs: float, per_epoch: int) -> int:
    """What Optuna calls a step: the number of the evaluation, so that trials meet at equal shares of their training.

    Not a plain count: where an epoch's steps do not divide evenly, Lightning evaluates a little early, or once more.
    """
    return round(epochs * per_epoch)


def report(study: optuna.Study, number: int, step: int, f1: float) -> bool:
    """Tell how a trial does; whether the pruner gives it up. What was told before a kill is not told again."""
    trial = study.get_trials(deepcopy=False)[number]
    if step not in trial.intermediate_values:
        study._storage.set_trial_intermediate_value(trial._trial_id, step, f1)
    return study.pruner.prune(study, study.get_trials(deepcopy=False)[number])


def distributions(axes: Sequence[Axis]) -> dict[str, BaseDistribution]:
    """Optuna's form of the axes. Choices are the texts of the command line."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    for axis in axes:
        if axis.choices:
            found[axis.key] = CategoricalDistribution(axis.choices)
        elif axis.whole:
            step = int(axis.step or 1)
            found[axis.key] = IntDistribution(int(axis.low), int(axis.high), log=axis.log, step=step)
        else:
            found[axis.key] = FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step)
    return found


class NumberedSampler(BaseSampler):
    """A new sampler for each trial, made of the trial's number: what is drawn does not depend on who draws it or when.

    Args:
        make: the sampler of a trial.
    """

    def __init__(self, make: Callable[[int], BaseSampler]) -> None:
        self._make = make
        self._inner = make(0)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._inner = self._make(trial.number)
        self._inner.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._inner.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: optuna.trial.TrialState, values: Sequence[float] | None
    ) -> None:
        self._inner.after_trial(study, trial, state, values)


def _tpe(seed: int, number: int) -> BaseSampler:
    """TPE over all settings together; trials that still run count as poor ones, so that workers spread out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        chance = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
        return optuna.samplers.TPESampler(seed=chance, multivariate=True, constant_liar=True)


class NamedHyperband(optuna.pruners.HyperbandPruner):
    """Hyperband that draws a bracket by a name of its own; by the study's it would be drawn anew in each folder.

    Args:
        name: the same for searches that are to draw the same.
    """

    def __init__(self, name: str, max_resource: int) -> None:
        super().__init__(min_resource=1, max_resource=max_resource, reduction_factor=REDUCTION)
        self._namesake = SimpleNamespace(study_name=name)

    def _get_bracket_id(self, study: optuna.Study, trial: FrozenTrial) -> int:
        del study
        return super()._get_bracket_id(self._namesake, trial)  # pyright: ignore[reportArgumentType]


def _pruner(name: str, evaluations: int, kind: str) -> optuna.pruners.BasePruner:
    """Its steps are evaluations: as many as a trial has when it is trained to its end."""
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=2)
    if name == "hyperband":
        return NamedHyperband(kind, max(evaluations, 1))
    return optuna.pruners.NopPruner()
