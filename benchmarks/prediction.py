"""Prediction: raw abstracts tagged a second, ours against transformers' pipeline, the same weights.

    rows = predict(scratch, Sizes())

A LoRA model is trained shortly for it. The pipeline gets its merged weights in transformers' own format and runs at its
best: the batch size and arithmetic that were fastest on a part of the texts. F1 of both is counted on dev.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.process import in_fresh_process
from benchmarks.rows import Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.trainings import ours

CORPUS = "ncbi_documents"
BATCH_SIZES = (1, 8, 32)
DTYPES = ("float32", "bfloat16")
WARMUP_DOCUMENTS = 8
AGGREGATION = "first"
"""A word gets the label of its first piece, as in training: of the pipeline's strategies the one with the best F1."""
OVERLAP = 64
"""Pieces shared by the windows into which the pipeline cuts an abstract that is longer than the model's positions."""

Spans = list[tuple[int, int, str]]


class NotAsGood(AssertionError):
    """Ours finds less than the peer with the same weights, so that a ratio of their speeds would mean nothing."""


def predict(scratch: Path, sizes: Sizes) -> list[Row]:
    """One row: documents a second; F1 of both sides in its settings."""
    ran = scratch / "training"
    ours(ran, f"trainer.max_steps={sizes.tagger_steps}")
    model, merged, texts = ran / "run" / "model", scratch / "merged", scratch / "texts.json"
    num_words = in_fresh_process(_prepare, model, merged, texts, num_documents=sizes.documents)
    trials = {
        (dtype, batch_size): in_fresh_process(_pipeline, merged, texts, sizes.trial_documents, dtype, batch_size)[0]
        for dtype in DTYPES
        for batch_size in BATCH_SIZES
    }
    dtype, batch_size = max(trials, key=lambda setting: trials[setting])
    measurements = {
        "pipeline": lambda folder: in_fresh_process(_pipeline, merged, texts, sizes.documents, dtype, batch_size),
        "ours": lambda folder: in_fresh_process(_ours, model, texts, sizes.documents),
    }
    runs = interleaved(scratch / "runs", measurements, num_runs=sizes.runs)
    f1 = {name: in_fresh_process(_dev_f1, results[-1][1]) for name, results in runs.items()}
    if f1["ours"] < f1["pipeline"]:
        raise NotAsGood(f"dev F1: ours {f1['ours']:.4f}, pipeline {f1['pipeline']:.4f}")
    return [
        make_row(
            "prediction, raw abstracts",
            "documents/s",
            ours=[speed for speed, _ in runs["ours"]],
            peer_name="transformers pipeline",
            peer=[speed for speed, _ in runs["pipeline"]],
            goal=5.0,
            settings={
                "corpus": f"{CORPUS}, dev and train",
                "documents": sizes.documents,
                "words_per_document": num_words / sizes.documents,
                "training_steps": sizes.tagger_steps,
                "dev_f1": f1,
                "pipeline": {"dtype": dtype, "batch_size": batch_size, "aggregation_strategy": AGGREGATION},
                "pipeline_trials": {f"{name}, batches of {size}": speed for (name, size), speed in trials.items()},
            },
            note=f"dev F1 of the same weights: ours {100 * f1['ours']:.2f}, pipeline {100 * f1['pipeline']:.2f}",
        )
    ]


def _prepare(model: Path, merged: Path, texts: Path, *, num_documents: int) -> float:
    """Write the merged weights as transformers has them, and the texts, dev first. Returns the number of words.

    Raises:
        AssertionError: the corpus has fewer documents.
    """
    from openmed.artefact import load_artefact
    from openmed.corpora import load_spec, load_split

    artefact = load_artefact(model)
    transformer = artefact.network.transformer
    transformer.config.id2label = dict(enumerate(artefact.info.tags))
    transformer.config.label2id = artefact.info.tag_ids
    transformer.save_pretrained(merged)
    artefact.tokenizer.model_max_length = transformer.config.max_position_embeddings
    artefact.tokenizer.save_pretrained(merged)
    spec = load_spec(CORPUS)
    chosen = [document.text for split in ("dev", "train") for document in load_split(spec, split).documents]
    assert len(chosen) >= num_documents, f"{CORPUS} has {len(chosen)} documents"
    texts.write_text(json.dumps(chosen[:num_documents]), encoding="utf-8")
    return sum(len(text.split()) for text in chosen[:num_documents])


def _pipeline(merged: Path, texts: Path, num_documents: int, dtype: str, batch_size: int) -> tuple[float, list[Spans]]:
    """(documents a second, spans of each) of transformers' pipeline on a list of texts."""
    import torch
    from transformers import pipeline

    tagger: Any = pipeline(
        "token-classification",
        model=str(merged),
        aggregation_strategy=AGGREGATION,
        stride=OVERLAP,
        dtype=getattr(torch, dtype),
        device="cpu",
    )
    documents = _read(texts, num_documents)
    speed, results = _timed(partial(tagger, batch_size=batch_size), documents)
    return speed, [[(int(hit["start"]), int(hit["end"]), hit["entity_group"]) for hit in hits] for hits in results]


def _ours(model: Path, texts: Path, num_documents: int) -> tuple[float, list[Spans]]:
    """The same of `openmed.load(model)(texts)`."""
    import openmed

    speed, results = _timed(openmed.load(model), _read(texts, num_documents))
    return speed, [[(span.start, span.end, span.label) for span in document.spans] for document in results]


def _timed(tagger: Any, documents: list[str]) -> tuple[float, list[Any]]:
    """(documents a second, results), after a few to warm up."""
    tagger(documents[-WARMUP_DOCUMENTS:])
    began = time.perf_counter()
    results = tagger(documents)
    return len(documents) / (time.perf_counter() - began), results


def _read(texts: Path, num_documents: int) -> list[str]:
    return json.loads(texts.read_text(encoding="utf-8"))[:num_documents]


def _dev_f1(found: Sequence[Spans]) -> float:
    """Exact spans against the gold of dev, whose documents stand first."""
    from openmed.corpora import load_spec, load_split
    from openmed.metrics.counts import score_spans
    from openmed.spans import Span

    gold = load_split(load_spec(CORPUS), "dev").documents
    assert len(found) >= len(gold), "fewer documents were tagged than dev has"
    predicted = [tuple(Span(start, end, label) for start, end, label in spans) for spans in found[: len(gold)]]
    return score_spans([document.spans for document in gold], predicted).micro.f1
