"""JSONL, as `openmed.readers.jsonl` reads it: one document a line, mentions as {start, end, label, text, score}.

write_jsonl(documents, path)
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from os import PathLike
from typing import Any

from openmed.spans import Document, Span
from openmed.writers.atomic import atomic_path

SCORE_DECIMALS = 6


def document_json(document: Document) -> dict[str, Any]:
    """{id, text, entities}; `group`, `words` and `sentences` only where they say more than the rest."""
    entry: dict[str, Any] = {"id": document.id}
    if document.group != document.id:
        entry["group"] = document.group
    entry |= {"text": document.text, "entities": [span_json(document, span) for span in document.spans]}
    for key, ranges in (("words", document.words), ("sentences", document.sentences)):
        if ranges is not None:
            entry[key] = [list(range_) for range_ in ranges]
    return entry


def prediction_json(gold: Document, predicted: Iterable[Span]) -> dict[str, Any]:
    """{id, group, text, gold, entities}: one line of a run's `predictions/<split>.jsonl`."""
    return {
        "id": gold.id,
        "group": gold.group,
        "text": gold.text,
        "gold": [_bounds(span) for span in gold.spans],
        "entities": [span_json(gold, span) for span in predicted],
    }


def _bounds(span: Span) -> dict[str, Any]:
    """{start, end, label} and, of a mention in pieces, fragments."""
    entry: dict[str, Any] = {"start": span.start, "end": span.end, "label": span.label}
    if span.fragments:
        entry["fragments"] = [list(fragment) for fragment in span.fragments]
    return entry


def span_json(document: Document, span: Span) -> dict[str, Any]:
    """{start, end, label, text} and, where known, fragments, score, identifier, model."""
    entry = {**_bounds(span), "text": document.mention(span)}
    if span.score is not None:
        entry["score"] = round(span.score, SCORE_DECIMALS)
    if span.identifier:
        entry["identifier"] = span.identifier
    if span.model:
        entry["model"] = span.model
    return entry


def write_jsonl(
    documents: Iterable[Document | dict[str, Any]], path: str | PathLike[str], *, losses: Counter[str] | None = None
) -> int:
    """Write documents (or ready entries), one a line; returns how many. The file appears only when whole.

    Nothing of a document is lost, so nothing is added to `losses`.
    """
    number = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for entry in documents:
            line = document_json(entry) if isinstance(entry, Document) else entry
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            number += 1
    return number
