"""A split as flat arrays: pieces, words, sentences and documents, each pointing into the one before.

One array per level instead of a Python object per word keeps memory small, makes any run of sentences a slice, and
lets the whole split be written once and mapped from disk afterwards (`openmed.encoding.cache`).

    encoded = encode_documents(documents, encoder=PieceEncoder(tokenizer), splitter="punctuation", tags=tag_ids)
    encoded.num_documents, encoded.num_words, encoded.piece_ids
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from openmed.encoding.pieces import PieceEncoder
from openmed.encoding.words import split_sentences, words_of
from openmed.spans import Document, Range
from openmed.tagging import encode_document

LONG_WORD = "word_pieces_cut"
SENTENCE_CUT = "sentence_edge_inside_word"
MENTION_CUT = "sentence_edge_inside_mention"
"""Counted in edges: the mention is whole in documents, but sentence by sentence only its first part can be tagged."""
IGNORE = -1
"""Tag id of a word that has no gold tag (raw text to be tagged)."""

ARRAYS = ("piece_ids", "word_starts", "word_ranges", "tag_ids", "sentence_starts", "document_starts")


@dataclass(frozen=True, slots=True)
class EncodedCorpus:
    """A tokenised split.

    Attributes:
        piece_ids: (num_pieces,) int32, special tokens not included.
        word_starts: (num_words + 1,) int64, index of each word's first piece.
        word_ranges: (num_words, 2) int32, start and end of each word in its document's text.
        tag_ids: (num_words,) int16, gold tag of each word, IGNORE where there is none.
        sentence_starts: (num_sentences + 1,) int64, index of each sentence's first word.
        document_starts: (num_documents + 1,) int64, index of each document's first sentence. Each document has a
            sentence; that of a document without words is empty, and no other is.
        losses: what could not be represented, counted by kind.
    """

    piece_ids: np.ndarray
    word_starts: np.ndarray
    word_ranges: np.ndarray
    tag_ids: np.ndarray
    sentence_starts: np.ndarray
    document_starts: np.ndarray
    losses: Mapping[str, int]

    @property
    def num_words(self) -> int:
        return len(self.tag_ids)

    @property
    def num_sentences(self) -> int:
        return len(self.sentence_starts) - 1

    @property
    def num_documents(self) -> int:
        return len(self.document_starts) - 1

    def document_words(self, document: int) -> Range:
        """First and last (exclusive) word of a document."""
        first, last = self.document_starts[document : document + 2]
        return int(self.sentence_starts[first]), int(self.sentence_starts[last])


def encode_documents(
    documents: Iterable[Document],
    *,
    encoder: PieceEncoder,
    splitter: str,
    tags: Mapping[str, int] | None = None,
    max_word_pieces: int = 64,
    chunk: int = 2_000,
) -> EncodedCorpus:
    """Tokenise documents, `chunk` at a time.

    Args:
        documents: with gold spans; words and sentences are made by rule where a document has none.
        encoder: the backbone's tokenizer; its losses are reported with the corpus's.
        splitter: name of the word splitter for raw text.
        tags: tag -> id; None when there is no gold (all tags IGNORE).
        max_word_pieces: pieces of one word beyond this many are left out (a 500-letter DNA string), and counted.
        chunk: documents per call of the tokenizer.

    Raises:
        KeyError: a gold type that is not in `tags`.
    """
    losses: Counter[str] = Counter()
    encoder.losses.clear()
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ARRAYS}
    offsets = Counter[str]()
    for block in _blocks(documents, chunk):
        ranges = [words_of(document, splitter) for document in block]
        pieces = encoder.encode([document.text for document in block], ranges)
        for document, words, (ids, starts) in zip(block, ranges, pieces, strict=True):
            ids, starts = _cap(ids, starts, max_word_pieces, losses)
            sentences = _sentence_words(document, words, losses)
            parts["piece_ids"].append(ids)
            parts["word_starts"].append(starts[:-1] + offsets["pieces"])
            parts["word_ranges"].append(np.asarray(words, dtype=np.int32).reshape(-1, 2))
            parts["tag_ids"].append(_tag_ids(document, words, sentences, tags, losses))
            parts["sentence_starts"].append(np.asarray(sentences, dtype=np.int64) + offsets["words"])
            parts["document_starts"].append(np.asarray([offsets["sentences"]], dtype=np.int64))
            offsets.update(pieces=len(ids), words=len(words), sentences=len(sentences))
    losses.update(encoder.losses)
    for name, level in (("word_starts", "pieces"), ("sentence_starts", "words"), ("document_starts", "sentences")):
        parts[name].append(np.asarray([offsets[level]], dtype=np.int64))
    arrays = {name: np.concatenate(values) if values else _empty(name) for name, values in parts.items()}
    return EncodedCorpus(**arrays, losses=dict(sorted((+losses).items())))


def _empty(name: str) -> np.ndarray:
    dtype = {"piece_ids": np.int32, "word_ranges": np.int32, "tag_ids": np.int16}.get(name, np.int64)
    return np.zeros((0, 2) if name == "word_ranges" else 0, dtype=dtype)


def _blocks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while block := list(islice(iterator, size)):
        yield block


def _tag_ids(
    document: Document,
    words: Sequence[Range],
    sentences: Sequence[int],
    tags: Mapping[str, int] | None,
    losses: Counter[str],
) -> np.ndarray:
    if tags is None:
        return np.full(len(words), IGNORE, dtype=np.int16)
    names, lost = encode_document(words, document.spans)
    losses.update(lost)
    losses[MENTION_CUT] += sum(names[first].startswith("I-") for first in sentences if names)
    return np.fromiter((tags[name] for name in names), dtype=np.int16, count=len(names))


def _cap(ids: np.ndarray, starts: np.ndarray, limit: int, losses: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """Keep at most `limit` pieces of each word."""
    lengths = np.diff(starts)
    if not len(lengths) or lengths.max() <= limit:
        return ids, starts
    losses[LONG_WORD] += int((lengths > limit).sum())
    place_in_word = np.arange(len(ids)) - np.repeat(starts[:-1], lengths)
    capped = np.concatenate(([0], np.cumsum(np.minimum(lengths, limit))))
    return ids[place_in_word < limit], capped


def _sentence_words(document: Document, words: Sequence[Range], losses: Counter[str]) -> list[int]:
    """Index of the first word of each sentence. A sentence edge inside a word moves to the end of the word."""
    sentences = document.sentences if document.sentences is not None else split_sentences(document.text)
    starts = np.fromiter((start for start, _ in words), dtype=np.int64, count=len(words))
    if not len(starts):
        return [0]
    firsts = np.searchsorted(starts, [start for start, _ in sentences], side="left")
    for (start, _), first in zip(sentences, firsts, strict=True):
        if first > 0 and words[first - 1][1] > start:
            losses[SENTENCE_CUT] += 1
    return sorted({0, *(int(first) for first in firsts if first < len(starts))})
