"""A split as flat arrays: pieces, words, sentences and documents, each pointing into the one before.

One array per level instead of a Python object per word keeps memory small, makes any run of sentences a slice, and
lets the whole split be written once and mapped from disk afterwards (`openmed.data.cache`).

    encoded = encode_documents(documents, encoder=PieceEncoder(tokenizer), splitter="punctuation", tags=tag_ids)
    encoded.num_documents, encoded.num_words, encoded.piece_ids
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np

from openmed.encoding.backend import integers
from openmed.encoding.pieces import PieceEncoder
from openmed.encoding.words import split_sentences, words_of
from openmed.spans import Document, Range, Ranges, Span
from openmed.tagging.codec import claim_words, flatten

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
        tags: tag -> id, "O" among them; None when there is no gold (all tags IGNORE).
        max_word_pieces: pieces of one word beyond this many are left out (a 500-letter DNA string), and counted.
        chunk: documents per call of the tokenizer.

    Raises:
        KeyError: a gold type that is not in `tags`.
    """
    losses: Counter[str] = Counter()
    encoder.losses.clear()
    parts = [
        _encode_block(_Block(block, splitter), encoder, tags, max_word_pieces, losses)
        for block in _blocks(documents, chunk)
    ]
    whole = _Part(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    losses.update(encoder.losses)
    return EncodedCorpus(
        piece_ids=whole.piece_ids,
        word_starts=_starts(whole.word_lengths),
        word_ranges=whole.word_ranges,
        tag_ids=whole.tag_ids,
        sentence_starts=_starts(whole.sentence_lengths),
        document_starts=_starts(whole.document_lengths),
        losses=dict(sorted((+losses).items())),
    )


class _Part(NamedTuple):
    """Some documents as in `EncodedCorpus`, with lengths in place of starts: such parts need only be concatenated."""

    piece_ids: np.ndarray
    word_lengths: np.ndarray
    word_ranges: np.ndarray
    tag_ids: np.ndarray
    sentence_lengths: np.ndarray
    document_lengths: np.ndarray


class _Block:
    """Some documents, laid end to end in one text, so that numpy sees all their words at once.

    Attributes:
        documents, words: the documents, and the words of each.
        text: theirs, with a character between two documents that belongs to neither.
        starts: (num_documents,) each document's first character.
        first_words: (num_documents + 1,) each document's first word.
        word_ranges: (num_words, 2) in the document's text.
        places: (num_words, 2) the same words in the block's text.
    """

    def __init__(self, documents: list[Document], splitter: str) -> None:
        self.documents = documents
        self.words = [words_of(document, splitter) for document in documents]
        self.text = " ".join(document.text for document in documents)
        self.starts = _starts(integers(len(document.text) + 1 for document in documents))[:-1]
        num_words = integers(map(len, self.words))
        self.first_words = _starts(num_words)
        bounds = (words.bounds if isinstance(words, Ranges) else chain.from_iterable(words) for words in self.words)
        self.word_ranges = np.fromiter(chain.from_iterable(bounds), dtype=np.int64, count=2 * num_words.sum()).reshape(
            -1, 2
        )
        self.places = self.word_ranges + np.repeat(self.starts, num_words)[:, None]


def _blocks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """At least one, which is empty where there are no documents."""
    iterator = iter(documents)
    yield list(islice(iterator, size))
    while block := list(islice(iterator, size)):
        yield block


def _encode_block(
    block: _Block, encoder: PieceEncoder, tags: Mapping[str, int] | None, max_word_pieces: int, losses: Counter[str]
) -> _Part:
    pieces = encoder.encode(block.text, block.places)
    piece_ids, word_lengths = _cap(pieces.ids, np.diff(pieces.word_starts), max_word_pieces, losses)
    opens_sentence = _opens_sentence(block, losses)
    return _Part(
        piece_ids,
        word_lengths,
        block.word_ranges.astype(np.int32),
        _tag_ids(block, opens_sentence, tags, losses),
        *_levels(block, opens_sentence),
    )


def _tag_ids(
    block: _Block, opens_sentence: np.ndarray, tags: Mapping[str, int] | None, losses: Counter[str]
) -> np.ndarray:
    """(num_words,) int16."""
    if tags is None:
        return np.full(len(block.places), IGNORE, dtype=np.int16)
    tag_ids = np.full(len(block.places), tags["O"], dtype=np.int16)
    mentions: list[Span] = []
    num_mentions: list[int] = []
    for document in block.documents:
        kept, dropped = flatten(document.spans)
        losses.update(reason for _, reason in dropped)
        mentions += kept
        num_mentions.append(len(kept))
    origins = np.repeat(block.starts, num_mentions)
    begins = integers(mention.start for mention in mentions) + origins
    ends = integers(mention.end for mention in mentions) + origins
    covers = _words_of_ranges(begins, ends, block.places)
    claimed, lost = claim_words(zip(*map(np.ndarray.tolist, covers), strict=True), [span.label for span in mentions])
    losses.update(lost)
    firsts = integers(start for start, _, _ in claimed)
    num_inside = integers(end - start - 1 for start, end, _ in claimed)
    labels = [label for _, _, label in claimed]
    tag_ids[firsts] = _of_labels("B", labels, tags)
    inside = np.repeat(firsts + 1 - _starts(num_inside)[:-1], num_inside) + np.arange(num_inside.sum())
    tag_ids[inside] = np.repeat(_of_labels("I", labels, tags), num_inside)
    losses[MENTION_CUT] += int(opens_sentence[inside].sum())
    return tag_ids


def _of_labels(prefix: str, labels: list[str], tags: Mapping[str, int]) -> np.ndarray:
    """(num_labels,) ids of the labels' tags."""
    ids = {label: tags[f"{prefix}-{label}"] for label in set(labels)}
    return integers(map(ids.__getitem__, labels))


def _words_of_ranges(
    begins: np.ndarray, ends: np.ndarray, words: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `openmed.tagging.words_of_span`, of many ranges (num_ranges,) in one text of `words` (num_words, 2).

    Returns:
        the first word of each, one past the last (the first, where it touches none), whether its edges are theirs.
    """
    first = np.searchsorted(words[:, 1], begins, side="right")
    last = np.maximum(np.searchsorted(words[:, 0], ends, side="left"), first)
    touching = first < last
    exact = np.zeros(len(first), dtype=bool)
    exact[touching] = (words[first[touching], 0] == begins[touching]) & (words[last[touching] - 1, 1] == ends[touching])
    return first, last, exact


def _cap(ids: np.ndarray, lengths: np.ndarray, limit: int, losses: Counter[str]) -> tuple[np.ndarray, np.ndarray]:
    """Keep at most `limit` pieces of each word. `lengths` (num_words,) are the words' numbers of pieces."""
    too_long = lengths > limit
    if not too_long.any():
        return ids, lengths
    losses[LONG_WORD] += int(too_long.sum())
    place_in_word = np.arange(len(ids)) - np.repeat(_starts(lengths)[:-1], lengths)
    return ids[place_in_word < limit], np.minimum(lengths, limit)


def _opens_sentence(block: _Block, losses: Counter[str]) -> np.ndarray:
    """(num_words,) bool: is it the first of a sentence? A sentence edge inside a word moves to the end of the word."""
    sentences = [
        document.sentences if document.sentences is not None else split_sentences(document.text)
        for document in block.documents
    ]
    owners = np.repeat(np.arange(len(sentences)), integers(map(len, sentences)))
    edges = integers(start for ranges in sentences for start, _ in ranges) + block.starts[owners]
    words = np.searchsorted(block.places[:, 0], edges)
    follows = words > block.first_words[owners]  # there is a word of the same document before
    losses[SENTENCE_CUT] += int((block.places[words[follows] - 1, 1] > edges[follows]).sum())
    opens = np.zeros(len(block.places), dtype=bool)
    opens[block.first_words[:-1][np.diff(block.first_words) > 0]] = True
    opens[words[words < block.first_words[owners + 1]]] = True
    return opens


def _levels(block: _Block, opens_sentence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words of each sentence, sentences of each document. A document without words has one sentence, an empty one."""
    wordless = block.first_words[:-1][np.diff(block.first_words) == 0]
    first_words = np.sort(np.append(np.flatnonzero(opens_sentence), wordless))
    num_sentences = np.diff(_starts(opens_sentence)[block.first_words])
    return np.diff(first_words, append=len(block.places)), np.maximum(num_sentences, 1)


def _starts(lengths: np.ndarray) -> np.ndarray:
    """(n + 1,) int64: where each of `lengths` (n,) starts when they lie end to end, and where the last one ends."""
    return np.append(0, np.cumsum(lengths, dtype=np.int64))
