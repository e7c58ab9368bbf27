"""TPE search: draw trials, run them as jobs, tell the study. Several workers may share a sweep's folder.

A trial is held by a lock that the system frees with its process: one that the study has for running and nobody holds
was killed, and is taken over under its own number.

run_tpe(sweep, runner, axes, ["dataset=ncbi"], trials=40, jobs=1)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from openmed.errors import RunError
from openmed.search.pruning import environment
from openmed.search.runner import Runner
from openmed.search.space import Axis
from openmed.search.state import Job, Sweep
from openmed.search.study import distributions, open_study


def run_tpe(
    sweep: Sweep, runner: Runner, axes: Sequence[Axis], fixed: Sequence[str], *, trials: int, jobs: int
) -> optuna.Study:
    """Search until there are so many trials. Trials that failed in an earlier sitting are made up for by new ones.

    Args:
        fixed: overrides of all jobs.
        jobs: trials drawn at once.
    """
    study = open_study(sweep)
    search = _Search(sweep, study, axes, fixed, trials)
    while True:
        with ExitStack() as held:
            batch = search.draw(jobs, held)
            if not batch:
                return study
            for job in runner.run(batch, {job.number: environment(sweep, job.number) for job in batch}):
                search.tell(job)


class _Search:
    def __init__(
        self, sweep: Sweep, study: optuna.Study, axes: Sequence[Axis], fixed: Sequence[str], trials: int
    ) -> None:
        self._sweep, self._study, self._fixed, self._trials = sweep, study, tuple(fixed), trials
        self._axes = {axis.key: axis for axis in axes}
        self._space = distributions(axes)
        self._interrupted: set[int] = set()
        self._failed_before = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))
        self._locks = sweep.locks

    def draw(self, number: int, held: ExitStack) -> list[Job]:
        """Trials that nobody runs, then new ones, as long as some are left; their locks are `held`'s."""
        with FileLock(self._locks / "draw"):
            batch: list[Job] = []
            for trial in self._study.get_trials(states=(TrialState.RUNNING,)):
                if len(batch) == number or trial.number in self._interrupted:
                    continue
                if self._sweep.hold(trial.number, held) and self._runs(trial.number):
                    job = self._sweep.look(self._job(trial))
                    if not self.tell(job, taken_over=True):
                        batch.append(self._job(trial))
            while len(batch) < number and self._left() > 0:
                asked = self._study.ask(self._space)
                if not self._sweep.hold(asked.number, held):
                    raise RunError(f"trial {asked.number} of {self._sweep.folder} is held by another process")
                batch.append(self._job(self._study.trials[asked.number]))
        return batch

    def tell(self, job: Job, *, taken_over: bool = False) -> bool:
        """Tell the study how a job ended; False where it is to go on.

        One that a signal stopped is left for the next sitting: what stopped it may stop it again.
        """
        if job.status == "finished":
            self._study.tell(job.number, job.f1)
        elif job.status == "pruned":
            self._study.tell(job.number, state=TrialState.PRUNED)
        elif taken_over:
            return False
        elif job.status == "interrupted":
            self._interrupted.add(job.number)
        else:
            self._study.tell(job.number, state=TrialState.FAIL)
        self._sweep.keep(job)
        return True

    def _left(self) -> int:
        return self._trials + self._failed_before - len(self._study.get_trials(deepcopy=False))

    def _runs(self, number: int) -> bool:
        """Whether the study still has a trial, now held, for running: its worker may just have told its end."""
        return self._study.get_trials(deepcopy=False)[number].state == TrialState.RUNNING

    def _job(self, trial: FrozenTrial) -> Job:
        drawn = tuple(
            f"{key}={value if self._axes[key].choices else self._axes[key].text(value)}"
            for key, value in trial.params.items()
        )
        return Job(trial.number, (*self._fixed, *drawn))
