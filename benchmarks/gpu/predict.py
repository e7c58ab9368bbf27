"""Prediction on both sides with the same weights: `openmed.load(model)(texts)`, and transformers' pipeline.

found = compare_predictions(work, run_folder / "model", budget)
found.outcomes["ours"].rate, found.agreement        # documents a second; F1 of one side's mentions against the other's
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.ours import Work
from benchmarks.gpu.timing import NUM_ROUNDS, Budget, Outcome, OutputsDiffer, Run, fresh_memory, synchronise, take_turns
from openmed.spans import Span

Mentions = list[set[tuple[int, int, str]]]
"""(start, end, label), for each text."""
MIN_AGREEMENT = 0.95
"""F1 of our mentions against the pipeline's. In bfloat16 a few tags in a thousand tip, and a mention has several."""
F1_SLACK = 0.01
NUM_WARMUP = 32


@dataclass(frozen=True)
class Comparison:
    """Both sides' documents a second, and how alike their mentions are.

    Attributes:
        agreement: F1 of ours against the peer's.
        gold_f1: each side's F1 against the corpus.
    """

    outcomes: dict[str, Outcome]
    agreement: float
    gold_f1: dict[str, float]


def compare_predictions(work: Work, model: Path, budget: Budget) -> Comparison:
    """Tag texts that neither side has seen, another lot each round.

    Raises:
        OutputsDiffer: other mentions, fewer right ones than the pipeline's, or none to compare.
        NotMeasured: out of memory.
    """
    sizes = work.sizes
    num_texts = NUM_WARMUP + NUM_ROUNDS * sizes.num_documents
    rows = work.language.rows(num_texts, num_pieces=sizes.num_pieces - 2, seed=3)
    documents = [row.document(str(number)) for number, row in enumerate(rows)]
    fresh_memory()
    pipeline = _Pipeline(model, work.device)
    found: dict[tuple[str, str], Mentions] = {}

    def turns(side: str, setting: str, tag: Callable[[list[str]], Mentions]) -> Callable[[int], Run]:
        def run(number: int) -> Run:
            if number == 0:
                tag([document.text for document in documents[:NUM_WARMUP]])
            lot = documents[NUM_WARMUP:][number * sizes.num_documents :][: sizes.num_documents]
            synchronise()
            began = time.perf_counter()
            mentions = tag([document.text for document in lot])
            synchronise()
            if number == 0:
                found[side, setting] = mentions
            return Run(len(lot) / (time.perf_counter() - began))

        return run

    sides: dict[str, dict[str, Callable[[list[str]], Mentions]]] = {
        "peer": {f"{size} documents": partial(pipeline, batch_size=size) for size in sizes.pipeline_batches},
        "ours": {
            f"{size * sizes.num_pieces} tokens": _our_tagger(model, work.device, size * sizes.num_pieces)
            for size in sizes.prediction_batches
        },
    }
    outcomes = take_turns(
        {side: {name: turns(side, name, tag) for name, tag in taggers.items()} for side, taggers in sides.items()},
        budget=budget,
    )
    gold = [_mentions(document.spans) for document in documents[NUM_WARMUP:][: sizes.num_documents]]
    return check_mentions(outcomes, {side: found[side, outcome.setting] for side, outcome in outcomes.items()}, gold)


def check_mentions(outcomes: dict[str, Outcome], found: dict[str, Mentions], gold: Mentions) -> Comparison:
    """The comparison, if the mentions allow it.

    Raises:
        OutputsDiffer: see `compare_predictions`.
    """
    agreement = mention_f1(found["ours"], found["peer"])
    gold_f1 = {side: mention_f1(mentions, gold) for side, mentions in found.items()}
    if agreement < MIN_AGREEMENT or gold_f1["ours"] < gold_f1["peer"] - F1_SLACK:
        raise OutputsDiffer(f"mentions agree with F1 {agreement:.4f}; against gold {gold_f1}")
    return Comparison(outcomes, agreement, gold_f1)


def mention_f1(left: Mentions, right: Mentions) -> float:
    """F1 of one side's mentions against the other's; 0.0 where neither has any, since then nothing is compared."""
    shared = sum(len(a & b) for a, b in zip(left, right, strict=True))
    total = sum(map(len, left)) + sum(map(len, right))
    return 2 * shared / total if total else 0.0


def _our_tagger(model: Path, device: str, max_tokens: int) -> Callable[[list[str]], Mentions]:
    """A model folder as its users load it."""
    import openmed

    tagger = openmed.load(model, device=device, max_tokens=max_tokens)
    return lambda texts: [_mentions(document.spans) for document in tagger(texts)]


def _mentions(spans: Sequence[Span]) -> set[tuple[int, int, str]]:
    return {(span.start, span.end, span.label) for span in spans}


class _Pipeline:
    """transformers' pipeline over the same weights, merged, in bfloat16. A word's tag stands on its first piece."""

    def __init__(self, model: Path, device: str) -> None:
        from transformers import pipeline

        from openmed.artefact import load_artefact

        artefact = load_artefact(model)
        transformer = artefact.network.transformer.to(device=device, dtype=torch.bfloat16)
        transformer.config.id2label = dict(enumerate(artefact.info.tags))
        self._pipeline: Any = pipeline(
            "token-classification",
            model=transformer,
            tokenizer=artefact.tokenizer,
            device=device,
            aggregation_strategy="first",
        )

    def __call__(self, texts: Sequence[str], *, batch_size: int) -> Mentions:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sentencepiece, that words are told by their spaces
            found = self._pipeline(list(texts), batch_size=batch_size)
        return [{_bare(text, entity) for entity in entities} for text, entities in zip(texts, found, strict=True)]


def _bare(text: str, entity: dict[str, Any]) -> tuple[int, int, str]:
    """Offsets of sentencepiece begin with the space in front."""
    start = int(entity["start"])
    return start + text[start].isspace(), int(entity["end"]), entity["entity_group"]
