"""Texts that are nearly equal: MinHash finds candidates, the Jaccard index of their 5-grams decides.

The same texts give the same finds in any process and any order: the permutations have a fixed seed, the hash of a
5-gram is arithmetic on its code points, and what the index proposes is verified.

    index = NearIndex(0.8)
    index.add("theletters")
    index.find("theletterz")        # [(similarity, text), ...]
"""

from __future__ import annotations

import numpy as np

GRAM = 5
_PERMUTATIONS = 128
_BANDS = (32, 4)  # bands, rows: many and narrow, so that little is missed; false candidates cost only time
_POWERS = np.array([pow(0x01000193, GRAM - 1 - place, 2**32) for place in range(GRAM)], dtype=np.uint32)


class NearIndex:
    """Finds the added texts whose 5-grams have a Jaccard index of at least `threshold` with those of a text.

    Texts are compared in lower case.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash, MinHashLSH

        self.threshold = threshold
        self._lsh = MinHashLSH(num_perm=_PERMUTATIONS, params=_BANDS)
        # `int`: the 5-grams come hashed (its own sha1 of each would take most of the time).
        self._empty = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=int)
        self._texts: set[str] = set()

    def add(self, text: str) -> None:
        """Add a text; one that is there already is passed over."""
        if text not in self._texts:
            self._texts.add(text)
            self._lsh.insert(text, self._sketch(text), check_duplication=False)

    def find(self, text: str) -> list[tuple[float, str]]:
        """(similarity, text) of every near copy, the most similar first."""
        if not self._texts:
            return []
        grams = grams_of(text)
        candidates = [str(other) for other in self._lsh.query(self._sketch(text))]
        found = [(jaccard(grams, grams_of(other)), other) for other in candidates]
        return sorted((pair for pair in found if pair[0] >= self.threshold), key=lambda pair: (-pair[0], pair[1]))

    def _sketch(self, text: str):
        sketch = self._empty.copy()
        sketch.update_batch(_hashes(text.lower()))
        return sketch


def grams_of(text: str) -> set[str]:
    """The character 5-grams of a text in lower case; of a shorter one, itself."""
    text = text.lower()
    return {text[i : i + GRAM] for i in range(max(len(text) - GRAM + 1, 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared over all; 1 for equal sets."""
    return len(one & other) / len(one | other) if one or other else 1.0


def _hashes(text: str) -> list[int]:
    """A 32-bit hash of each 5-gram."""
    points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    points = np.pad(points, (0, max(GRAM - len(points), 0)))
    grams = np.lib.stride_tricks.sliding_window_view(points, GRAM)
    return np.unique((grams * _POWERS).sum(axis=1, dtype=np.uint32)).tolist()
