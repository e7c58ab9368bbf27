"""Carry a plan out: each cell an ordinary run of `train.py` in a process of its own; what is done is not done again.

    results = carry_out(plan, Path("outputs/reproduce/dapt-effect"), results=Path("docs/results/dapt.json"))

A cell is known by what decides its outcome (`keys`). The results file has all that tables need, so it outlives the run
folders; a pre-training is done again only where a tagger needs its encoder and the folder is gone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from openmed.corpora import load_spec
from openmed.errors import DataError, RunError
from openmed.reproduce.cells import Cell, list_cells
from openmed.reproduce.keys import NO_TEXT, Lack, cell_keys, is_done
from openmed.reproduce.outcome import fault, outcome
from openmed.reproduce.plan import Plan
from openmed.training.result import read_result
from openmed.writers.atomic import atomic_path

Results = dict[str, dict[str, Any]]
LOG_LINES = 15
Tell = Callable[[str], None]


def carry_out(
    plan: Plan,
    out: Path,
    *,
    results: Path | None = None,
    tell: Tell = print,
    lacking: dict[str, Lack] | None = None,
) -> Results:
    """Do what is not done yet. Returns cell -> outcome, of this plan's cells.

    Args:
        lacking: the taggers whose corpus cannot be read are added to it, and left out; None refuses such a plan.

    Raises:
        DataError: data that cannot be read. Without text for its pre-training nothing of a plan is done.
        RunError: a cell failed; what was done stays, and the same call goes on. Another call is at work in this folder.
    """
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            return _carry_out(plan, out, results or out / "results.json", tell, lacking)
    except Timeout:
        raise RunError(f"another reproduce is at work in {out}", mend="wait for it, or give another --out") from None


def _carry_out(plan: Plan, out: Path, place: Path, tell: Tell, lacking: dict[str, Lack] | None) -> Results:
    keys = cell_keys(plan, lacking=lacking)
    for lack in (lacking or {}).values():
        if lack.state == NO_TEXT:
            raise lack.error
    cells = {cell.name: cell for cell in list_cells(plan) if cell.name in keys}
    done = read_results(place)
    wanted = [cell for cell in cells.values() if not is_done(done, cell.name, keys)]
    for number, cell in enumerate(wanted, 1):
        tell(f"[{number} of {len(wanted)}] {cell.name}")
        _with_encoder(cell, cells, keys, out, done, place, tell)
    return {name: done[name] for name in cells}


def read_results(place: Path) -> Results:
    """What a results file holds; nothing where there is none.

    Raises:
        DataError: it is damaged, or no results file.
    """
    mend = "name another in --results, or move it away: what is finished in the folder of the runs is not done again"
    try:
        content = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DataError(f"no results file ({error})", path=place, mend=mend) from error
    cells = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(cells, dict):
        raise DataError('no results file: it has no "cells"', path=place, mend=mend)
    for name, record in cells.items():
        if problem := fault(record):
            raise DataError(f"{name} {problem}", path=place, mend=f"take {name} out of it, or {mend}")
    return cells


def forecast(plan: Plan, done: Results, keys: Mapping[str, str]) -> dict[str, float | None]:
    """Cell -> seconds: what it took, or about what its like of the same backbone did; None: none is done.

    From start to end of its process where that was measured in one go, else of the training alone. A pre-training is
    like any other; a tagger like those on the same corpus or, before there is one, on others, by the words of the
    training splits.
    """
    cells = list_cells(plan)
    taken = {cell.name: _taken(done[cell.name]) for cell in cells if is_done(done, cell.name, keys)}
    finished = [cell for cell in cells if cell.name in taken]
    words = {corpus: load_spec(corpus).counts.get("train", {}).get("words") for corpus in plan.corpora}

    def mean(values: Sequence[float]) -> float | None:
        return sum(values) / len(values) if values else None

    def expected(cell: Cell) -> float | None:
        alike = [other for other in finished if (other.kind, other.backbone) == (cell.kind, cell.backbone)]
        found = mean([taken[other.name] for other in alike if other.corpus == cell.corpus])
        if found is not None or cell.corpus is None or not (size := words[cell.corpus]):
            return found
        return mean([size * taken[other.name] / n for other in alike if other.corpus and (n := words[other.corpus])])

    return {cell.name: taken.get(cell.name, expected(cell)) for cell in cells}


def _taken(record: Mapping[str, Any]) -> float:
    return record.get("wall_seconds") or record["train"]["seconds"]


def _with_encoder(
    cell: Cell, cells: Mapping[str, Cell], keys: Mapping[str, str], out: Path, done: Results, place: Path, tell: Tell
) -> None:
    """Run a cell, after the one whose encoder it starts from where that is not there."""
    overrides = cell.overrides
    if cell.parent:
        parent = _folder(out, cells[cell.parent], keys)
        if not (parent / "encoder" / "config.json").is_file():
            if (found := read_result(parent)) and found["status"] == "finished":
                tell(f"the encoder of {cell.parent} is no longer in {parent}, so it is trained again")
                _set_aside(parent)
            _with_encoder(cells[cell.parent], cells, keys, out, done, place, tell)
        overrides = (*overrides, f"backbone.weights={parent / 'encoder'}")
    _run_and_keep(cell, overrides, keys, out, done, place)


def _run_and_keep(
    cell: Cell, overrides: tuple[str, ...], keys: Mapping[str, str], out: Path, done: Results, place: Path
) -> None:
    folder = _folder(out, cell, keys)
    found = read_result(folder)
    wall = {}
    if found is None or found["status"] != "finished":
        seconds = _run(cell, overrides, folder)
        wall = {"wall_seconds": seconds} if seconds else {}
    done[cell.name] = {"key": keys[cell.name], **outcome(cell, folder), **wall}
    content = {"cells": dict(sorted({**read_results(place), **done}.items()))}
    with atomic_path(place) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _run(cell: Cell, overrides: tuple[str, ...], folder: Path) -> float | None:
    """`train.py`, or its going on where it was broken off after a checkpoint. Returns seconds; None: of a part only."""
    log = folder.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    goes_on = (folder / "checkpoints" / "last.ckpt").is_file()
    if goes_on:
        arguments = [f"resume={folder}"]
    else:
        _set_aside(folder)
        arguments = [*overrides, f"hydra.run.dir={folder}"]
    began = time.monotonic()
    with log.open("ab") as output:
        done = subprocess.run(
            [sys.executable, "-m", "openmed.training", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
        raise RunError(
            f"{cell.name} ended with {done.returncode}:\n{tail}",
            mend=f"see {log}; what was done before is kept, and the same command goes on",
        )
    return None if goes_on else time.monotonic() - began


def _set_aside(folder: Path) -> None:
    """A run that died before its first checkpoint: nothing to go on from, nothing to be thrown away unasked."""
    number = 1
    while folder.exists():
        aside = folder.with_name(f"{folder.name}.broken{number}")
        if not aside.exists():
            folder.rename(aside)
        number += 1


def _folder(out: Path, cell: Cell, keys: Mapping[str, str]) -> Path:
    """With the key in its name, so that other settings get another folder."""
    return (out / f"{cell.name}-{keys[cell.name][:8]}").absolute()
