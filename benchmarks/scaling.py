"""`python -m benchmarks.scaling MODEL`: documents a second of the pipeline's steps in one process, and in two.

    python -m benchmarks.scaling outputs/.../model
    python -m benchmarks.scaling outputs/.../model --documents 20      # to see that it runs
    python -m benchmarks.scaling outputs/.../model --out scaling.json

Each process reads a file of raw abstracts, tags it with one thread and writes the results: what a worker of
`openmed.serving.pipeline` does with a task. All begin together once their models are loaded, and each has a file as
long as that of the process that is alone: so twice the documents in the same time is linear. Loading is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.process import ENVIRONMENT, in_fresh_process
from benchmarks.rows import NUM_RUNS, Row, interleaved, make_row
from benchmarks.table import print_rows
from benchmarks.tagging import CORPUS, WARMUP_DOCUMENTS, raw_abstracts

PROCESSES = (1, 2)
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
MAX_LOADING_SECONDS = 600.0
GOAL = 1.9
"""Linear, less a twentieth for what cores share: memory, clock."""


def measure(model: Path, texts: Path, scratch: Path, num_documents: int, num_runs: int) -> Row:
    """The row: documents a second of two processes, against those of one."""

    def run(processes: int) -> Callable[[Path], dict[str, float]]:
        return lambda folder: run_processes(model, texts, folder, processes)

    runs = interleaved(scratch, {str(number): run(number) for number in PROCESSES}, num_runs=num_runs)
    rates = {
        int(number): [int(number) * num_documents / one["seconds"] for one in results]
        for number, results in runs.items()
    }
    loading = statistics.median(one["loading_seconds"] for results in runs.values() for one in results)
    one, two = PROCESSES
    return make_row(
        "tagging, two processes of one thread",
        "documents/s",
        ours=rates[two],
        peer_name="one process",
        peer=rates[one],
        goal=GOAL,
        settings={"corpus": CORPUS, "documents_per_process": num_documents, "loading_seconds": loading},
        note=f"not counted: a process starts and loads the model in {loading:.1f} s",
    )


def run_processes(model: Path, texts: Path, folder: Path, processes: int) -> dict[str, float]:
    """{seconds, loading_seconds}: of the slowest process from the common beginning; from its start to there.

    Raises:
        RuntimeError: a process failed.
    """
    os.environ.update(ENVIRONMENT | ONE_THREAD)
    context = get_context("spawn")
    ready, told = context.Barrier(processes), context.Queue()
    began = time.monotonic()
    workers = [
        context.Process(target=_work, args=(model, texts, folder / f"{number}.jsonl", ready, told))
        for number in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"a process failed: {[worker.exitcode for worker in workers]}")
    spans = [told.get() for _ in workers]
    begin = min(first for first, _ in spans)
    return {"seconds": max(last for _, last in spans) - begin, "loading_seconds": begin - began}


def _work(model: Path, texts: Path, place: Path, ready: Any, told: Any) -> None:
    """Tag the texts; tells when it began and when it ended, by the clock that all processes share."""
    from datatrove.data import Document

    from openmed.serving.pipeline.steps import ReadInputs, TagDocuments, WriteResults

    read, tag = ReadInputs([str(texts)]), TagDocuments([str(model)], threads=1)
    write = WriteResults([(str(texts), str(place))])
    try:
        warm = [Document(document.text, document.id) for document in islice(read(), WARMUP_DOCUMENTS)]
        assert len(list(tag(warm))) == len(warm)
        ready.wait(MAX_LOADING_SECONDS)
    except BaseException:
        ready.abort()  # the others need not wait
        raise
    began = time.monotonic()
    write(tag(read()))
    told.put((began, time.monotonic()))


def write_texts(texts: Path, num_documents: int) -> None:
    """JSON lines of so many abstracts; where the corpus has fewer it begins anew."""
    with texts.open("w", encoding="utf-8") as file:
        for number, text in enumerate(islice(cycle(raw_abstracts()), num_documents)):
            file.write(json.dumps({"id": str(number), "text": text}) + "\n")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description="One process against two.")
    parser.add_argument("model", type=Path, help="a run's model/ folder, or an export")
    parser.add_argument("--documents", type=int, default=600, help="that each process tags")
    parser.add_argument("--runs", type=int, default=NUM_RUNS, help="of each, in turns")
    parser.add_argument("--out", type=Path, help="a file for the results, as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="openmed-scaling-") as scratch:
        texts = Path(scratch) / "texts.jsonl"
        in_fresh_process(write_texts, texts, options.documents)
        row = measure(options.model, texts, Path(scratch), options.documents, options.runs)
    print_rows([row])
    if options.out:
        from openmed.tracking.environment import git_commit, hardware, versions

        facts = {"hardware": hardware(), "versions": versions(), "git_commit": git_commit(Path(__file__).parent)}
        options.out.write_text(json.dumps({**facts, "rows": [row]}, indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
