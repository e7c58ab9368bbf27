"""What a search may vary: settings with their choices or ranges, read from `search.space` or from the command line.

axes = read_space({"optim": {"lr": {"low": 1e-4, "high": 1e-2, "log": True}}, "lora.rank": [8, 16]})
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openmed.errors import ConfigError, nearest
from openmed.training.overrides import quoted

RANGE = ("low", "high", "log", "step", "int")
_WORD = re.compile(r"[A-Za-z_/][\w./+-]*", re.ASCII)
_CONSTANTS = {"true", "false", "null", "nan", "inf"}


@dataclass(frozen=True)
class Axis:
    """One setting and its values.

    Attributes:
        key: such as "optim.lr" or "backbone".
        choices: values as they stand on a command line; empty for a range.
        low, high: both ends belong to the range. step: None for all numbers between.
        log: equal ratios are equally likely. whole: whole numbers only.
    """

    key: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The choices, or the ends of the range: what a check has to look at."""
        return self.choices or (self.text(self.low), self.text(self.high))

    def text(self, value: Any) -> str:
        """A number of this axis as it stands on a command line: six digits, more say nothing of a setting."""
        return str(int(value)) if self.whole else f"{value:.6g}"

    def as_dict(self) -> dict[str, Any]:
        if self.choices:
            return {"choices": list(self.choices)}
        return {"low": self.low, "high": self.high, "step": self.step, "log": self.log, "int": self.whole}


def read_space(content: Mapping[str, Any]) -> list[Axis]:
    """Axes in their order; keys are dotted or nested.

    Raises:
        ConfigError: a value that is neither a list nor a range, an empty one, or a range that is none.
    """
    axes = [_axis(key, value) for key, value in _flat(content)]
    keys = [axis.key for axis in axes]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"search.space names {key} twice", mend="write it once, dotted or nested")
    return axes


def override_text(value: Any) -> str:
    """A plain value in the grammar of Hydra's command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{','.join(override_text(entry) for entry in value)}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{override_text(entry)}' for key, entry in value.items())}}}"
    if not isinstance(value, str):
        return str(value)
    return value if _WORD.fullmatch(value) and value.lower() not in _CONSTANTS else quoted(value)


def _flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in content.items():
        if isinstance(value, Mapping) and value and not set(value) & {"low", "high"}:
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _axis(key: str, value: Any) -> Axis:
    if isinstance(value, list):
        if not value:
            raise ConfigError(f"search.space.{key} is an empty list", mend=f"~search.space.{key} takes it out")
        texts = tuple(override_text(entry) for entry in value)
        if len(set(texts)) < len(texts):
            raise ConfigError(f"search.space.{key} names a value twice: {', '.join(texts)}")
        return Axis(key, texts)
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"search.space.{key} is {value!r}", mend="write a list of choices, or {low: ..., high: ..., log: true}"
        )
    for name in value:
        if name not in RANGE:
            raise ConfigError(f"search.space.{key} has an unknown field {name!r}", mend=nearest(str(name), RANGE))
    axis = Axis(
        key,
        low=_number(key, "low", value.get("low")),
        high=_number(key, "high", value.get("high")),
        step=None if value.get("step") is None else _number(key, "step", value["step"]),
        log=_flag(key, "log", value.get("log")),
        whole=_flag(key, "int", value.get("int")),
    )
    _check_range(axis)
    return axis


def _number(key: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"search.space.{key}.{name} is {value!r}", mend="give a number")
    return value


def _flag(key: str, name: str, value: Any) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"search.space.{key}.{name} is {value!r}", mend="write true or false")
    return bool(value)


def _check_range(axis: Axis) -> None:
    where = f"search.space.{axis.key}"
    if axis.low > axis.high:
        raise ConfigError(f"{where}: low {axis.low} is above high {axis.high}")
    if axis.log and axis.low <= 0:
        raise ConfigError(f"{where}: a logarithmic range begins above 0, not at {axis.low}")
    if axis.step is not None and (axis.log or axis.step <= 0):
        raise ConfigError(f"{where}: step {axis.step} must be above 0, and a logarithmic range has none")
    if axis.whole and any(value != int(value) for value in (axis.low, axis.high, axis.step or 1)):
        raise ConfigError(f"{where}: a range of whole numbers has whole ends and steps")
