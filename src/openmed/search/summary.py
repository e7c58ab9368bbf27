"""What a sweep says at its end: a line for each job, why some failed, and how to go on.

print_summary(sweep, num_failed=0)
"""

from __future__ import annotations

import shlex
import textwrap

from openmed.analysis.report.blocks import Prose, Section, Table
from openmed.analysis.report.terminal import print_sections
from openmed.search.state import DONE, Job, Sweep
from openmed.training.outputs import shown

MAX_ERROR = 200
"""Characters; all of an error is in the job's result.json."""


def print_summary(sweep: Sweep, num_failed: int) -> None:
    """Print the table of all jobs, and what to do about those that failed."""
    print_sections([Section("", [jobs_table(sweep, folders=True), *errors(sweep)])])
    if num_failed:
        print(f"{num_failed} jobs failed; {resume_command(sweep)} makes up for them")


def resume_command(sweep: Sweep) -> str:
    """What goes on with a sweep, with the launcher that it was given."""
    return shlex.join(["python", "train.py", "-m", f"search.resume={shown(sweep.folder)}", *sweep.hydra])


def jobs_table(sweep: Sweep, *, folders: bool = False) -> Table:
    """A row for each job: number, what is its own on the command line, status, dev F1, seconds, and its folder."""
    columns = ["job", "overrides", "status", "dev F1 (%)", "seconds", *(["folder"] if folders else [])]
    common = _common(sweep.jobs)
    rows = []
    for job in sweep.jobs:
        own = " ".join(override for override in job.overrides if override not in common)
        score = None if job.f1 is None else f"{100 * job.f1:.2f}"
        seconds = None if job.seconds is None else f"{job.seconds:.0f}"
        rows.append([job.number, own, job.status, score, seconds, *([str(shown(sweep.place(job)))] if folders else [])])
    return Table(columns, rows, title="Jobs", note=f"all with: {' '.join(common)}" if common else "")


def errors(sweep: Sweep) -> list[Prose]:
    """Why jobs failed, a line each."""
    return [
        Prose(f"job {job.number} {job.status}: {textwrap.shorten(job.error, MAX_ERROR, placeholder=' …')}")
        for job in sweep.jobs
        if job.error and job.status not in DONE
    ]


def _common(jobs: list[Job]) -> list[str]:
    """What all jobs were given; of a single job, nothing, so that its row says it."""
    if len(jobs) < 2:
        return []
    return [override for override in jobs[0].overrides if all(override in job.overrides for job in jobs[1:])]
