"""The gap between a corpus's own words and real text: the saved model on the raw abstracts, by character offsets.

add_raw_views(result, folder / "model", load_spec("ncbi"))      # result["dev"]["views"]["raw"]["f1"]
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from openmed.corpora import CorpusSpec, load_spec, load_split
from openmed.errors import DataError
from openmed.metrics import score_spans
from openmed.predicting import load
from openmed.spans import Document

log = logging.getLogger(__name__)
RAW = "raw"


def add_raw_views(result: dict[str, Any], model: Path, spec: CorpusSpec) -> None:
    """Score the splits that `result` has scores of on `spec.raw`, and put the scores beside the other views.

    Where the raw files are not at hand, nothing is added and the log says so.
    """
    splits = [split for split in ("dev", "test") if result[split]]
    if spec.raw is None or not splits:
        return
    raw = load_spec(spec.raw)
    try:
        documents = {split: load_split(raw, split).documents for split in splits}
    except DataError as error:
        log.warning("not scored on raw text: %s", error)
        return
    tagger = load(model)
    for split in splits:
        bare = (Document(document.id, document.text) for document in documents[split])
        predicted = [document.spans for document in tagger.tag(bare)]
        scores = score_spans([document.spans for document in documents[split]], predicted).micro
        result[split]["views"][RAW] = {"precision": scores.precision, "recall": scores.recall, "f1": scores.f1}
