"""The documents of one input tagged so far, on disk a thousand at a time: what a killed job need not do again.

    parts = Parts(folder)
    parts.num_read     # by an earlier run: pass over so many of the input
    parts.add(document, dropped)
    parts.fail(document.id, "cannot be tagged (...)")
    for document in parts.documents(): ...
    parts.remove()

A part is a file of JSON lines, which hold all of a document, and what was dropped of its entities beside it; the last
line holds, too, what failed among them. It appears only when whole.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from openmed.readers import read_jsonl
from openmed.readers.lines import byte_blocks
from openmed.spans import Document, Span
from openmed.writers import document_json, write_jsonl
from openmed.writers.jsonl import SCORE_DECIMALS

PART_DOCUMENTS = 1000
PART_CHARACTERS = 4_000_000
"""A part ends where its texts reach this, too: what waits in memory has a bound."""
DOCUMENTS, ENTITIES = "documents", "entities"
_DROPPED, _FAILED = "dropped", "failed"


class Parts:
    """Args:
        folder: of this input's parts; made when the first one is full. Of a short input none is ever written.

    Attributes:
        counts: documents and entities added, in this run or before, and entities dropped by reason.
        failed: (id, why) of the documents that could not be tagged, in this run or before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = sorted(folder.glob("*.jsonl"))
        self.counts: Counter[str] = Counter()
        self.failed: list[tuple[str, str]] = []
        for entry in _entries(self._files):
            self.counts.update({DOCUMENTS: 1, ENTITIES: len(entry["entities"])}, **entry[_DROPPED])
            self.failed += ((id, why) for id, why in entry.get(_FAILED, ()))
        self._num_failed_written = len(self.failed)
        self._waiting: list[tuple[Document, Counter[str]]] = []
        self._num_characters = 0

    @property
    def num_documents(self) -> int:
        return self.counts[DOCUMENTS]

    @property
    def num_read(self) -> int:
        """Documents of the input, those that failed among them."""
        return self.num_documents + len(self.failed)

    def add(self, document: Document, dropped: Counter[str]) -> None:
        """One more, with what was dropped of its entities. Scores are rounded as on disk: a kill changes no digit."""
        self.counts.update({DOCUMENTS: 1, ENTITIES: len(document.spans)}, **dropped)
        self._waiting.append((document.with_spans(map(_rounded, document.spans)), dropped))
        self._num_characters += len(document.text)
        if len(self._waiting) == PART_DOCUMENTS or self._num_characters >= PART_CHARACTERS:
            self._write()

    def fail(self, id: str, why: str) -> None:
        """The next one cannot be tagged."""
        self.failed.append((id, why))

    def documents(self) -> Iterator[Document]:
        """All that were tagged, in order."""
        return chain(chain.from_iterable(map(read_jsonl, self._files)), (document for document, _ in self._waiting))

    def leave_out(self, document: Document) -> None:
        """One of the documents will not be in the result: it does not count."""
        self.counts.subtract({DOCUMENTS: 1, ENTITIES: len(document.spans)})

    def remove(self) -> None:
        """Delete them, once the result is written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write(self) -> None:
        file = self._folder / f"{len(self._files):06}.jsonl"
        entries = [document_json(document) | {_DROPPED: dropped} for document, dropped in self._waiting]
        if failed := self.failed[self._num_failed_written :]:
            entries[-1][_FAILED] = failed
        write_jsonl(entries, file)
        self._files.append(file)
        self._num_failed_written = len(self.failed)
        self._waiting, self._num_characters = [], 0


def num_in_parts(folder: Path) -> int:
    """Documents in an input's parts, not looked into."""
    return sum(block.count(b"\n") for file in folder.glob("*.jsonl") for block in byte_blocks(file))


def _entries(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    for file in files:
        with file.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _rounded(span: Span) -> Span:
    return span if span.score is None else replace(span, score=round(span.score, SCORE_DECIMALS))
