"""Tags documents of any length with exact character offsets, by one model or by several in one pass over the text.

Texts go in blocks through the same path as in training: words, pieces, windows with overlap, batches of like
length under a token budget, one emission per word, one constrained Viterbi per document. Batches, their order and
their padding do not change a span (exactly so in float32; in bfloat16 a few scores in a thousand may tip).

    tagger = load("outputs/.../model", dtype="float32")
    for document in tagger.tag(documents): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import overload

import numpy as np

from openmed.encoding import (
    NUM_SPECIAL,
    Batch,
    EncodedCorpus,
    PieceEncoder,
    SpecialTokens,
    Units,
    collate,
    encode_documents,
    legal_matrix,
    log_softmax,
    ordered_batches,
    window_lengths,
)
from openmed.predicting.blocks import in_blocks
from openmed.predicting.model import Model
from openmed.spans import Document, Span


class EntityTagger:
    """Callable on text; see `load`.

    Args:
        models: one or several. Of several, each entity names the one that found it, and all entities are kept.
        max_tokens: padded pieces per batch.
        chunk: documents tokenised and sorted by length together, at most.
        view: what is decoded as one: "documents", or "sentences" (as the corpus or the rule cuts them).

    Attributes:
        chunk: see above.
        losses: what tokenising could not represent of the texts tagged so far, by kind (`openmed.encoding`): it changes
            what the network sees of a word, never an offset.
    """

    def __init__(
        self, models: Sequence[Model], *, max_tokens: int = 4096, chunk: int = 256, view: str = "documents"
    ) -> None:
        assert models
        self.models = tuple(models)
        self.losses: Counter[str] = Counter()
        self._view = view
        self.chunk = chunk
        alike: dict[tuple, list[Model]] = {}
        for model in models:
            alike.setdefault(model.cut, []).append(model)
        self._passes = [_Pass(group, max_tokens=max_tokens, named=len(models) > 1) for group in alike.values()]

    @property
    def types(self) -> tuple[str, ...]:
        """The types of all models."""
        return tuple(dict.fromkeys(name for model in self.models for name in model.info.types))

    @overload
    def __call__(self, texts: str) -> Document: ...  # pyright: ignore[reportOverlappingOverload]  (str is a Sequence)
    @overload
    def __call__(self, texts: Sequence[str]) -> list[Document]: ...
    def __call__(self, texts: str | Sequence[str]) -> Document | list[Document]:
        """Tag one text, or several. Spans count the characters of the very text given."""
        if isinstance(texts, str):
            return self([texts])[0]
        return list(self.tag(Document(str(number), text) for number, text in enumerate(texts, start=1)))

    def tag(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The same documents, in order, with predicted spans (and scores) instead of their own. Streams."""
        for block in in_blocks(documents, size=self.chunk, length=lambda document: len(document.text)):
            found: list[list[Span]] = [[] for _ in block]
            for one_pass in self._passes:
                self.losses.update(one_pass.tag(block, self._view, found))
            for document, spans in zip(block, found, strict=True):
                yield document.with_spans(spans)


class _Pass:
    """Models that cut text alike: it is split, tokenised and batched once for all of them.

    Args:
        named: whether spans say which model found them.
    """

    def __init__(self, models: Sequence[Model], *, max_tokens: int, named: bool) -> None:
        self._models = models
        self._max_tokens = max_tokens
        self._names = [model.name if named else None for model in models]
        self._info = models[0].info
        self._encoder = PieceEncoder(models[0].tokenizer)
        self._special = SpecialTokens.of(models[0].tokenizer)
        self._legal = [legal_matrix(model.info.tags) for model in models]

    def tag(self, documents: list[Document], view: str, found: list[list[Span]]) -> dict[str, int]:
        """Adds to `found` the spans of each document; returns what tokenising lost, by kind."""
        encoded = encode_documents(
            documents,
            encoder=self._encoder,
            splitter=self._info.splitter,
            max_word_pieces=self._info.max_word_pieces,
        )
        units = Units(documents, encoded, view)
        batches = list(self._batches(encoded, units))
        for model, name, legal in zip(self._models, self._names, self._legal, strict=True):
            log_probs_NC = log_softmax(_emissions(model, batches, encoded.num_words) / model.temperature)
            for unit, (first, last) in enumerate(units.bounds.tolist()):
                spans = units.decode(unit, log_probs_NC[first:last], model.info.tags, legal)
                found[units.owner[unit]] += spans if name is None else (replace(span, model=name) for span in spans)
        return dict(encoded.losses)

    def _batches(self, encoded: EncodedCorpus, units: Units) -> Iterator[Batch]:
        windows = units.windows(capacity=self._info.capacity, overlap=self._info.overlap)
        lengths = window_lengths(encoded.word_starts, windows, NUM_SPECIAL)
        for indices in ordered_batches(lengths, max_tokens=self._max_tokens):
            yield collate(encoded, [windows[i] for i in indices], self._special)


def _emissions(model: Model, batches: Iterable[Batch], num_words: int) -> np.ndarray:
    """(num_words, num_tags) float32 scores."""
    emissions = np.zeros((num_words, len(model.info.tags)), dtype=np.float32)
    for batch in batches:
        emissions[batch.words.numpy()] = model.score(batch)
    return emissions
