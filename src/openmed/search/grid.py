"""All combinations of the command line's lists and of a preset's axes.

combinations(overrides, read_space({"lora": {"rank": [8, 16]}}))    # [("dataset=ncbi", "lora.rank=8"), ...]
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hydra.core.override_parser.types import Override

from openmed.errors import ConfigError
from openmed.search.space import Axis


def lists_of(overrides: Sequence[Override]) -> dict[str, tuple[str, ...]]:
    """Key -> what the command line gives it, as whole arguments: one, or one for each entry of a list.

    Raises:
        ConfigError: a range of Hydra's own (`interval(...)`), which no grid can go over; a `glob(...)` of nothing;
            a list that names a value twice, which would be two jobs of the same name.
    """
    found: dict[str, tuple[str, ...]] = {}
    for override in overrides:
        key = override.get_key_element()
        if not override.is_sweep_override():
            found[key] = (override.input_line or "",)
        elif override.is_discrete_sweep():
            found[key] = tuple(f"{key}={value}" for value in override.sweep_string_iterator())
            if not found[key]:
                raise ConfigError(f"{override.input_line} matches nothing", mend=f"name the values: {key}=...,...")
            if len(set(found[key])) < len(found[key]):
                mend = "once is enough: the same settings and seed give the same run; +search.space.seed=[1,2] repeats"
                raise ConfigError(f"{override.input_line} names a value twice", mend=mend)
        else:
            raise ConfigError(
                f"{override.input_line} is no list",
                mend=f"search=tpe takes ranges: search.space.{key}={{low: ..., high: ...}}",
            )
    return found


def with_axes(lists: dict[str, tuple[str, ...]], axes: Sequence[Axis]) -> dict[str, tuple[str, ...]]:
    """The same with the axes of a preset, save those that the command line gives itself."""
    given = {key.lstrip("+~") for key in lists}
    return lists | {
        axis.key: tuple(f"{axis.key}={value}" for value in axis.choices) for axis in axes if axis.key not in given
    }


def combinations(lists: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """One of each list; the last list's entries change fastest."""
    return list(itertools.product(*lists.values()))


def probes(lists: dict[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Few combinations in which each entry of each list stands once: enough to find what cannot be composed."""
    longest = max((len(entries) for entries in lists.values()), default=1)
    return [tuple(entries[place % len(entries)] for entries in lists.values()) for place in range(longest)]
