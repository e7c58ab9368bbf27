"""The sides of the prediction rows, each run in a process of its own: a folder and texts in, documents a second out.

    speed, spans = in_ready_process(tag_ours, model, texts, 130)
    speed, spans = in_ready_process(tag_pipeline, merged, texts, 130, "bfloat16", 8)

Texts are a JSON file of raw abstracts, dev's first, so that F1 can be counted on what was tagged.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

CORPUS = "ncbi_documents"
WARMUP_DOCUMENTS = 8
AGGREGATION = "first"
"""A word gets the label of its first piece, as in training: of the pipeline's strategies the one with the best F1."""
OVERLAP = 64
"""Pieces shared by the windows into which the pipeline cuts an abstract that is longer than the model's positions."""

Spans = list[tuple[int, int, str]]


def write_texts(texts: Path, num_documents: int) -> int:
    """Write so many abstracts, dev's first. Returns the number of words.

    Raises:
        AssertionError: the corpus has fewer documents.
    """
    chosen = raw_abstracts()
    assert len(chosen) >= num_documents, f"{CORPUS} has {len(chosen)} documents"
    texts.write_text(json.dumps(chosen[:num_documents]), encoding="utf-8")
    return sum(len(text.split()) for text in chosen[:num_documents])


def raw_abstracts() -> list[str]:
    """Those of dev, then those of train."""
    from openmed.corpora import load_spec, load_split

    spec = load_spec(CORPUS)
    return [document.text for split in ("dev", "train") for document in load_split(spec, split).documents]


def write_merged(model: Path, merged: Path) -> None:
    """Write the model's merged weights as transformers has them."""
    from openmed.artefact import load_artefact

    artefact = load_artefact(model)
    transformer = artefact.network.transformer
    transformer.config.id2label = dict(enumerate(artefact.info.tags))
    transformer.config.label2id = artefact.info.tag_ids
    transformer.save_pretrained(merged)
    artefact.tokenizer.model_max_length = transformer.config.max_position_embeddings
    artefact.tokenizer.save_pretrained(merged)


def write_int8(model: Path, folder: Path) -> list[str]:
    """`openmed export MODEL --to onnx-int8`. Returns the layers that stayed in float32."""
    from openmed.serving.export import export_model

    exported = export_model(model, folder, to="onnx-int8")
    assert exported.quantised is not None
    return list(exported.quantised["left_in_float32"])


def write_copies(model: Path, folder: Path, number: int) -> list[Path]:
    """The model so many times, each with other names of types: to a tagger they are different models."""
    from openmed.artefact import Manifest

    copies = [folder / str(copy) for copy in range(number)]
    for copy in copies:
        shutil.copytree(model, copy)
        manifest = Manifest.read(copy)
        types = [f"{name}{copy.name}" for name in manifest.info["types"]]
        labels = tuple(label if label == "O" else f"{label}{copy.name}" for label in manifest.labels)
        replace(manifest, info={**manifest.info, "types": types}, labels=labels).write(copy)
    return copies


def tag_pipeline(
    merged: Path, texts: Path, num_documents: int, dtype: str, batch_size: int
) -> tuple[float, list[Spans]]:
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


def try_pipeline(
    merged: Path, texts: Path, num_documents: int, dtypes: Sequence[str], batch_sizes: Sequence[int]
) -> dict[tuple[str, int], float]:
    """(arithmetic, batch size) -> documents a second of the pipeline, all in one process."""
    return {
        (dtype, batch_size): tag_pipeline(merged, texts, num_documents, dtype, batch_size)[0]
        for dtype in dtypes
        for batch_size in batch_sizes
    }


def tag_ours(model: Path, texts: Path, num_documents: int, dtype: str = "auto") -> tuple[float, list[Spans]]:
    """The same of `openmed.load(model)(texts)`, for a run's model as for an export."""
    import openmed

    speed, results = _timed(openmed.load(model, dtype=dtype), _read(texts, num_documents))
    return speed, [[(span.start, span.end, span.label) for span in document.spans] for document in results]


def tag_one_and_all(models: Sequence[Path], texts: Path, num_documents: int) -> tuple[float, float]:
    """Seconds of the first model alone, and of all in one pass, in one process, one after the other.

    Raises:
        AssertionError: they did not find what the first one found, once for each model.
    """
    import openmed

    documents = _read(texts, num_documents)
    speed_of_one, alone = _timed(openmed.load(models[0]), documents)
    speed_of_all, together = _timed(openmed.load(models), documents)
    places, all_places = _places(alone), _places(together)
    assert all_places == [sorted(each * len(models)) for each in places], "together the models find other mentions"
    return num_documents / speed_of_one, num_documents / speed_of_all


def _places(documents: list[Any]) -> list[list[tuple[int, int]]]:
    return [sorted((span.start, span.end) for span in document.spans) for document in documents]


def dev_f1(found: Mapping[str, Sequence[Spans]]) -> dict[str, float]:
    """Tagger -> F1 of exact spans against the gold of dev, whose documents stand first."""
    from openmed.corpora import load_spec, load_split
    from openmed.metrics.counts import score_spans
    from openmed.spans import Span

    gold = [document.spans for document in load_split(load_spec(CORPUS), "dev").documents]

    def f1(tagged: Sequence[Spans]) -> float:
        assert len(tagged) >= len(gold), "fewer documents were tagged than dev has"
        predicted = [tuple(Span(start, end, label) for start, end, label in spans) for spans in tagged[: len(gold)]]
        return score_spans(gold, predicted).micro.f1

    return {name: f1(tagged) for name, tagged in found.items()}


def _timed(tagger: Any, documents: list[str]) -> tuple[float, list[Any]]:
    """(documents a second, results), after a few to warm up."""
    tagger(documents[-WARMUP_DOCUMENTS:])
    began = time.perf_counter()
    results = tagger(documents)
    return len(documents) / (time.perf_counter() - began), results


def _read(texts: Path, num_documents: int) -> list[str]:
    return json.loads(texts.read_text(encoding="utf-8"))[:num_documents]
