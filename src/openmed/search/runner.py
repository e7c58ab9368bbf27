"""Running jobs of a sweep through Hydra's launcher: each in its own folder, gone on with where it was broken off.

runner = Runner(context, task, config, sweep)
runner.run([job, other])
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from openmed.errors import ConfigError
from openmed.search.patience import waiting_for_all
from openmed.search.state import DONE, Job, Sweep
from openmed.training.build import LAST
from openmed.training.friendly import explain
from openmed.training.overrides import quoted
from openmed.training.result import read_result, write_result

log = logging.getLogger(__name__)
DIED = "its process ended without a result: killed, or out of memory?"
Answer = JobReturn | Exception | None
"""Of the launcher, for a job: an error where the job's process died, None where the launcher itself failed."""


class Runner:
    """The launcher of a sweep.

    Args:
        context, task, config: Hydra's: how it composes, what a job does, the configuration without its lists.
        sweep: written down as jobs end.

    Attributes:
        parallel: whether the launcher runs jobs at once.
        num_failed: of the jobs that were run.
    """

    def __init__(self, context: HydraContext, task: TaskFunction, config: DictConfig, sweep: Sweep) -> None:
        self._context, self._config, self._sweep = context, config, sweep
        with read_write(config), open_dict(config):
            config.hydra.sweep.dir = str(sweep.folder)
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=context, task_function=task, config=config
        )
        self.num_failed = 0
        self.parallel = str(config.hydra.launcher._target_).rpartition(".")[2] != "BasicLauncher"

    def check(self, overrides: Sequence[str], arguments: Sequence[str]) -> DictConfig:
        """Compose a job without running it.

        Raises:
            ConfigError: what cannot be composed, explained.
        """
        try:
            return self._context.config_loader.load_sweep_config(self._config, list(overrides))
        except Exception as error:
            message = explain(error, [*overrides, *arguments])
            if message is None:
                raise
            raise ConfigError(f"no job was started: {message}") from error

    def batches(self, jobs: Sequence[Job]) -> list[list[Job]]:
        """What is run at once: all jobs where the launcher can, else one by one."""
        if self.parallel:
            return [list(jobs)] if jobs else []
        return [[job] for job in jobs]

    def run(self, jobs: Sequence[Job], settings: Mapping[int, Mapping[str, str]] | None = None) -> list[Job]:
        """Run jobs, each held by the caller (`Sweep.hold`); failures are told and written down.

        Args:
            settings: environment variables by the job's number.

        Returns:
            the jobs as they ended.
        """
        settings = settings or {}
        ended: list[Job] = []
        for batch in self.batches(jobs):
            for job in batch:
                self._make_room(job)
            lines = [self._line(job, settings.get(job.number, {})) for job in batch]
            returned: Sequence[Answer] = [None] * len(batch)
            try:
                with waiting_for_all():
                    returned = self._launcher.launch(lines, initial_job_idx=batch[0].number)
            except Exception as error:
                log.error("the launcher failed: %s", error)
            for job, answer in zip(batch, returned, strict=True):
                ended.append(self._outcome(job, answer))
                self._sweep.keep(ended[-1])
        return ended

    def _line(self, job: Job, environment: Mapping[str, str]) -> list[str]:
        place = [f"hydra.sweep.dir={quoted(str(self._sweep.folder))}", f"hydra.sweep.subdir='{job.number}'"]
        return [*job.overrides, *place, *(f"hydra.job.env_set.{k}={quoted(v)}" for k, v in environment.items())]

    def _make_room(self, job: Job) -> None:
        """A job broken off before its first checkpoint begins anew; what it left steps aside."""
        folder = self._sweep.place(job)
        if not folder.exists() or (folder / "checkpoints" / LAST).is_file():
            return
        number = 1
        while (aside := folder.with_name(f"{folder.name}.broken{number}")).exists():
            number += 1
        folder.rename(aside)

    def _outcome(self, job: Job, answer: Answer) -> Job:
        if isinstance(answer, Exception):
            log.error("job %d: %s", job.number, answer)
            self._write_death(job)
        seen = self._sweep.look(job)
        error: Any = None
        if isinstance(answer, JobReturn) and answer.status == JobStatus.FAILED:
            error = answer._return_value
        if error is not None and seen.status in DONE:
            log.warning("job %d is %s, but its process ended with: %r", job.number, seen.status, error)
        elif error is not None:
            seen = replace(seen, status="failed", error=explain(error, list(job.overrides)) or repr(error))
        elif seen.status not in (*DONE, "interrupted"):
            seen = replace(seen, status="failed", error=seen.error or DIED)
        if seen.status not in DONE:
            self.num_failed += 1
            print(f"error: job {job.number} ({' '.join(job.overrides)}): {seen.error}", file=sys.stderr, flush=True)
        return seen

    def _write_death(self, job: Job) -> None:
        """A process that was killed could not write down itself that it is not running any more."""
        result = read_result(self._sweep.place(job))
        if result is not None and result["status"] == "running":
            write_result(self._sweep.place(job), {**result, "status": "failed", "error": DIED})
