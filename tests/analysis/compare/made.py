"""Run folders as a training would leave them, made without one: result.json, config.yaml and predictions.

write_run(tmp_path / "1", seed=1, settings={"lora.rank": 8}, wrong=0.2)
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from openmed.metrics import score_spans
from openmed.spans import Document, Span
from openmed.writers import prediction_json, write_jsonl

WORDS = ("aspirin", "lowers", "fever", "in", "severe", "sepsis", "and", "pain")
TYPES = {"aspirin": "Chemical", "fever": "Disease", "sepsis": "Disease", "pain": "Disease"}


def documents(num_groups: int = 8, per_group: int = 3) -> list[Document]:
    """Sentences of abstracts; "severe sepsis" is a mention of two words."""
    made = []
    for group in range(num_groups):
        for number in range(1, per_group + 1):
            rng = random.Random(f"{group}#{number}")
            text = " ".join(rng.choices(WORDS, k=10))
            spans = [Span(at, at + len(word), TYPES[word]) for at, word in placed(text) if word in TYPES]
            spans = [Span(s.start - 7, s.end, s.label) if text[: s.start].endswith("severe ") else s for s in spans]
            made.append(Document(f"{group}#{number}", text, tuple(spans), group=str(group)))
    return made


def placed(text: str) -> list[tuple[int, str]]:
    at, found = 0, []
    for word in text.split():
        found.append((at, word))
        at += len(word) + 1
    return found


def tagged(gold: Sequence[Document], wrong: float, seed: int) -> list[tuple[Span, ...]]:
    """Gold with so large a share of its mentions missed, cut or of another type, by chance."""
    rng = random.Random(seed)
    predicted = []
    for document in gold:
        found = []
        for span in document.spans:
            kind = rng.choice("mct") if rng.random() < wrong else ""
            if kind == "c":
                found.append(Span(span.start, span.end - 1, span.label))
            elif kind == "t":
                found.append(Span(span.start, span.end, "Gene"))
            elif not kind:
                found.append(span)
        predicted.append(tuple(found))
    return predicted


def write_run(
    folder: Path,
    *,
    seed: int = 1,
    settings: Mapping[str, Any] | None = None,
    wrong: float = 0.2,
    gold: Sequence[Document] | None = None,
    predicted: Sequence[Sequence[Span]] | None = None,
    splits: Sequence[str] = ("dev", "test"),
    dataset: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """A run folder.

    Args:
        settings: dotted keys of its configuration, over those that all have.
        wrong: share of the mentions that are tagged wrongly, where `predicted` does not say how.
        dataset: keys of `dataset` in its configuration.
        changes: keys of result.json.
    """
    gold = documents() if gold is None else gold
    scores: dict[str, Any] = dict.fromkeys(("dev", "test"))
    counts = {"documents": len({doc.group for doc in gold}), "sentences": len(gold)}
    for split in splits:
        found = tagged(gold, wrong, seed) if predicted is None else predicted
        lines = [prediction_json(document, spans) for document, spans in zip(gold, found, strict=True)]
        write_jsonl(lines, folder / "predictions" / f"{split}.jsonl")
        scores[split] = score_spans([document.spans for document in gold], found).as_dict()
    corpus = {"name": "made", "train": "nowhere/train.tsv", "unit": "sentences", **(dataset or {})}
    data = {"files": files or {"made.tsv": "sha256:aa"}, "counts": dict.fromkeys(splits, counts), "losses": {}}
    result = {"run_id": f"{seed}", "module": "ner", "dataset": corpus["name"], "seed": seed, "status": "finished"}
    result |= {"error": None, **scores, "data": data, "versions": {"torch": "2"}, "git_commit": "c0ffee"}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps({**result, **(changes or {})}))
    (folder / "config.yaml").write_text(yaml.safe_dump(config(seed, folder, corpus, settings or {}), sort_keys=False))
    return folder


def config(seed: int, folder: Path, corpus: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "seed": seed,
        "test": True,
        "dataset": dict(corpus),
        "backbone": {"name": "tiny", "weights": "none"},
        "lora": {"rank": 8, "alpha": 16, "targets": "all_linear"},
        "optim": {"lr": 0.002},
        "callbacks": {"best": {"_target_": "a.Checkpoint", "dirpath": str(folder)}, "early_stopping": None},
        "logger": {"kind": "none"},
        "paths": {"run": str(folder)},
    }
    for key, value in settings.items():
        *nodes, leaf = key.split(".")
        place = made
        for node in nodes:
            place = place.setdefault(node, {})
        place[leaf] = value
    return made


def write_sweep(folder: Path, ranks: Mapping[int, float], seeds: Sequence[int] = (1, 2, 3), **more: Any) -> Path:
    """Runs of several settings: LoRA rank -> share of wrong mentions."""
    for rank, wrong in ranks.items():
        for seed in seeds:
            write_run(folder / f"{rank}_{seed}", seed=seed, settings={"lora.rank": rank}, wrong=wrong, **more)
    return folder
