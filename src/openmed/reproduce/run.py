"""Carry a plan out: each cell an ordinary run of `train.py` in a process of its own; what is done is not done again.

    results = carry_out(plan, Path("outputs/reproduce/dapt-effect"), results=Path("docs/results/dapt.json"))

A cell is known by what decides its outcome (`keys`). The results file has all that tables need, so it outlives the run
folders; a pre-training is done again only where a tagger needs its encoder and the folder is gone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from openmed.errors import RunError
from openmed.reproduce.cells import Cell, list_cells
from openmed.reproduce.keys import NO_TEXT, Lack, cell_keys, is_done
from openmed.reproduce.outcome import outcome
from openmed.reproduce.plan import Plan
from openmed.reproduce.process import Claim, claimed, run_child
from openmed.reproduce.results import Results, keep, read_results
from openmed.training.overrides import quoted
from openmed.training.result import read_result

LOG_LINES = 15
Tell = Callable[[str], None]


class Step(NamedTuple):
    """A run that a plan still wants.

    Attributes:
        again: it has been done; what starts from its encoder has not, and the encoder is gone.
    """

    cell: Cell
    again: bool


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
        RunError: a cell failed; what was done stays, and the same call goes on. Another call is at work in this folder,
            or a training of one that was killed.
        SystemExit: 128 + n after SIGINT or SIGTERM, with the run checkpointed; the same call goes on.
    """
    with claimed(out) as claim:
        keys = cell_keys(plan, lacking=lacking)
        for lack in (lacking or {}).values():
            if lack.state == NO_TEXT:
                raise lack.error
        sitting = _Sitting(out, keys, results or out / "results.json", claim, tell)
        done = read_results(sitting.place)
        steps = to_do(plan, done, keys, out)
        for number, (cell, again) in enumerate(steps, 1):
            why = f", again: its encoder is not in {_folder(out, cell.name, keys)}" if again else ""
            tell(f"[{number} of {len(steps)}] {cell.name}{why}")
            done[cell.name] = sitting.do(cell, again=again)
        return {cell.name: done[cell.name] for cell in list_cells(plan) if cell.name in keys}


def to_do(plan: Plan, done: Results, keys: Mapping[str, str], out: Path) -> list[Step]:
    """The runs that are open, in the order in which they are done, those to be repeated for their encoder among them.

    Args:
        done: what the results file has.
        keys: of the cells that can be done here; others are left out.
        out: the folder of the runs.
    """
    steps: list[Step] = []
    needed: set[str] = set()
    for cell in reversed(list_cells(plan)):  # what starts from an encoder stands behind it
        if cell.name not in keys:
            continue
        folder = _folder(out, cell.name, keys)
        known, finished = is_done(done, cell.name, keys), _is_finished(folder)
        gone = cell.name in needed and not (folder / "encoder" / "config.json").is_file()
        again = gone and (known or finished)
        if known and not again:
            continue
        steps.append(Step(cell, again))
        if cell.parent and (again or not finished):
            needed.add(cell.parent)
    return steps[::-1]


@dataclass(frozen=True)
class _Sitting:
    """What all runs of one call share: their folder, keys, the results file, the claim, who is told."""

    out: Path
    keys: Mapping[str, str]
    place: Path
    claim: Claim
    tell: Tell

    def do(self, cell: Cell, *, again: bool) -> dict[str, Any]:
        """Run a cell where its folder has no finished run, or one without its encoder; keep its outcome."""
        folder = _folder(self.out, cell.name, self.keys)
        wall = {}
        if again and _is_finished(folder):
            _set_aside(folder)
        if not _is_finished(folder):
            seconds = self._train(cell, folder)
            wall = {"wall_seconds": seconds} if seconds else {}
        record = {"key": self.keys[cell.name], **outcome(cell, folder), **wall}
        keep(self.place, cell.name, record)
        return record

    def _train(self, cell: Cell, folder: Path) -> float | None:
        """`train.py`, or its going on after a checkpoint. Returns seconds; None: of a part only."""
        log = folder.with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        goes_on = (folder / "checkpoints" / "last.ckpt").is_file()
        if goes_on:
            arguments = [f"resume={folder}"]  # not read by Hydra
        else:
            _set_aside(folder)
            arguments = [*cell.overrides, f"hydra.run.dir={quoted(str(folder))}"]
            if cell.parent:
                encoder = _folder(self.out, cell.parent, self.keys) / "encoder"
                arguments.append(f"backbone.weights={quoted(str(encoder))}")
        began = time.monotonic()
        command = [sys.executable, "-m", "openmed.training", *arguments]
        status = run_child(command, log, self.claim, tell=self.tell)
        if status != 0:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:])
            raise RunError(
                f"{cell.name} ended with {status}:\n{tail}",
                mend=f"see {log}; what was done before is kept, and the same command goes on",
            )
        return None if goes_on else time.monotonic() - began


def _is_finished(folder: Path) -> bool:
    result = read_result(folder)
    return result is not None and result["status"] == "finished"


def _set_aside(folder: Path) -> None:
    """A run with nothing to go on from: before its first checkpoint it died, or its encoder is gone. Nothing is thrown
    away unasked.
    """
    number = 1
    while folder.exists():
        aside = folder.with_name(f"{folder.name}.broken{number}")
        if not aside.exists():
            folder.rename(aside)
        number += 1


def _folder(out: Path, name: str, keys: Mapping[str, str]) -> Path:
    """With the key in its name, so that other settings get another folder."""
    return (out / f"{name}-{keys[name][:8]}").absolute()
