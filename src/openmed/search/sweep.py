"""A sweep from its command line to its end: what is asked for, whether it can be composed, all jobs, the summary.

run_sweep(config, ["search=card", "backbone=minilm,tiny"], hydra_context, task)
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import HydraContext, RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf

from openmed.errors import ConfigError
from openmed.search.grid import combinations, lists_of, probes, with_axes
from openmed.search.runner import Runner
from openmed.search.settings import TPE, SearchSettings, evaluations_per_epoch, read_settings
from openmed.search.space import Axis, quoted
from openmed.search.state import DONE, Job, Sweep, check_same, is_of_search
from openmed.search.summary import print_summary, resume_command
from openmed.training.result import task_of

Lists = Mapping[str, tuple[str, ...]]
_RESUME = "search.resume"
_GROWS = ("search.trials", "search.jobs")
"""May stand beside `search.resume`, which alone stands for the command line that the sweep began with."""
_PLACES = ("hydra.mode", "hydra.sweep.", "hydra.run.")
"""Of Hydra's own arguments, those that `search.resume` stands for."""


def run_sweep(config: DictConfig, arguments: Sequence[str], context: HydraContext, task: TaskFunction) -> None:
    """Run what `python train.py -m ...` asks for; exits with 1 where a job failed.

    Args:
        config: composed without the lists of the command line, Hydra's own part included.
        arguments: of the command line, Hydra's own left out.

    Raises:
        ConfigError: a search that cannot be, or a job that cannot be composed; before the first job.
        RunError: a folder that holds another sweep, or none where one is to go on.
    """
    arguments = [argument for argument in arguments if _key(argument) != _RESUME]
    resume = config.search.resume
    if resume and all(_key(argument) in _GROWS for argument in arguments):
        recorded = Sweep.read(Path(str(resume)).expanduser().absolute()).arguments
        arguments = list({_key(argument): argument for argument in [*recorded, *arguments]}.values())
        config = _composed_anew(config, arguments, str(resume), context)
    settings = read_settings(OmegaConf.to_container(config.search, resolve=True))  # pyright: ignore[reportArgumentType]
    parser = OverridesParser.create(config_loader=context.config_loader)
    lists = lists_of(parser.parse_overrides(list(arguments)))
    lists = _of_the_task(lists)
    axes = _axes(settings, lists)
    if settings.kind == TPE:
        lists = {key: entries for key, entries in lists.items() if len(entries) == 1}
    folder = settings.resume or Path(str(config.hydra.sweep.dir)).absolute()
    sweep = Sweep(folder, list(arguments), _as_dict(settings, axes, config), hydra=_of_hydra(config))
    before = Sweep.read(folder) if settings.resume else None
    if before is not None:
        check_same(before, sweep)
        sweep.jobs, sweep.search = before.jobs, {**before.search, "trials": settings.trials}
        if before.hydra and not sweep.hydra:
            sweep.hydra = before.hydra
            print(f"going on without {' '.join(before.hydra)}; with it: {resume_command(sweep)}")
    runner = Runner(context, task, config, sweep)
    _check(runner, settings, axes, lists, arguments)
    if before is None:
        sweep.begin()
    try:
        if settings.kind == TPE:
            _tpe(sweep, runner, settings, axes, lists, config)
        else:
            _grid(sweep, runner, combinations(with_axes(dict(lists), axes)))
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or a job in this process was stopped by a signal
        print(f"the sweep is broken off; go on with: {resume_command(sweep)}", flush=True)
        raise
    print_summary(sweep, runner.num_failed)
    if runner.num_failed:
        sys.exit(1)


def _key(argument: str) -> str:
    return argument.partition("=")[0].lstrip("+")


def _of_hydra(config: DictConfig) -> list[str]:
    """Hydra's own arguments that a sweep is to go on with: the launcher and its settings, above all."""
    given = OmegaConf.to_container(config.hydra.overrides.hydra)
    assert isinstance(given, list)
    return [str(argument) for argument in given if not _key(str(argument)).startswith(_PLACES)]


def _composed_anew(config: DictConfig, arguments: list[str], resume: str, context: HydraContext) -> DictConfig:
    """The configuration of the command line that the sweep began with."""
    own = OmegaConf.to_container(config.hydra.overrides.hydra)
    assert isinstance(own, list)
    composed = context.config_loader.load_configuration(
        config_name=config.hydra.job.config_name,
        overrides=[*own, *arguments, f"{_RESUME}={quoted(resume)}"],
        run_mode=RunMode.MULTIRUN,
    )
    OmegaConf.copy_cache(from_config=config, to_config=composed)
    return composed


def _of_the_task(lists: Lists) -> dict[str, tuple[str, ...]]:
    """What jobs are given.

    Raises:
        ConfigError: a list of searches, such as `search.space.lora.rank=8,16`.
    """
    for key, entries in lists.items():
        if is_of_search(key) and len(entries) > 1:
            raise ConfigError(f"{key} takes one value", mend=f"a list of choices stands in brackets: {key}=[...]")
    return {key: entries for key, entries in lists.items() if not is_of_search(key)}


def _axes(settings: SearchSettings, lists: Lists) -> list[Axis]:
    """The space without what the command line gives itself; a list given to a TPE search is an axis of choices."""
    axes = [axis for axis in settings.space if axis.key not in {key.lstrip("+~") for key in lists}]
    if settings.kind == TPE:
        for key, entries in lists.items():
            if len(entries) > 1:
                axes.append(Axis(key, tuple(entry.partition("=")[2] for entry in entries)))
        if not axes:
            raise ConfigError("search.space is empty", mend="give it an axis: search.space.optim.lr=[1e-3,2e-3]")
    return axes


def _as_dict(settings: SearchSettings, axes: Sequence[Axis], config: DictConfig) -> dict[str, Any]:
    return {
        "kind": settings.kind,
        "seed": settings.seed,
        "trials": settings.trials,
        "pruner": settings.pruner,
        "storage": settings.storage,
        "space": {axis.key: axis.as_dict() for axis in axes},
        "epochs": config.trainer.max_epochs or config.length.epochs,
        "evaluations_per_epoch": evaluations_per_epoch(config.trainer.val_check_interval, settings.pruner),
    }


def _check(
    runner: Runner, settings: SearchSettings, axes: Sequence[Axis], lists: Lists, arguments: Sequence[str]
) -> None:
    """Compose a few jobs in which each value stands once.

    Raises:
        ConfigError: an unknown key or choice; a TPE search that looks at test, that is no tagger's, or whose storage
            cannot be opened.
    """
    if settings.kind == TPE:
        from openmed.search.study import open_storage

        if settings.storage:
            open_storage(settings.storage)

    def compose(overrides: Sequence[str]) -> None:
        config = runner.check([override for override in overrides if override], arguments)
        if settings.kind == TPE and config.test:
            raise ConfigError("a search never looks at test", mend="leave test=true out, and score the best run after")
        if settings.kind == TPE and task_of(config) != "ner":
            raise ConfigError("search.kind=tpe searches taggers", mend="search pre-training by a grid")

    for probe in probes(dict(lists)):
        compose(probe)
    fixed = [entries[0] for entries in lists.values()]
    values = {axis.key: tuple(f"{axis.key}={value}" for value in axis.values) for axis in axes}
    for probe in probes(values) if axes else []:
        together = _error(compose, [*fixed, *probe])
        if together is None:
            continue
        for axis, entry in zip(axes, probe, strict=True):
            alone = _error(compose, [*fixed, entry])
            if alone is not None:
                raise ConfigError(f"search.space.{axis.key}: {alone.problem}", mend=alone.mend)
        raise together


def _error(compose: Callable[[Sequence[str]], None], overrides: Sequence[str]) -> ConfigError | None:
    try:
        compose(overrides)
    except ConfigError as error:
        return error
    return None


def _grid(sweep: Sweep, runner: Runner, wanted: Sequence[tuple[str, ...]]) -> None:
    """Run the combinations that have no finished job and that no other process runs; each keeps its number."""
    known = {frozenset(job.overrides): job for job in sweep.jobs}
    jobs = [known.get(frozenset(overrides), Job(number, overrides)) for number, overrides in enumerate(wanted)]
    sweep.jobs = [sweep.look(job) for job in jobs]
    sweep.keep(*sweep.jobs)
    for batch in runner.batches([job for job in sweep.jobs if job.status not in DONE]):
        with ExitStack() as held:
            runner.run(_taken(sweep, batch, held))


def _taken(sweep: Sweep, jobs: Sequence[Job], held: ExitStack) -> list[Job]:
    """Those that no other process runs or has finished in the meantime, to be run anew; their locks are `held`'s."""
    taken: list[Job] = []
    for job in jobs:
        if not sweep.hold(job.number, held):
            print(f"job {job.number} is left to the process that runs it")
        elif (seen := sweep.look(job)).status in DONE:
            sweep.keep(seen)
        else:
            taken.append(Job(job.number, job.overrides))
    return taken


def _tpe(
    sweep: Sweep,
    runner: Runner,
    settings: SearchSettings,
    axes: Sequence[Axis],
    lists: Lists,
    config: DictConfig,
) -> None:
    from openmed.search.report import track, write_report
    from openmed.search.tpe import run_tpe

    fixed = [entry for entries in lists.values() for entry in entries]
    study = run_tpe(sweep, runner, axes, fixed, trials=settings.trials, jobs=settings.jobs)
    place = write_report(sweep, study)
    print(f"report   {place}")
    track(sweep, study, config)
