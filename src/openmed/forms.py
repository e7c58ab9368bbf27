"""What the keys of a YAML of the user's may hold: said before anything is made of them.

FORMS: Forms = {"name": (is_text, "name: mine"), "corpora": (are_texts, "corpora: [ncbi, s800]")}
given = checked({"name": "mine"}, FORMS, "mine.yaml")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from openmed.errors import ConfigError, nearest

Forms = Mapping[str, tuple[Callable[[Any], bool], str]]
"""Key -> whether a value will do, and one that does."""


def is_text(value: Any) -> bool:
    """A string, empty or not."""
    return isinstance(value, str)


def are_texts(value: Any) -> bool:
    """A list of strings."""
    return isinstance(value, list | tuple) and all(map(is_text, value))


def have_names(value: Any) -> bool:
    """Keys and values, whose keys are strings, none of them empty."""
    return isinstance(value, Mapping) and are_texts(list(value)) and all(value)


def checked(values: Any, forms: Forms, where: str) -> dict[str, Any]:
    """What is given, keys without a value left out.

    Args:
        where: it stands, for errors.

    Raises:
        ConfigError: not keys and values, an unknown key, a value of another form.
    """
    if not isinstance(values, Mapping):
        examples = "; ".join(example for _, example in forms.values())
        raise ConfigError(f"{where} is {values!r:.80}, not keys and values", mend=f"write {examples}")
    for key, value in values.items():
        if key not in forms:
            raise ConfigError(f"unknown key {key!r} in {where}", mend=nearest(str(key), forms))
        will_do, example = forms[key]
        if value is not None and not will_do(value):
            raise ConfigError(f"{where}: {key} cannot be {value!r:.80}", mend=f"write it like {example}")
    return {key: value for key, value in values.items() if value is not None}
