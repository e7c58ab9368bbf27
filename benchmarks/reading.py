"""Seconds to read each split of the corpora at hand: digest, reader, grouping, counts (`load_split`), best of three.

python -m benchmarks.reading jnlpba jnlpba_documents    # no names: all
"""

from __future__ import annotations

import sys
import time

from openmed.analysis.audit import missing_file
from openmed.corpora import corpus_names, load_spec, load_split
from openmed.tracking import hardware

NUM_RUNS = 3


def main(names: list[str]) -> None:
    """Print a line for each split."""
    print(hardware()["cpu"])
    for name in names or [name for name in corpus_names() if name != "custom"]:
        spec = load_spec(name)
        for split in spec.splits:
            if missing_file(spec, split) is None:
                documents = len(load_split(spec, split).documents)
                seconds = min(_seconds(name, split) for _ in range(NUM_RUNS))
                print(f"{name} {split}: {documents:,} documents, {seconds:.2f} s", flush=True)


def _seconds(name: str, split: str) -> float:
    start = time.perf_counter()
    load_split(load_spec(name), split)
    return time.perf_counter() - start


if __name__ == "__main__":
    main(sys.argv[1:])
