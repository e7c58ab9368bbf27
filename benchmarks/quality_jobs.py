"""Whole trainings, ours and the peers', each one job whose record is kept in a file of its own.

record = run_job("ours-seed1", folder, facts=machine_facts())
record["best_dev_f1"], record["seconds"], record["peak_bytes"], record["evaluations"]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.inputs import BACKBONE, CORPUS
from benchmarks.marks import Positions
from benchmarks.trainings import ALL_LINEAR, QUERY_VALUE, Adapters, Ran, ours, spacy_cnn, trainer

Record = dict[str, Any]
RESULT_FIELDS = ("status", "dev", "test", "params", "train")
"""What a job's record keeps of the run's result.json."""


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        what: it is, for tables and plots; seeds of the same training have the same.
        settings: beside corpus and backbone, which all share.
        run: given a new folder.
    """

    what: str
    settings: Mapping[str, Any]
    run: Callable[[Path], Ran]


def _ours(what: str, *overrides: str) -> Job:
    chosen = (*overrides, "test=true")
    return Job(what, {"overrides": [*chosen, "logger=none"]}, lambda folder: ours(folder, *chosen))


def _trainer(what: str, adapters: Adapters, *, seed: int = 1, grouped: bool = False) -> Job:
    settings = {"lora": adapters.name, "seed": seed, "grouped": grouped, "epochs": 3}
    return Job(what, settings, partial(trainer, adapters=adapters, seed=seed, grouped=grouped))


OURS, OURS_SHORT, OURS_QUICK, OURS_QUERY_VALUE = (
    "ours",
    "ours, 3 epochs",
    "ours, experiment=quick",
    "ours, query+value r16",
)
TRAINER, TRAINER_GROUPED, TRAINER_ALL_LINEAR, SPACY = (
    "Trainer + PEFT, query+value r16",
    "Trainer + PEFT, query+value r16, group_by_length",
    "Trainer + PEFT, all-linear r8",
    "spaCy CNN",
)

JOBS: Mapping[str, Job] = {
    "ours-seed1": _ours(OURS, "seed=1"),
    "peer-seed1": _trainer(TRAINER, QUERY_VALUE),
    "spacy": Job(SPACY, {"seed": 1}, spacy_cnn),
    "ours-quick-seed1": _ours(OURS_QUICK, "seed=1", "experiment=quick"),
    "ours-short-seed1": _ours(OURS_SHORT, "seed=1", "length.epochs=3"),
    "ours-seed2": _ours(OURS, "seed=2"),
    "peer-seed2": _trainer(TRAINER, QUERY_VALUE, seed=2),
    "ours-quick-seed2": _ours(OURS_QUICK, "seed=2", "experiment=quick"),
    "ours-quick-seed3": _ours(OURS_QUICK, "seed=3", "experiment=quick"),
    "ours-short-seed2": _ours(OURS_SHORT, "seed=2", "length.epochs=3"),
    "ours-short-seed3": _ours(OURS_SHORT, "seed=3", "length.epochs=3"),
    "peer-grouped": _trainer(TRAINER_GROUPED, QUERY_VALUE, grouped=True),
    "ours-seed3": _ours(OURS, "seed=3"),
    "peer-seed3": _trainer(TRAINER, QUERY_VALUE, seed=3),
    "ours-query-value": _ours(OURS_QUERY_VALUE, "seed=1", "lora=paper", "lora.dropout=0.05"),
    "peer-all-linear": _trainer(TRAINER_ALL_LINEAR, ALL_LINEAR),
}
"""In the order in which they run: what most rows need stands first."""


def run_job(name: str, folder: Path, *, facts: Mapping[str, Any]) -> Record:
    """Train, and say what came of it.

    Args:
        folder: a new one, for what the training writes.
        facts: `benchmarks.facts.machine_facts`.

    Raises:
        ChildFailed: the training did.
    """
    job = JOBS[name]
    ran = job.run(folder)
    result = folder / "run" / "result.json"
    found = json.loads(result.read_text(encoding="utf-8")) if result.exists() else None
    return make_record(name, job, ran, result=found, facts=facts)


def make_record(name: str, job: Job, ran: Ran, *, result: Mapping[str, Any] | None, facts: Mapping[str, Any]) -> Record:
    """What is kept of a job; all seconds count from the start of the process.

    Raises:
        ValueError: dev was never scored.
    """
    began, steps = ran.process.began, ran.marks["steps"]
    evaluations = [{**evaluation, "seconds": evaluation["at"] - began} for evaluation in ran.marks["evaluations"]]
    for evaluation in evaluations:
        del evaluation["at"]
    if not evaluations:
        raise ValueError(f"{name}: dev was never scored")
    best = max(evaluations, key=lambda evaluation: evaluation["dev_f1"])
    trained = {field: steps[-1][field] for field in Positions.__annotations__} if steps else None
    return {
        "job": name,
        "what": job.what,
        "settings": {"corpus": CORPUS, "backbone": None if job.what == SPACY else BACKBONE, **job.settings},
        "seconds": ran.process.seconds,
        "peak_bytes": ran.process.peak_bytes,
        "best_dev_f1": best["dev_f1"],
        "seconds_to_best": best["seconds"],
        "evaluations": evaluations,
        "num_steps": len(steps),
        "trained": trained,
        **({"result": {field: result.get(field) for field in RESULT_FIELDS}} if result is not None else {}),
        **facts,
    }


def read_records(folder: Path) -> dict[str, Record]:
    """Records of the jobs that are done, in the order of `JOBS`."""
    files = {name: folder / f"{name}.json" for name in JOBS}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}


def open_jobs(asked: Iterable[str], done: Iterable[str], *, redo: Iterable[str] = ()) -> list[str]:
    """Those of the jobs asked for (none: all) that are not done, and those to be done again, in the order of `JOBS`."""
    again, finished = set(redo), set(done)
    wanted = set(asked) | again or set(JOBS)
    return [name for name in JOBS if name in again or (name in wanted and name not in finished)]
