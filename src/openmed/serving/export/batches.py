"""Documents as the batches that a scorer gets, just as `openmed predict` makes them.

cut = Cut(artefact, documents)
for batch in cut.batches(): ...
cut.scores(scorer)              # (N, C): a row for each word

Shapes: N words, C tags.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from openmed.artefact import Artefact
from openmed.encoding import (
    DOCUMENTS,
    NUM_SPECIAL,
    Batch,
    PieceEncoder,
    SpecialTokens,
    Units,
    collate,
    encode_documents,
    ordered_batches,
    window_lengths,
)
from openmed.predicting import Scorer
from openmed.spans import Document

MAX_PIECES = 2_048
"""Padded pieces of a batch."""


class Cut:
    """Args:
        artefact: whose tokenizer, splitter and windows are used.

    Attributes:
        encoded: the documents' pieces and words.
    """

    def __init__(self, artefact: Artefact, documents: Sequence[Document]) -> None:
        info = artefact.info
        self.encoded = encode_documents(
            documents,
            encoder=PieceEncoder(artefact.tokenizer),
            splitter=info.splitter,
            max_word_pieces=info.max_word_pieces,
        )
        units = Units(documents, self.encoded, DOCUMENTS)
        self._windows = units.windows(capacity=info.capacity, overlap=info.overlap)
        self._special = SpecialTokens.of(artefact.tokenizer)
        self._num_tags = len(info.tags)

    def batches(self, *, num_pieces: int | None = None) -> list[Batch]:
        """Of all windows, or of some from all over the documents, with not many more than `num_pieces` pieces."""
        lengths = window_lengths(self.encoded.word_starts, self._windows, NUM_SPECIAL)
        step = 1 if num_pieces is None else max(1, int(lengths.sum()) // num_pieces)
        windows = self._windows[::step]
        return [
            collate(self.encoded, [windows[i] for i in indices], self._special)
            for indices in ordered_batches(lengths[::step], max_tokens=MAX_PIECES)
        ]

    def scores(self, score: Scorer) -> np.ndarray:
        """(N, C) of all words, in order."""
        scores_NC = np.zeros((self.encoded.num_words, self._num_tags), dtype=np.float32)
        for batch in self.batches():
            scores_NC[batch.words.numpy()] = score(batch)
        return scores_NC
