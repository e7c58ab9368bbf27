"""What a user varied: runs whose configurations agree in all but the seed are seeds of one *setting*.

name_settings([{"lora.rank": 8}, {"lora.rank": 16}]).labels     # ["lora.rank=8", "lora.rank=16"]
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Flat = Mapping[str, Any]
"""Dotted key -> value; lists are JSON."""

UNSET = "unset"
"""Shown for a key that another setting's configuration has and this one has not."""
MAX_KEYS = 4
"""A label names no more; the table of settings has all that vary."""
_NO_MATTER = {"seed", "paths", "logger", "resume", "tags", "threads", "test", "search", "hydra", "energy", "views"}
"""Top-level keys that say how a run is started, watched and named, and which chance it has."""
_ABOUT_CORPUS = {"title", "licence", "citation", "homepage", "quirks", "counts", "files", "raw"}
"""Of `dataset`: for people, or held together by the digests of the files."""
_NAMES_AND_PLACES = {
    "auto_insert_metric_name",
    "dirpath",
    "enable_model_summary",
    "enable_progress_bar",
    "enable_version_counter",
    "filename",
    "log_every_n_steps",
    "save_last",
    "verbose",
}
_NAMED = ("backbone", "dataset")
"""Groups whose `name` stands for the rest, as far as it goes with the name."""
_FIRST = ("backbone", "lora", "optim", "module", "batch", "window", "length")
"""What is usually varied comes first in a label."""


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a run's configuration that make its setting, dotted."""
    return {
        key: value
        for key, value in _flat(config)
        if key.split(".")[0] not in _NO_MATTER
        and key.rpartition(".")[2] not in _NAMES_AND_PLACES
        and not (key.startswith("dataset.") and key.split(".")[1] in _ABOUT_CORPUS)
    }


def setting_key(settings: Flat) -> str:
    """The same for equal settings."""
    return json.dumps(settings, sort_keys=True, default=str)


@dataclass(frozen=True)
class Names:
    """What tells settings apart.

    Attributes:
        varied: the keys in which they differ. What goes with the name of its backbone (its weights, say) is not among
            them.
        labels: of each setting, all unlike.
        values: of each setting, what it has for each of the varied keys, as it would be typed.
    """

    varied: Sequence[str]
    labels: Sequence[str]
    values: Sequence[Sequence[str]]


def name_settings(settings: Sequence[Flat]) -> Names:
    """Short names for different settings, by what they do not share; a single one goes by its backbone."""
    if len(settings) == 1:
        return Names((), [_pair("backbone.name", settings[0])], [()])
    settings = _with_whole_nodes(settings)
    varied = [key for key in _all_keys(settings) if len({_shown(one, key) for one in settings}) > 1]
    varied = [key for key in varied if not _goes_with_name(key, varied, settings)]
    varied.sort(key=lambda key: _FIRST.index(group) if (group := key.split(".")[0]) in _FIRST else len(_FIRST))
    telling = _telling(varied, settings)
    labels = [" ".join(_pair(key, one) for key in telling) for one in settings]
    return Names(tuple(varied), _unlike(labels), [[_shown(one, key) for key in varied] for one in settings])


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, default=str) if isinstance(value, list | Mapping) else value


def _with_whole_nodes(settings: Sequence[Flat]) -> list[dict[str, Any]]:
    """A callback that some have and others have not is one key, not one for each of its settings."""
    nodes = [{".".join(key.split(".")[:2]) for key in one if key.startswith("callbacks.")} for one in settings]
    nodes_set = [
        {node for node in of if one.get(node, "") is not None} for of, one in zip(nodes, settings, strict=True)
    ]
    partly = set().union(*nodes_set) - set.intersection(*nodes_set)
    return [_folded(one, partly) for one in settings]


def _folded(settings: Flat, nodes: Collection[str]) -> dict[str, Any]:
    folded: dict[str, Any] = {}
    for key, value in settings.items():
        node = ".".join(key.split(".")[:2])
        if node not in nodes or value is None:
            folded.setdefault(key, value)
        elif key == f"{node}._target_":
            folded[node] = str(value).rpartition(".")[2]
    return folded


def _all_keys(settings: Sequence[Flat]) -> list[str]:
    return list(dict.fromkeys(key for one in settings for key in one))


def _goes_with_name(key: str, varied: Sequence[str], settings: Sequence[Flat]) -> bool:
    group = key.split(".")[0]
    name = f"{group}.name"
    if group not in _NAMED or key == name or name not in varied:
        return False
    values: dict[str, set[str]] = {}
    for one in settings:
        values.setdefault(_shown(one, name), set()).add(_shown(one, key))
    return all(len(found) == 1 for found in values.values())


def _telling(varied: Sequence[str], settings: Sequence[Flat]) -> list[str]:
    """Of the keys those that it takes to tell the settings apart, `MAX_KEYS` at most; what is searched (nearly each
    setting has a value of its own) comes last, or it would be the only one."""
    searched = [key for key in varied if 2 * len({_shown(one, key) for one in settings}) > max(len(settings), 8)]
    telling: list[str] = []
    apart = 1
    for key in [*(key for key in varied if key not in searched), *searched]:
        parts = len({tuple(_shown(one, of) for of in (*telling, key)) for one in settings})
        if parts > apart and len(telling) < MAX_KEYS:
            telling.append(key)
            apart = parts
    return [key for key in varied if key in telling]


def _pair(key: str, settings: Flat) -> str:
    return f"{key.removesuffix('.name')}={_shown(settings, key)}"


def _shown(settings: Flat, key: str) -> str:
    if key not in settings:
        return UNSET
    value = settings[key]
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unlike(labels: Sequence[str]) -> list[str]:
    """The same labels, with a number after those that occur more than once."""
    times, seen = Counter(labels), Counter()
    unlike = []
    for label in labels:
        seen[label] += 1
        unlike.append(f"{label} #{seen[label]}" if times[label] > 1 else label)
    return unlike
