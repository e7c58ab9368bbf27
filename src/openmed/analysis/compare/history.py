"""The course of a training: F1 on dev at each evaluation, from a run's `history.jsonl`.

read_history(folder)[-1].f1

    {"epoch": 1, "step": 199, "tokens": 178512, "dev/f1": 0.71, "dev/loss": 0.41, "train/loss": 0.62}
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from openmed.errors import DataError
from openmed.metrics.names import DEV_F1
from openmed.readers.lines import numbered_lines
from openmed.run_folder import HISTORY


@dataclass(frozen=True, slots=True)
class Point:
    """One evaluation: after how many tokens of training, and F1 on dev (0..1)."""

    tokens: int
    f1: float


def read_history(folder: Path) -> list[Point]:
    """In the order of training; empty where the run kept none.

    Raises:
        DataError: a line that is not such an evaluation.
    """
    path = folder / HISTORY
    if not path.is_file():
        return []
    points = []
    for number, line in numbered_lines(path):
        try:
            entry = json.loads(line)
            points.append(Point(int(entry["tokens"]), float(entry[DEV_F1])))
        except (KeyError, TypeError, ValueError) as error:
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            mend = "the file was cut off or altered: remove the line"
            raise DataError(f"not an evaluation: {what}", path=path, line=number, text=line, mend=mend) from error
    return points
