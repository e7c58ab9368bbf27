"""`search` of the configuration, checked.

settings = read_settings({"kind": "tpe", "trials": 40, ...})
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openmed.errors import ConfigError, nearest
from openmed.search.space import Axis, read_space

GRID, TPE = "grid", "tpe"
KINDS = (GRID, TPE)
PRUNERS = ("none", "median", "hyperband")
FIELDS = {"kind", "space", "jobs", "resume", "trials", "seed", "pruner", "storage"}


@dataclass(frozen=True)
class SearchSettings:
    """What is searched and how.

    Attributes:
        kind: "grid" (all combinations) or "tpe".
        trials: how many, those that failed in an earlier sitting not counted.
        jobs: trials drawn at once.
        storage: SQLAlchemy's address of the study; None for SQLite in the sweep's folder.
        resume: the folder of the sweep to go on with.
    """

    kind: str
    space: tuple[Axis, ...]
    trials: int = 1
    seed: int = 1
    pruner: str = "none"
    storage: str | None = None
    jobs: int = 1
    resume: Path | None = None


def read_settings(content: Mapping[str, Any]) -> SearchSettings:
    """`search` as it was composed; without a kind it is a grid of the command line's lists.

    Raises:
        ConfigError: an unknown field, kind or pruner, a number out of range, a grid over a range.
    """
    for name in content:
        if name not in FIELDS:
            raise ConfigError(f"unknown field search.{name}", mend=nearest(str(name), FIELDS))
    kind = content.get("kind") or GRID
    _one_of("kind", kind, KINDS)
    pruner = content.get("pruner") or "none"
    _one_of("pruner", pruner, PRUNERS)
    axes = tuple(read_space(content.get("space") or {}))
    for axis in axes:
        if kind == GRID and not axis.choices:
            raise ConfigError(f"a grid cannot go over the range of {axis.key}", mend="give a list, or use search=tpe")
    if kind == GRID and content.get("trials") is not None:
        raise ConfigError("search.trials is not for a grid", mend="search=tpe has trials; a grid runs all combinations")
    resume = content.get("resume")
    return SearchSettings(
        kind=kind,
        space=axes,
        trials=_count(content, "trials"),
        seed=_count(content, "seed", least=0),
        pruner=pruner,
        storage=content.get("storage"),
        jobs=_count(content, "jobs"),
        resume=Path(str(resume)).expanduser().absolute() if resume else None,
    )


def evaluations_per_epoch(interval: Any, pruner: str) -> int:
    """How often an epoch is scored on dev, as `trainer.val_check_interval` has it: 2 for 0.5.

    Raises:
        ConfigError: trials are to be stopped early, but would be scored at different shares of their training.
    """
    if isinstance(interval, float):
        return max(1, round(1 / interval)) if interval > 0 else 1  # Lightning refuses 0
    if interval is not None and pruner != "none":
        raise ConfigError(
            f"trainer.val_check_interval={interval} is no share of an epoch, as search.pruner={pruner} needs",
            mend="trainer.val_check_interval=0.5 scores dev twice an epoch; search.pruner=none stops nothing",
        )
    return 1


def _one_of(name: str, value: Any, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"unknown search.{name} {value!r}", mend=nearest(str(value), known))


def _count(content: Mapping[str, Any], name: str, least: int = 1) -> int:
    value = 1 if content.get(name) is None else content[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigError(f"search.{name}={value} must be a whole number, at least {least}")
    return value
