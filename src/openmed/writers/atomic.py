"""Files and folders that are there whole or not at all: written beside their place, then moved.

with atomic_path("result.json") as temporary:
    temporary.write_text(...)
remove_left(folder, {"result.json"})     # by a process that was killed
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Container, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

_LEFT = re.compile(r"\.(.+)\.\d+-[0-9a-f]{8}\.(?:tmp|old)", re.DOTALL)


@contextmanager
def atomic_path(path: str | PathLike[str]) -> Iterator[Path]:
    """A path to write a file or folder to, moved over `path` when the block ends well, removed when it fails.

    An existing file or folder at `path` is replaced only then. Nobody else's temporary name is the same, not even on
    another machine (all containers' processes have number 1): what a killed process left is never taken or removed.
    """
    target = Path(path)
    with beside(target) as temporary:
        yield temporary
        _move(temporary, target)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A hidden path in the target's folder to write a file or folder to. What is there at the end is removed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
    finally:
        _remove(temporary)


def remove_left(folder: Path, names: Container[str]) -> None:
    """Delete what killed processes left beside the files and folders of these names.

    Only for one who alone may write them: what another process is writing looks the same.
    """
    for path in list(folder.iterdir()):
        name = path.name
        while left := _LEFT.fullmatch(name):  # a writer's temporary may be of another's
            name = left[1]
            if name in names:
                _remove(path)
                break


def _move(temporary: Path, target: Path) -> None:
    if not (target.exists() and (temporary.is_dir() or target.is_dir())):
        os.replace(temporary, target)
        return
    # No system call puts something in a folder's place: what was there steps aside, and comes back if that fails.
    old = temporary.with_suffix(".old")
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
