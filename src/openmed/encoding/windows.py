"""Windows: a unit of any length as overlapping runs of words that fit the encoder.

Nothing is truncated. A window holds whole words; neighbours share at least `overlap` pieces where the unit is
longer than one window; each word is *owned* by exactly one window, the one in which it stands most central. Loss
and emissions are taken for owned words only, so that every word counts once, and merging is concatenation.

    for window in cut_windows(word_starts, 0, num_words, capacity=254, overlap=50):
        window.start, window.end, window.own_start, window.own_end      # all are word indices
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from openmed.errors import ConfigError

PAD_TO_MULTIPLE = 8
"""Rows of a batch are padded to a multiple of this, so that batches have few different shapes."""


class Window(NamedTuple):
    """Words start..end go in; words own_start..own_end (within them) come out. Indices of words, ends exclusive."""

    start: int
    end: int
    own_start: int
    own_end: int


def check_window(max_pieces: int, overlap: int, num_special: int) -> int:
    """The number of pieces a window has room for beside the special tokens.

    Raises:
        ConfigError: an overlap that leaves less than half a window for new words.
    """
    capacity = max_pieces - num_special
    if capacity < 1:
        raise ConfigError(
            f"a window of {max_pieces} pieces has no room beside {num_special} special tokens",
            mend="raise window.max_pieces",
        )
    if overlap < 0 or 2 * overlap > capacity:
        raise ConfigError(
            f"window.overlap={overlap} does not fit window.max_pieces={max_pieces}: "
            "two neighbours would share more than half a window",
            mend=f"choose an overlap of 0..{capacity // 2}, or longer windows",
        )
    return capacity


def cut_windows(
    word_starts: np.ndarray | Sequence[int], first: int, last: int, *, capacity: int, overlap: int
) -> list[Window]:
    """Windows over the words first..last (exclusive).

    Args:
        word_starts: (num_words + 1,) index of each word's first piece; a word's length is capped at `capacity`.
        capacity: pieces per window, special tokens not counted.
        overlap: pieces that neighbours share at least (unless a single word is longer than what is left).
    """
    if first >= last:
        return []
    starts = np.asarray(word_starts[first : last + 1], dtype=np.int64)
    if starts[-1] - starts[0] <= capacity:
        return [Window(first, last, first, last)]
    lengths = np.minimum(np.diff(starts), capacity)
    positions = np.concatenate(([0], np.cumsum(lengths)))
    return _own([(first + a, first + b) for a, b in _spans(positions, capacity, overlap)], positions, first)


def _spans(positions: np.ndarray, capacity: int, overlap: int) -> list[tuple[int, int]]:
    num_words = len(positions) - 1
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        end = int(np.searchsorted(positions, positions[start] + capacity, side="right")) - 1
        spans.append((start, end))
        if end >= num_words:
            return spans
        # Go back far enough to share `overlap` pieces, but always forward of the last start, and never so far
        # that the word after `end` has no room.
        back = int(np.searchsorted(positions, positions[end] - overlap, side="right")) - 1
        room = int(np.searchsorted(positions, positions[end + 1] - capacity, side="left"))
        start = min(max(back, room, start + 1), end)


def _own(spans: list[tuple[int, int]], positions: np.ndarray, first: int) -> list[Window]:
    """Split each overlap where its words become more central in the next window: by the side of its middle, in pieces,
    on which a word's own middle lies."""
    borders = [spans[0][0]]
    for (_, end), (start, _) in pairwise(spans):
        low, high = start - first, end - first
        twice_middles = positions[low:high] + positions[low + 1 : high + 1]
        borders.append(start + int(np.searchsorted(twice_middles, positions[low] + positions[high], side="right")))
    borders.append(spans[-1][1])
    return [
        Window(start, end, own_start, own_end)
        for (start, end), own_start, own_end in zip(spans, borders, borders[1:], strict=False)
    ]
