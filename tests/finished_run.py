"""A finished run's folder without a training: a model, predictions, and the result.json that these predictions give.

model = write_run(tmp_path / "run", local_spec(bert), lora=LORA)        # run/model
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from openmed.artefact import save_artefact
from openmed.metrics import score_spans
from openmed.networks import BackboneSpec, LoraSpec, load_tokenizer
from openmed.spans import Document, Span
from openmed.writers import prediction_json, write_jsonl
from tests.backbones import INFO, make_network

RUN_ID = "1a2b3c4d"
DATASET: Mapping[str, Any] = {
    "name": "demo",
    "title": "A corpus | of tests",
    "licence": "CC BY 4.0",
    "citation": "Nobody (2026). Nothing_at_all.",
    "homepage": "https://example.org/a_b",
    "quirks": None,
}
TRAIN_FILE = "/".join(("", "home", "somebody", "corpus", "train.tsv"))
"""In somebody's home: it must not be published. Put together here, since no file of the project names such a path."""
ENERGY = {"kwh": 0.0123, "kg_co2e": 0.0047, "method": "codecarbon: a meter", "sittings": 2, "lost_sittings": 1}


def write_run(
    folder: Path,
    spec: BackboneSpec,
    *,
    lora: LoraSpec | None,
    test: bool = True,
    dataset: Mapping[str, Any] = DATASET,
    **changes: Any,
) -> Path:
    """The `model/` of the new run folder.

    Args:
        test: whether the run scored test.
        changes: of result.json.
    """
    save_artefact(
        folder / "model",
        make_network(spec, lora),
        load_tokenizer(spec),
        info=INFO,
        backbone=spec,
        provenance={"run_id": RUN_ID, "dataset": {"name": dataset["name"]}, "unit": "sentences", "seed": 3},
    )
    splits = ("dev", "test") if test else ("dev",)
    scores = {split: _write_predictions(folder, split) for split in splits}
    result = {
        "schema_version": 1, "run_id": RUN_ID, "module": "ner", "dataset": dataset["name"], "backbone": spec.name,
        "seed": 3, "status": "finished", "error": None, "dev": scores["dev"], "test": scores.get("test"),
        "params": {"total": 2_000_000, "trainable": 20_000, "trainable_percent": 1.0},
        "train": {"seconds": 61.0, "steps": 30, "epochs": 2, "tokens": 9_000, "tokens_per_second": 150.0,
                  "padding_fraction": 0.1},
        "energy": ENERGY,
        "data": {
            "files": {TRAIN_FILE: "sha256:" + "0" * 64},
            "counts": {split: {"documents": 4, "sentences": 8, "words": 80, "entities": 16} for split in splits},
            "losses": {split: {} for split in splits},
        },
        "versions": {"python": "3.11"}, "git_commit": "f" * 40, "config_sha256": "e" * 64, "parents": [],
        "hardware": {"cpu": "Some CPU", "num_cores": 2, "memory_gib": 8.0, "gpu": None, "num_gpus": 0},
        **changes,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
    config = {
        "dataset": {**dataset, "train": TRAIN_FILE},
        "module": {"_target_": "openmed.modules.NerModule", "label_smoothing": 0.1},
        "lora": {"rank": 4, "alpha": 8},
        "trainer": {"precision": "auto"},
        "seed": 3,
        "paths": {"run": str(folder)},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder / "model"


def _write_predictions(folder: Path, split: str) -> dict[str, Any]:
    """Eight sentences of four abstracts; per abstract one Disease is found, one missed, and a Chemical is cut short."""
    gold, found = [], []
    for number in range(8):
        text = "Aspirin tablets relieve headache and fever."
        right = (Span(0, 15, "Chemical"), Span(24, 32, "Disease"))
        wrong = (Span(0, 7, "Chemical"), Span(24, 32, "Disease")) if number % 2 else (Span(0, 15, "Chemical"),)
        gold.append(Document(f"{number}", text, right, group=f"abstract {number // 2}"))
        found.append(tuple(Span(span.start, span.end, span.label, score=0.75) for span in wrong))
    lines = (prediction_json(document, spans) for document, spans in zip(gold, found, strict=True))
    write_jsonl(lines, folder / "predictions" / f"{split}.jsonl")
    table = score_spans([document.spans for document in gold], found).as_dict()
    view = {name: table[name] for name in ("precision", "recall", "f1")}
    calibration = {"temperature": 1.5, "entities": 12, "error_before": 0.2, "error_after": 0.05}
    return {**table, "views": {"sentences": view, "documents": view}, "calibration": calibration}
