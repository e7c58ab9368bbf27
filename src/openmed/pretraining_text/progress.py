"""Look at a long job from the side, now and then, while it runs.

with watched(lambda: print(num_done())): long_job()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def watched(look: Callable[[], None], *, seconds: float = 0.5) -> Iterator[None]:
    """Call `look` every so many seconds, and once more at the end."""
    over = Event()

    def watch() -> None:
        while not over.wait(seconds):
            look()

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        look()
