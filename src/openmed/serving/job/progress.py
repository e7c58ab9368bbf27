"""How far a job is: a bar on a terminal, a line now and then elsewhere; both with documents a second and time left.

with shown(total=12_000) as progress: progress.add(1)
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS_BETWEEN_LINES = 30.0


class Progress:
    """Args:
    total: documents to be tagged, as far as can be told; None where it cannot.
    show: is given (documents, documents a second, seconds left or None) after each one.
    """

    def __init__(self, total: float | None, show: Callable[[int, float, float | None], None]) -> None:
        self._total = total
        self._show = show
        self._began = time.monotonic()
        self.documents = 0

    def add(self, documents: int) -> None:
        """So many more are tagged."""
        self.documents += documents
        seconds = time.monotonic() - self._began
        speed = self.documents / seconds if seconds else 0.0
        left = None if self._total is None or not speed else max(self._total - self.documents, 0) / speed
        self._show(self.documents, speed, left)


@contextmanager
def shown(total: float | None) -> Iterator[Progress]:
    """Progress on standard error."""
    if not sys.stderr.isatty():
        yield Progress(total, _Lines())
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    with Bar(TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=total)
        yield Progress(
            total, lambda done, speed, left: bar.update(task, completed=done, description=line(done, speed, left))
        )


class _Lines:
    """Prints a line where the last one is long ago."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, documents: int, speed: float, left: float | None) -> None:
        if time.monotonic() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            print(line(documents, speed, left), file=sys.stderr, flush=True)


def line(documents: int, speed: float, seconds_left: float | None) -> str:
    """ "1,200 documents, 85.3/s, 2 min left"."""
    left = "" if seconds_left is None else f", {duration(seconds_left)} left"
    return f"{documents:,} documents, {speed:.1f}/s{left}"


def duration(seconds: float) -> str:
    """ "50 s", "12 min", "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
