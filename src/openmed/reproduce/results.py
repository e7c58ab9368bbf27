"""The results file: outcomes by the name of the cell, which several processes may add to at once.

keep(place, "ner/minilm/none/ncbi/1", {"key": key, **outcome(cell, folder)})
found = read_results(place)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from openmed.errors import DataError
from openmed.reproduce.outcome import fault
from openmed.writers.alone import alone
from openmed.writers.atomic import atomic_path

Results = dict[str, dict[str, Any]]


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


def keep(place: Path, name: str, record: Mapping[str, Any]) -> None:
    """Put one outcome into the file, and leave the others as they are there by now.

    Raises:
        DataError: as `read_results`.
    """
    with alone(place):
        content = {"cells": dict(sorted({**read_results(place), name: record}.items()))}
        with atomic_path(place) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def with_unchecked(results: Results, found: Results, lacking: Iterable[str]) -> tuple[Results, list[str]]:
    """A plan's own outcomes, and those of which nobody can tell here: a file has them, what they read is not at hand.

    Args:
        results: the plan's own.
        found: all that the file has.
        lacking: the cells whose data cannot be read.

    Returns:
        both, and the names of the second kind.
    """
    unchecked = [name for name in lacking if name in found]
    return {**results, **{name: found[name] for name in unchecked}}, unchecked
