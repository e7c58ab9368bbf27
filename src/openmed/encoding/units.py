"""What is decoded and scored as one: a sentence or a whole document. The two views of the same encoded split.

A unit is a run of words of one document. Its gold spans are those that start inside it, whether tagging can
express them or not, so that a mention lost in encoding counts as missed.

    units = Units(documents, encoded, view="documents")
    units.gold(0), units.decode(0, log_probs_TC, tags, legal)      # spans in the document's own offsets
    units.document(0)                                              # the unit as a Document of its own
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from openmed.encoding.corpus import EncodedCorpus
from openmed.encoding.decode import unit_spans
from openmed.encoding.windows import Window, cut_windows
from openmed.errors import ConfigError
from openmed.spans import Document, Span

SENTENCES = "sentences"
DOCUMENTS = "documents"
VIEWS = (SENTENCES, DOCUMENTS)


class Units:
    """One view of a split.

    Args:
        documents: the split, in the order in which it was encoded.
        encoded: the same split tokenised.
        view: "sentences" or "documents".

    Raises:
        ConfigError: another view.
    """

    def __init__(self, documents: Sequence[Document], encoded: EncodedCorpus, view: str) -> None:
        if view not in VIEWS:
            raise ConfigError(f"unknown view {view!r}", mend=f"choose one of {', '.join(VIEWS)}")
        assert len(documents) == encoded.num_documents, "documents and encoded split differ"
        self.documents = documents
        self.encoded = encoded
        self.view = view
        starts = encoded.sentence_starts
        if view == SENTENCES:
            bounds = np.stack([starts[:-1], starts[1:]], axis=1)
            owner = np.repeat(np.arange(encoded.num_documents), np.diff(encoded.document_starts))
            number = np.arange(encoded.num_sentences) - encoded.document_starts[owner] + 1
        else:
            edges = starts[encoded.document_starts]
            bounds = np.stack([edges[:-1], edges[1:]], axis=1)
            owner = np.arange(encoded.num_documents)
            number = np.ones_like(owner)
        self.bounds = bounds
        self.owner = owner
        self._number = number

    def __len__(self) -> int:
        return len(self.bounds)

    def windows(self, *, capacity: int, overlap: int) -> list[Window]:
        """Windows that together own every word of every unit once."""
        cut: list[Window] = []
        for first, last in self.bounds.tolist():
            cut += cut_windows(self.encoded.word_starts, first, last, capacity=capacity, overlap=overlap)
        return cut

    def gold(self, unit: int) -> tuple[Span, ...]:
        """Gold spans that start in the unit, in the document's offsets."""
        document = self.documents[self.owner[unit]]
        if self.view == DOCUMENTS:
            return document.spans
        start, end = self._reach(unit)
        first = bisect_left(document.spans, start, key=lambda span: span.start)
        last = bisect_left(document.spans, end, key=lambda span: span.start)
        return document.spans[first:last]

    def decode(self, unit: int, log_probs_TC: np.ndarray, tags: Sequence[str], legal: np.ndarray) -> tuple[Span, ...]:
        """Predicted spans of the unit, in the document's offsets. `log_probs_TC`: (words of the unit, num_tags)."""
        first, last = self.bounds[unit]
        words = [(int(start), int(end)) for start, end in self.encoded.word_ranges[first:last]]
        return unit_spans(words, log_probs_TC, tags, legal)

    def document(self, unit: int) -> Document:
        """The unit as a document with offsets of its own; a sentence is named `<document>#<n>` (n from 1)."""
        index = int(self.owner[unit])
        document = self.documents[index]
        if self.view == DOCUMENTS:
            return document
        start, end = self.range(unit)
        only = self.encoded.document_starts[index + 1] - self.encoded.document_starts[index] == 1
        return Document(
            id=document.id if only else f"{document.id}#{self._number[unit]}",
            text=document.text[start:end],
            group=document.group,
            words=None
            if document.words is None
            else tuple((a - start, b - start) for a, b in document.words if start <= a and b <= end),
            spans=tuple(span.shifted(-start) for span in self.gold(unit)),
        )

    def range(self, unit: int) -> tuple[int, int]:
        """First character and end of the unit in its document: its words, and any gold span that leaves them."""
        first, last = self.bounds[unit]
        if first == last:
            return 0, len(self.documents[self.owner[unit]].text)
        gold = self.gold(unit)
        start, end = int(self.encoded.word_ranges[first, 0]), int(self.encoded.word_ranges[last - 1, 1])
        return min([start, *(span.start for span in gold)]), max([end, *(span.end for span in gold)])

    def _reach(self, unit: int) -> tuple[int, int]:
        """Where spans of this unit may start: from its first word (the first unit: 0) to the next unit's first word."""
        first, last = self.bounds[unit]
        words_first, words_last = self.encoded.document_words(int(self.owner[unit]))
        start = 0 if first == words_first else int(self.encoded.word_ranges[first, 0])
        text = self.documents[self.owner[unit]].text
        end = len(text) if last == words_last else int(self.encoded.word_ranges[last, 0])
        return start, end
