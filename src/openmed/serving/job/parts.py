"""The documents of one input tagged so far, on disk a thousand at a time: what a killed job need not do again.

    parts = Parts(folder)
    parts.num_documents     # written by an earlier run: pass over so many of the input
    parts.add(document, dropped)
    for document in parts.documents(): ...
    parts.remove()

A part is a file of JSON lines, which hold all of a document, and what was dropped of its entities beside it. It appears
only when whole.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from openmed.readers import read_jsonl
from openmed.spans import Document, Span
from openmed.writers import document_json, write_jsonl
from openmed.writers.jsonl import SCORE_DECIMALS

PART_DOCUMENTS = 1000
PART_CHARACTERS = 4_000_000
"""A part ends where its texts reach this, too: what waits in memory has a bound."""
DOCUMENTS, ENTITIES = "documents", "entities"
_DROPPED = "dropped"


class Parts:
    """Args:
        folder: of this input's parts; made when the first one is full. Of a short input none is ever written.

    Attributes:
        counts: documents and entities added, in this run or before, and entities dropped by reason.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = sorted(folder.glob("*.jsonl"))
        self.counts = _counts(self._files)
        self._waiting: list[tuple[Document, Counter[str]]] = []
        self._num_characters = 0

    @property
    def num_documents(self) -> int:
        return self.counts[DOCUMENTS]

    def add(self, document: Document, dropped: Counter[str]) -> None:
        """One more, with what was dropped of its entities. Scores are rounded as on disk: a kill changes no digit."""
        self.counts.update({DOCUMENTS: 1, ENTITIES: len(document.spans)}, **dropped)
        self._waiting.append((document.with_spans(map(_rounded, document.spans)), dropped))
        self._num_characters += len(document.text)
        if len(self._waiting) == PART_DOCUMENTS or self._num_characters >= PART_CHARACTERS:
            self._write()

    def documents(self) -> Iterator[Document]:
        """All of them, in order."""
        return chain(chain.from_iterable(map(read_jsonl, self._files)), (document for document, _ in self._waiting))

    def leave_out(self, document: Document) -> None:
        """One of the documents will not be in the result: it does not count."""
        self.counts.subtract({DOCUMENTS: 1, ENTITIES: len(document.spans)})

    def remove(self) -> None:
        """Delete them, once the result is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self) -> None:
        file = self._folder / f"{len(self._files):06}.jsonl"
        write_jsonl((document_json(document) | {_DROPPED: dropped} for document, dropped in self._waiting), file)
        self._files.append(file)
        self._waiting, self._num_characters = [], 0


def _counts(files: Iterable[Path]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for entry in map(json.loads, lines):
                counts.update({DOCUMENTS: 1, ENTITIES: len(entry["entities"])}, **entry[_DROPPED])
    return counts


def _rounded(span: Span) -> Span:
    return span if span.score is None else replace(span, score=round(span.score, SCORE_DECIMALS))
