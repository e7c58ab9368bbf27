"""Submitit's launcher, told to wait for all jobs of a batch, also where one of them dies.

It asks its jobs for their results one after the other, and raises at the first whose process was killed: the sweep
would end, or go on, while the others still run.

with waiting_for_all():
    returned = launcher.launch(lines, initial_job_idx=0)    # the error of a job that died, in its place
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def waiting_for_all() -> Iterator[None]:
    """Within, the result of a job of submitit that has none is its error; nothing changes for other launchers."""
    try:
        from submitit import Job
    except ImportError:  # an extra
        yield
        return
    results = Job.results

    def results_or_error(self: Job[Any]) -> list[Any]:
        try:
            return results(self)
        except Exception as error:
            return [error]

    Job.results = results_or_error
    try:
        yield
    finally:
        Job.results = results
