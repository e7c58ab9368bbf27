"""Word pieces that respect words: each word gets at least one piece of its own, with any fast tokenizer.

The label of a word stands on its first piece, so a piece must never belong to two words. Text is tokenised one
*cluster* at a time (words with nothing between them, as `p53-induced` cut into `p53`, `-`, `induced`), which gives
the very pieces that the tokenizer gives for the whole text; only where a piece crosses a word's edge (a
sentencepiece such as `),`) are that cluster's words tokenised one by one. Clusters repeat, so they are tokenised
once and remembered.

    encoder = PieceEncoder(tokenizer)
    pieces = encoder.encode(["p53-induced"], [[(0, 3), (3, 4), (4, 11)]])[0]
    pieces.ids, pieces.word_starts      # ids of all pieces; index of each word's first piece, then their number
"""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from openmed.spans import Range

SHARED_PIECE = "piece_shared_by_words"
EMPTY_WORD = "word_without_pieces"


class Pieces(NamedTuple):
    """Pieces of one text: `ids` (num_pieces,), `word_starts` (num_words + 1,) index of each word's first piece."""

    ids: np.ndarray
    word_starts: np.ndarray


class _Cluster(NamedTuple):
    ids: tuple[int, ...]
    word_lengths: tuple[int, ...]
    losses: tuple[str, ...] = ()  # names of what is lost each time this cluster stands in a text


_Key = tuple[str, tuple[int, ...]]

_SURROGATE = re.compile("[\ud800-\udfff]")


class BackendEncoding(Protocol):
    """What the `tokenizers` library returns for one text."""

    ids: list[int]
    offsets: list[tuple[int, int]]


class PieceEncoder:
    """Turns words into pieces with a fast Hugging Face tokenizer.

    Args:
        tokenizer: a `PreTrainedTokenizerFast`.
        max_clusters: how many clusters to remember before the memory starts anew (keeps memory flat on a stream).

    Attributes:
        losses: in the texts encoded so far, how often a piece was shared by words (tokenised apart instead) and how
            often a word had no pieces (it got the unknown-token id).

    Raises:
        ValueError: a tokenizer without an unknown token or a fast backend.
    """

    def __init__(self, tokenizer, *, max_clusters: int = 500_000) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(f"{type(tokenizer).__name__} is not a fast tokenizer: it gives no character offsets")
        # A copy, since saved tokenizers may come with padding and truncation switched on (MiniLM's does).
        self._backend = copy.deepcopy(tokenizer.backend_tokenizer)
        self._backend.no_padding()
        self._backend.no_truncation()
        self._backend.encode_special_tokens = True  # "[SEP]" in a text is text
        self._unknown_id = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
        if self._unknown_id is None:
            raise ValueError(f"{type(tokenizer).__name__} has neither an unknown nor a padding token")
        self._prefix = _space_prefix(self._backend)
        self._max_clusters = max_clusters
        self._known: dict[_Key, _Cluster] = {}
        self.losses: Counter[str] = Counter()

    def encode(self, texts: Sequence[str], words: Sequence[Sequence[Range]]) -> list[Pieces]:
        """Pieces of each text. `words[i]` are the word ranges of `texts[i]`, in order."""
        keys = [list(_clusters(text, ranges)) for text, ranges in zip(texts, words, strict=True)]
        if len(self._known) > self._max_clusters:
            self._known.clear()
        self._learn({key for text_keys in keys for key in text_keys} - self._known.keys())
        return [self._assemble(text_keys) for text_keys in keys]

    def _assemble(self, keys: Sequence[_Key]) -> Pieces:
        ids: list[int] = []
        lengths: list[int] = []
        for key in keys:
            cluster = self._known[key]
            ids += cluster.ids
            lengths += cluster.word_lengths
            if cluster.losses:
                self.losses.update(cluster.losses)
        starts = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=starts[1:])
        return Pieces(np.asarray(ids, dtype=np.int32), starts)

    def _learn(self, keys: set[_Key]) -> None:
        todo = sorted(keys)
        for key, encoding in zip(todo, self._encode_batch([key[0] for key in todo], self._prefix), strict=True):
            self._known[key] = self._cluster(key, encoding)

    def _encode_batch(self, texts: list[str], prefix: str) -> list[BackendEncoding]:
        # A lone surrogate (half an emoji, from JSON) is refused by the backend; U+FFFD is as long.
        texts = [prefix + _SURROGATE.sub("\ufffd", text) for text in texts]
        return self._backend.encode_batch(texts, add_special_tokens=False)

    def _cluster(self, key: _Key, encoding: BackendEncoding) -> _Cluster:
        """Give each piece to the word in which it starts; when one crosses a word's edge, tokenise word by word."""
        text, starts = key
        ends = (*starts[1:], len(text))
        shift = len(self._prefix)
        lengths = [0] * len(starts)
        word = 0
        for begin, end in encoding.offsets:
            begin, end = max(begin - shift, 0), max(end - shift, 0)
            while word + 1 < len(starts) and begin >= ends[word]:
                word += 1
            if end > ends[word]:
                return self._word_by_word(key, SHARED_PIECE)
            lengths[word] += 1
        if 0 in lengths:
            return self._word_by_word(key)
        return _Cluster(tuple(encoding.ids), tuple(lengths))

    def _word_by_word(self, key: _Key, *losses: str) -> _Cluster:
        text, starts = key
        words = [text[start:end] for start, end in zip(starts, (*starts[1:], len(text)), strict=True)]
        encodings = [*self._encode_batch(words[:1], self._prefix), *self._encode_batch(words[1:], "")]
        ids: list[int] = []
        lengths: list[int] = []
        for encoding in encodings:
            pieces = list(encoding.ids)
            if not pieces:
                losses += (EMPTY_WORD,)
                pieces = [self._unknown_id]
            ids += pieces
            lengths.append(len(pieces))
        return _Cluster(tuple(ids), tuple(lengths), losses)


def _clusters(text: str, words: Sequence[Range]) -> Iterator[_Key]:
    """Maximal runs of words with nothing between them: (their text, where each word starts in it)."""
    first = 0
    for index in range(1, len(words) + 1):
        if index == len(words) or words[index][0] != words[index - 1][1]:
            origin = words[first][0]
            starts = tuple(start - origin for start, _ in words[first:index])
            yield text[origin : words[index - 1][1]], starts
            first = index


def _space_prefix(backend) -> str:
    """The prefix ("" or " ") with which a chunk alone gives the pieces it has inside a text.

    Byte-level BPE marks words by the space before them; WordPiece ignores it; sentencepiece adds its own mark.
    """

    def ids(text: str) -> list[int]:
        return backend.encode(text, add_special_tokens=False).ids

    inside = ids("a b")[len(ids("a")) :]
    return "" if inside == ids("b") else " "
