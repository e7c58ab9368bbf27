"""Words as near duplicates and shared passages are found by: lower case, letters and digits alone, every number alike.

So tokenised corpora ("IL - 2") and running text ("IL-2") have the same words, and so has text whose digits were masked.

    words("IL-2 rose by 31%")       # ["il", "0", "rose", "by", "0"]
    ngram_hashes(words(text), 13)   # (num_words - 12,) uint64
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

_WORD = re.compile(r"[^\W\d_]+|\d+")
_BASE = 0x9E3779B97F4A7C15  # odd, so that every power of it is odd, too: no word is multiplied away


def words(text: str) -> list[str]:
    """Runs of letters in lower case; runs of digits are "0"."""
    return ["0" if found[0].isdigit() else found for found in _WORD.findall(text.casefold())]


def ngram_hashes(words: Sequence[str], size: int) -> np.ndarray:
    """(num_words - size + 1,) uint64, a hash of each run of `size` words; empty where there are fewer."""
    if len(words) < size:
        return np.empty(0, dtype=np.uint64)
    hashes = np.fromiter(map(_word_hash, words), dtype=np.uint64, count=len(words))
    return (np.lib.stride_tricks.sliding_window_view(hashes, size) * _powers(size)).sum(axis=1, dtype=np.uint64)


@lru_cache(maxsize=2**18)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little")


@lru_cache
def _powers(size: int) -> np.ndarray:
    return np.array([pow(_BASE, power, 2**64) for power in range(size)], dtype=np.uint64)
