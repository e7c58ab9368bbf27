"""One process at a time at a file.

with alone(path):
    ...
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """One thread or process at a time gets in, for a path; the lock beside it is there no longer than that."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f".{path.name}.lock")
    with FileLock(lock):
        try:
            yield
        finally:
            # While it is held this is safe: who waits for the removed file finds it so and starts over (filelock).
            with suppress(PermissionError):  # Windows, where filelock itself removes it
                lock.unlink()
