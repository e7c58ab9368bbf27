"""Whole axes on the command line: `search.space.optim.lr=[1e-3,2e-3]` takes the place of what the preset has there.

Hydra would merge the two: no list fits into a range, and of the preset's range what is not named would stay.

replacing(["search=tpe", "search.space.optim.lr=[1e-3,2e-3]"])
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PREFIX = "search.space."
_PART = re.compile(r"search\.space\.(.+)\.(low|high|log|step|int)")


def replacing(arguments: Sequence[str]) -> list[str]:
    """The same command line, on which a list or a range for an axis first takes out what is there."""
    found: list[str] = []
    for argument in arguments:
        key, _, value = argument.partition("=")
        is_axis = key.startswith(PREFIX) and value.lstrip().startswith(("[", "{"))
        found += [f"~{key}", f"+{argument}"] if is_axis else [argument]
    return found


def part_of_a_list(error: BaseException, arguments: Sequence[str]) -> str | None:
    """What is wrong with `search.space.lora.rank.low=2` where the preset has a list: Hydra takes `low` for an index."""
    if not isinstance(error, ValueError) or "invalid literal for int()" not in str(error):
        return None
    for argument in arguments:
        found = _PART.fullmatch(argument.lstrip("+").partition("=")[0])
        if found and f"'{found[2]}'" in str(error):
            return (
                f"{argument}: search.space.{found[1]} is a list of choices, which has no {found[2]}. "
                f"search.space.{found[1]}={{low: ..., high: ...}} puts a range in its place."
            )
    return None
