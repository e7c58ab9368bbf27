"""Rows of whole trainings: seconds to a score, peak memory, dev F1; from the records of the jobs that are done.

rows = quality_rows(read_records(folder))
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.quality_jobs import (
    JOBS,
    OURS,
    OURS_QUERY_VALUE,
    OURS_QUICK,
    OURS_SHORT,
    SPACY,
    TRAINER,
    TRAINER_ALL_LINEAR,
    TRAINER_GROUPED,
    Record,
)
from benchmarks.rows import LESS_IS_BETTER, Row, make_row, not_measured

COMMAND = "make bench-quality"
RECIPES = (OURS, OURS_SHORT, OURS_QUICK)
SECONDS = "s from start of process"
MEBIBYTE = 2**20

Records = Mapping[str, Record]


def quality_rows(records: Records) -> list[Row]:
    """All rows. One of whose sides no training is done says so; one that lacks some of its trainings names them."""
    return [
        _time_to_best(records, "", TRAINER, 8.0),
        _time_to_best(records, ", grouped", TRAINER_GROUPED, None),
        _time_to_best(records, ", all-linear", TRAINER_ALL_LINEAR, None),
        _time_past_spacy(records),
        _peak_memory(records, OURS),
        _peak_memory(records, OURS_QUERY_VALUE),
        _dev_f1(records),
    ]


def seconds_until(record: Record, dev_f1: float) -> float:
    """Seconds from the start of the process until dev F1 was at least this; infinite where it never was."""
    passed = (evaluation["seconds"] for evaluation in record["evaluations"] if evaluation["dev_f1"] >= dev_f1)
    return next(passed, math.inf)


def _time_to_best(records: Records, suffix: str, peer: str, goal: float | None) -> Row:
    """The score to reach is the highest of all seeds of the peer; its seconds are those of each seed to its own."""
    peers = _of(records, peer)
    return _time_to(
        records,
        f"time to the peer's best dev F1{suffix}",
        peer=peer,
        target=max((record["best_dev_f1"] for record in peers), default=None),
        peer_seconds=[record["seconds_to_best"] for record in peers],
        goal=goal,
    )


def _time_past_spacy(records: Records) -> Row:
    ends = [record["evaluations"][-1] for record in _of(records, SPACY)]
    return _time_to(
        records,
        "time to spaCy's dev F1 at its end",
        peer=SPACY,
        target=max((end["dev_f1"] for end in ends), default=None),
        peer_seconds=[end["seconds"] for end in ends],
        goal=1.0,
    )


def _time_to(
    records: Records,
    name: str,
    *,
    peer: str,
    target: float | None,
    peer_seconds: Sequence[float],
    goal: float | None,
) -> Row:
    """Ours is the recipe that is there soonest, by the median of its seeds; the others stand in the settings."""
    if target is None or not _of(records, *RECIPES):
        return not_measured(name, SECONDS, peer_name=peer, goal=goal, why=COMMAND)
    ours = {recipe: [seconds_until(record, target) for record in _of(records, recipe)] for recipe in RECIPES}
    soonest = min((recipe for recipe in RECIPES if ours[recipe]), key=lambda recipe: statistics.median(ours[recipe]))
    by_job = {
        job: _or_null(seconds_until(record, target))
        for job, record in records.items()
        if JOBS[job].what in (*RECIPES, OURS_QUERY_VALUE)
    }
    settings = {"dev_f1": target, "recipe": soonest, "seconds_by_job": by_job}
    lacking = _lacking(records, peer, *RECIPES)
    middle = statistics.median(ours[soonest])
    never = math.isinf(middle)
    row = make_row(
        name,
        SECONDS,
        ours=[] if never else [middle],
        peer_name=peer,
        peer=peer_seconds,
        goal=goal,
        settings=settings,
        better=LESS_IS_BETTER,
        note=_note(lacking, "ours never got there" if never else f"ours by the recipe {soonest!r}"),
    )
    return row | {"met": False} if never and goal is not None else row


def _peak_memory(records: Records, recipe: str) -> Row:
    name = f"peak memory, whole training, {recipe}"
    ours, peers = _of(records, recipe), _of(records, TRAINER)
    if not ours or not peers:
        return not_measured(name, "MiB", peer_name=TRAINER, goal=2.0, why=COMMAND)
    return make_row(
        name,
        "MiB",
        ours=[record["peak_bytes"] / MEBIBYTE for record in ours],
        peer_name=TRAINER,
        peer=[record["peak_bytes"] / MEBIBYTE for record in peers],
        goal=2.0,
        settings=_jobs_of(records, recipe, TRAINER),
        better=LESS_IS_BETTER,
        note=_note(_lacking(records, recipe, TRAINER)),
    )


def _dev_f1(records: Records) -> Row:
    """Means, not medians: a seed that fails is not to vanish."""
    name = "dev F1, mean of seeds"
    scores = {what: [record["best_dev_f1"] for record in _of(records, what)] for what in (OURS, TRAINER)}
    if not all(scores.values()):
        return not_measured(name, "F1", peer_name=TRAINER, goal=1.0, why=COMMAND)
    spread = {what: statistics.stdev(found) if len(found) > 1 else None for what, found in scores.items()}
    row = make_row(
        name,
        "F1",
        ours=[statistics.fmean(scores[OURS])],
        peer_name=TRAINER,
        peer=[statistics.fmean(scores[TRAINER])],
        goal=1.0,
        settings={"standard_deviation": spread, **_jobs_of(records, OURS, TRAINER)},
        note=_note(_lacking(records, OURS, TRAINER)),
    )
    return row | {"runs": {"ours": scores[OURS], "peer": scores[TRAINER]}}


def _of(records: Records, *whats: str) -> list[Record]:
    return [record for job, record in records.items() if JOBS[job].what in whats]


def _jobs_of(records: Records, *whats: str) -> dict[str, Any]:
    return {"jobs": [job for job in records if JOBS[job].what in whats]}


def _lacking(records: Records, *whats: str) -> list[str]:
    return [job for job in JOBS if JOBS[job].what in whats and job not in records]


def _note(lacking: Sequence[str], *more: str) -> str | None:
    return "; ".join([*more, *([f"without {', '.join(lacking)} ({COMMAND})"] if lacking else [])]) or None


def _or_null(seconds: float) -> float | None:
    """JSON knows no infinity."""
    return None if math.isinf(seconds) else seconds
