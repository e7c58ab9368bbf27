"""What each lever of prediction is worth: tagging as it is, and with one thing changed at a time.

    python -m benchmarks.tagging_levers                        # all of them, about 10 minutes on two cores
    python -m benchmarks.tagging_levers "one thread"           # some, beside tagging as it is

A LoRA model of NCBI-disease, trained shortly, tags raw abstracts (those of `benchmarks.prediction`). Runs take turns,
each in a process of its own. "In the network" is the share of the time in which it is at work: what is left is all that
tokenising and decoding beside it could save. "Spans that differ" are those that only this one or only tagging as it is
has found.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.levers import AS_IT_IS, chosen_levers
from benchmarks.process import in_fresh_process, in_ready_process
from benchmarks.rows import interleaved
from benchmarks.sizes import Sizes
from benchmarks.tagging import WARMUP_DOCUMENTS, write_texts
from benchmarks.trainings import ours_marks

TAGGER = "openmed.predicting"


@dataclass(frozen=True)
class Lever:
    """A change to tagging.

    Attributes:
        unmerged: adapters stay beside the weights.
        own_code: transformers' own forward, not ours.
        unsorted: documents go through in the order in which they come.
        load: arguments of `openmed.load`.
        environment: variables of the process.
    """

    unmerged: bool = False
    own_code: bool = False
    unsorted: bool = False
    threads: int | None = None
    load: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


LEVERS: Mapping[str, Lever] = {
    AS_IT_IS: Lever(),
    "adapters not merged": Lever(unmerged=True),
    "transformers' own code": Lever(own_code=True),
    "in the order of the texts": Lever(unsorted=True),
    "float32": Lever(load={"dtype": "float32"}),
    "bfloat16": Lever(load={"dtype": "bfloat16"}),
    "one window at a time": Lever(load={"max_tokens": 1}),
    "batches of 1,024 tokens": Lever(load={"max_tokens": 1024}),
    "batches of 16,384 tokens": Lever(load={"max_tokens": 16_384}),
    "one thread": Lever(threads=1),
    "a thread bound to each core": Lever(environment={"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}),
}


def main(names: list[str], sizes: Sizes | None = None) -> None:
    """Measure in turns and print a line for each lever.

    Raises:
        SystemExit: no lever of that name.
    """
    chosen = chosen_levers(names, LEVERS)
    sizes = sizes or Sizes()
    with tempfile.TemporaryDirectory(prefix="openmed-levers-") as scratch:
        model, texts = Path(scratch) / "run" / "model", Path(scratch) / "texts.json"
        ours_marks(Path(scratch), f"trainer.max_steps={sizes.tagger_steps}")
        in_ready_process(write_texts, texts, sizes.documents)
        measurements = {name: partial(_in_environment, lever, model, texts) for name, lever in chosen.items()}
        runs = interleaved(Path(scratch) / "runs", measurements, num_runs=sizes.runs)
    base, wanted = statistics.median(each.speed for each in runs[AS_IT_IS]), runs[AS_IT_IS][0].spans
    print(f"{sizes.documents} abstracts, {len(wanted)} spans, medians of {sizes.runs} runs")
    print(f"{'':32}documents/s  times as it is  in the network  spans that differ")
    for name, results in runs.items():
        speed, share = (statistics.median(values) for values in zip(*(each[:2] for each in results), strict=True))
        differ = len(wanted ^ results[0].spans)
        print(f"{name:32}{speed:11.1f}{speed / base:16.2f}{share:16.1%}{differ:19}")


class Tagged(NamedTuple):
    """Documents a second, the network's share of the time, and (document, start, end, label) of what was found."""

    speed: float
    share: float
    spans: frozenset[tuple[int, int, int, str]]


def _in_environment(lever: Lever, model: Path, texts: Path, folder: Path) -> Tagged:
    with patch.dict("os.environ", lever.environment):
        return in_fresh_process(_measure, lever, model, texts)


def _measure(lever: Lever, model: Path, texts: Path) -> Tagged:
    import time

    import numpy as np
    import torch

    import openmed
    from openmed.artefact import load_artefact
    from openmed.encoding import batching
    from openmed.predicting.model import NetworkScorer

    if lever.threads is not None:
        torch.set_num_threads(lever.threads)
    scorer, seconds = NetworkScorer.__call__, 0.0

    def score(self: NetworkScorer, batch: Any) -> Any:
        nonlocal seconds
        began = time.perf_counter()
        scores = scorer(self, batch)
        seconds += time.perf_counter() - began
        return scores

    def in_given_order(lengths: Any, *, max_tokens: int) -> list[list[int]]:
        return batching._fill(np.arange(len(lengths)), lengths, max_tokens)

    with ExitStack() as stack:
        stack.enter_context(patch.object(NetworkScorer, "__call__", score))
        if lever.unmerged:
            stack.enter_context(patch(f"{TAGGER}.loading.load_artefact", partial(load_artefact, merge=False)))
        if lever.own_code:
            stack.enter_context(patch("openmed.networks.network.Network.speed_up", lambda network: network))
        if lever.unsorted:
            stack.enter_context(patch(f"{TAGGER}.tagger.ordered_batches", in_given_order))
        documents = json.loads(texts.read_text(encoding="utf-8"))
        tagger = openmed.load(model, **lever.load)
        tagger(documents[-WARMUP_DOCUMENTS:])
        seconds, began = 0.0, time.perf_counter()
        found = tagger(documents)
        took = time.perf_counter() - began
    spans = ((number, span.start, span.end, span.label) for number, each in enumerate(found) for span in each.spans)
    return Tagged(len(documents) / took, seconds / took, frozenset(spans))


if __name__ == "__main__":
    main(sys.argv[1:])
