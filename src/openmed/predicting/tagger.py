"""A loaded model that tags documents of any length with exact character offsets.

Texts go in chunks through the same path as in training: words, pieces, windows with overlap, batches of like
length under a token budget, one emission per word, one constrained Viterbi per document. Batches, their order and
their padding do not change a span (exactly so in float32; in bfloat16 a few scores in a thousand may tip).

    tagger = load("outputs/.../model", dtype="float32")
    for document in tagger.tag(documents): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import overload

import numpy as np
import torch

from openmed.artefact import Artefact, load_artefact
from openmed.encoding import (
    NUM_SPECIAL,
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
from openmed.errors import ConfigError, nearest
from openmed.networks.network import cast_frozen
from openmed.networks.precision import best_dtype
from openmed.spans import Document

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class EntityTagger:
    """Callable on text; see `load`.

    Args:
        artefact: from `openmed.artefact.load_artefact`.
        device: "cpu", "cuda" ...
        dtype: float32 or bfloat16.
        max_tokens: padded pieces per batch.
        chunk: documents tokenised and sorted by length together.
        view: what is decoded as one: "documents", or "sentences" (as the corpus or the rule cuts them).
    """

    def __init__(
        self,
        artefact: Artefact,
        *,
        device: str,
        dtype: torch.dtype,
        max_tokens: int,
        chunk: int = 256,
        view: str = "documents",
    ) -> None:
        self.info = artefact.info
        self.manifest = artefact.manifest
        self._view = view
        self._device = torch.device(device)
        self._max_tokens = max_tokens
        self._chunk = chunk
        self._network = artefact.network.requires_grad_(False).to(self._device).eval()
        cast_frozen(self._network.model, dtype, vectors=True)
        self._network.speed_up()
        self._encoder = PieceEncoder(artefact.tokenizer)
        self._special = SpecialTokens.of(artefact.tokenizer)
        self._legal = legal_matrix(self.info.tags)

    @property
    def types(self) -> tuple[str, ...]:
        return self.info.types

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
        iterator = iter(documents)
        while block := list(islice(iterator, self._chunk)):
            yield from self._tag_block(block)

    def _tag_block(self, documents: list[Document]) -> Iterator[Document]:
        encoded = encode_documents(
            documents,
            encoder=self._encoder,
            splitter=self.info.splitter,
            max_word_pieces=self.info.max_word_pieces,
        )
        units = Units(documents, encoded, self._view)
        log_probs_NC = log_softmax(self._emissions(encoded, units))
        spans: list[list] = [[] for _ in documents]
        for unit, (first, last) in enumerate(units.bounds.tolist()):
            spans[units.owner[unit]] += units.decode(unit, log_probs_NC[first:last], self.info.tags, self._legal)
        for document, found in zip(documents, spans, strict=True):
            yield document.with_spans(found)

    def _emissions(self, encoded: EncodedCorpus, units: Units) -> np.ndarray:
        """(num_words, num_tags) float32 scores."""
        emissions = np.zeros((encoded.num_words, len(self.info.tags)), dtype=np.float32)
        windows = units.windows(capacity=self.info.capacity, overlap=self.info.overlap)
        lengths = window_lengths(encoded.word_starts, windows, NUM_SPECIAL)
        with torch.inference_mode():
            for indices in ordered_batches(lengths, max_tokens=self._max_tokens):
                batch = collate(encoded, [windows[i] for i in indices], self._special)
                scores = self._network(batch.to(self._device))
                emissions[batch.words.numpy()] = scores.float().cpu().numpy()
        return emissions


def load(
    model: str | PathLike[str],
    *,
    device: str | None = None,
    dtype: str = "auto",
    max_tokens: int = 4096,
    view: str = "documents",
) -> EntityTagger:
    """Load a model folder for tagging.

    Args:
        model: a run's `model/` folder.
        device: None takes the GPU when there is one.
        dtype: "float32", "bfloat16", or "auto": bfloat16 where the hardware computes in it.
        max_tokens: padded pieces per batch.
        view: "documents" decodes each text as one; "sentences" sentence by sentence.

    Raises:
        ArtefactError, BackboneError: the folder or its base weights cannot be used.
        ConfigError: an unknown dtype.
    """
    if dtype not in (*DTYPES, "auto"):
        raise ConfigError(f"unknown dtype {dtype!r}", mend=nearest(dtype, (*DTYPES, "auto")))
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    chosen = best_dtype(device) if dtype == "auto" else DTYPES[dtype]
    return EntityTagger(load_artefact(model), device=device, dtype=chosen, max_tokens=max_tokens, view=view)
