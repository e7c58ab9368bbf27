"""What was begun in a folder: whether a build may go on there, and in how many parts its sources are read.

parts = claim(Mix.read("..."), Path("outputs/pretrain_text"), done={0, 1, 2})   # of each source
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from openmed.errors import ConfigError
from openmed.pretraining_text.at_hand import part_digests
from openmed.pretraining_text.mix import Mix
from openmed.writers.atomic import atomic_path

STATE = "mix.json"  # not in work/, which may be deleted when all is done


def claim(mix: Mix, out: Path, done: Collection[int]) -> list[int]:
    """The number of parts of each source. The folder is the mix's from now on.

    A source, or file of a folder, that was mended or replaced is read as it is now, unless a task that is done read it
    as it was. Parts stay as they were begun, whatever the sources' sizes: a task is known by its number.

    Args:
        done: tasks that have read their part.

    Raises:
        ConfigError: another mix was begun here, or a task that is done read what is now different.
    """
    state = out / STATE
    content = mix.content()
    begun = json.loads(state.read_text(encoding="utf-8")) if state.is_file() else None
    if begun is not None and begun["mix"] != content:
        raise ConfigError(
            f"{out} holds a build that was begun with another mix ({_difference(begun['mix'], content)})",
            mend="give another --out, or delete the folder",
        )
    parts = mix.num_parts() if begun is None or not done else [len(read) for read in begun["read"]]
    read = [part_digests(source, number) for source, number in zip(mix.sources, parts, strict=True)]
    if begun is not None and done:
        _check_unchanged(mix, out, begun["read"], read, done)
    mine = {"mix": content, "read": read}
    if mine != begun:
        with atomic_path(state) as temporary:
            temporary.write_text(json.dumps(mine), encoding="utf-8")
    return parts


def _check_unchanged(mix: Mix, out: Path, before: list[list[str]], now: list[list[str]], done: Collection[int]) -> None:
    rank = 0
    for source, old, new in zip(mix.sources, before, now, strict=True):
        for was, is_ in zip(old, new, strict=True):
            if rank in done and was != is_:
                raise ConfigError(
                    f"source {source.name!r} ({source.place}) has changed since {out} read it",
                    mend="put back what was there, give another --out, or delete the folder",
                )
            rank += 1


def _difference(before: Any, now: Mapping[str, Any]) -> str:
    """The keys that differ; of sources their names."""
    if not isinstance(before, Mapping):
        return "as another version of openmed wrote it"
    keys = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    if "sources" not in keys:
        return ", ".join(keys)
    old, new = ({source["name"]: source for source in content["sources"]} for content in (before, now))
    names = [repr(name) for name in {**old, **new} if old.get(name) != new.get(name)]
    sources = f"sources {', '.join(names)}" if names else "the order of the sources"
    return ", ".join([*(key for key in keys if key != "sources"), sources])
