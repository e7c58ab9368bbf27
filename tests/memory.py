"""How much Python memory something takes at its peak: what streams takes no more of a larger file.

assert peak_memory(lambda: consume(read_jsonl(large))) < 1.1 * peak_memory(lambda: consume(read_jsonl(small)))
"""

from __future__ import annotations

import gc
import tracemalloc
from collections import deque
from collections.abc import Callable, Iterable


def consume(items: Iterable[object]) -> None:
    """Goes through all of them and keeps none."""
    deque(items, maxlen=0)


def peak_memory(work: Callable[[], object]) -> int:
    """Bytes allocated by Python at the peak of `work`, which is run once before, so that caches are filled.

    No collection stands between the two: it would empty the interpreter's store of small tuples, whose filling up (to
    some 100 kB, whatever the work) would be counted.
    """
    gc.collect()
    work()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
