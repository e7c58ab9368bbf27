"""Clusters: runs of words with nothing between them, cut from a text, laid out for tokenising, remembered with pieces.

keys = cut_clusters("p53-induced death", words)     # [("p53-induced", (3, 1, 7)), "death"]
memory.add(keys, ids, words, Layout(keys).clusters, losses={})
memory.pieces(np.array([memory.rows[key] for key in keys]))
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import NamedTuple

import numpy as np

from openmed.encoding.backend import integers

SHARED_PIECE = "piece_shared_by_words"
EMPTY_WORD = "word_without_pieces"

Key = str | tuple[str, tuple[int, ...]]
"""A cluster: its text where it is one word, else its text and the length of each word."""


class Pieces(NamedTuple):
    """Pieces of a text: `ids` (num_pieces,), `word_starts` (num_words + 1,) index of each word's first piece."""

    ids: np.ndarray
    word_starts: np.ndarray


def find_clusters(text: str, words: np.ndarray) -> tuple[list[Key], np.ndarray]:
    """The clusters of a text, given the character ranges of its words (num_words, 2), in order.

    Returns:
        the different ones; index of each one that stands in the text, in order (num_clusters,).
    """
    begins, ends = words.T
    firsts = np.flatnonzero(np.append(-1, ends)[:-1] != begins)
    lasts = np.append(firsts, len(words))[1:] - 1
    froms, tos = begins[firsts], ends[lasts]
    numbers: defaultdict[Key, int] = defaultdict(count().__next__)  # what is new gets the next number
    indices = np.empty(len(firsts), dtype=np.int64)
    one = firsts == lasts
    indices[one] = integers([numbers[text[a:b]] for a, b in zip(froms[one].tolist(), tos[one].tolist(), strict=True)])
    if not one.all():
        lengths = (ends - begins).tolist()
        bounds = zip(*(values[~one].tolist() for values in (froms, tos, firsts, lasts + 1)), strict=True)
        indices[~one] = [numbers[text[a:b], tuple(lengths[first:last])] for a, b, first, last in bounds]
    return list(numbers), indices


class Layout:
    """Clusters laid end to end. Words and characters are numbered through all of them.

    Attributes:
        texts, starts, num_words, last_words: of each cluster.
        clusters, word_begins, word_ends: of each word.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self.texts = [key if isinstance(key, str) else key[0] for key in keys]
        lengths = [(len(key),) if isinstance(key, str) else key[1] for key in keys]
        self.num_words = integers(map(len, lengths))
        self.clusters = np.repeat(np.arange(len(keys)), self.num_words)
        self.last_words = np.cumsum(self.num_words) - 1
        word_lengths = integers(chain.from_iterable(lengths))
        self.word_ends = np.cumsum(word_lengths)
        self.word_begins = self.word_ends - word_lengths
        self.starts = self.word_begins[self.last_words - self.num_words + 1]


class Memory:
    """Pieces of the clusters met so far.

    The arrays are of a kind that grows in place: what is learnt costs no more the more is known.

    Attributes:
        rows: each cluster's row in the arrays.
    """

    def __init__(self) -> None:
        self.rows: dict[Key, int] = {}
        self._ends = array("q", [0])  # a row's pieces lie between two neighbours of these
        self._ids = array("i")
        self._opens_word = array("b")
        self._losses = {SHARED_PIECE: array("i"), EMPTY_WORD: array("i")}

    def add(
        self,
        keys: Sequence[Key],
        ids: np.ndarray,
        words: np.ndarray,
        clusters: np.ndarray,
        losses: Mapping[str, np.ndarray],
    ) -> None:
        """New rows.

        Args:
            ids, words: (num_pieces,) in order; the words numbered from 0, none without pieces.
            clusters: (num_words,) index into the keys.
            losses: (num_clusters,) by name.
        """
        num_pieces = np.bincount(clusters[words], minlength=len(keys))
        _extend(self._ends, self._ends[-1] + np.cumsum(num_pieces))
        _extend(self._ids, ids)
        _extend(self._opens_word, np.diff(words, prepend=-1))
        for name, counts in losses.items():
            _extend(self._losses[name], counts)
        self.rows.update(zip(keys, count(len(self.rows)), strict=False))

    def pieces(self, rows: np.ndarray) -> Pieces:
        """The pieces of these rows, one row after the other."""
        ends = np.asarray(self._ends)
        lengths = ends[rows + 1] - ends[rows]
        upto = np.cumsum(lengths)
        places = np.repeat(ends[rows + 1] - upto, lengths) + np.arange(lengths.sum())
        first = np.flatnonzero(np.asarray(self._opens_word)[places])
        return Pieces(np.asarray(self._ids)[places], np.append(first, len(places)))

    def losses(self, rows: np.ndarray) -> dict[str, int]:
        """What is lost in these rows, by name; a row that stands twice counts twice."""
        totals = {name: int(np.asarray(counts)[rows].sum()) for name, counts in self._losses.items()}
        return {name: total for name, total in totals.items() if total}


def _extend(target: array, values: np.ndarray) -> None:
    target.frombytes(values.astype(target.typecode).tobytes())
