"""Texts that are nearly equal: MinHash finds candidates, the Jaccard index of their 5-grams decides.

The same texts give the same finds in any process and any order: the permutations have a fixed seed, the hash of a
5-gram is arithmetic on its code points, and what the index proposes is verified.

    index = NearIndex(0.8)
    index.add("theletters")
    index.find("theletterz")        # [(similarity, text), ...]

Shapes: N texts, B bands.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

GRAM = 5
MAX_VERIFIED = 64
"""So many candidates of a text are compared with it, those that share the most bands first."""
MAX_IN_BAND = 64
"""So many texts are proposed by one band: of a thousand made from one template it takes the first by name."""
_PERMUTATIONS = 128
_BANDS, _ROWS = 32, 4  # many and narrow, so that little is missed; false candidates cost only time
_KEPT_GRAMS = 1024  # texts, at about 15 KiB each
_POWERS = np.array([pow(0x01000193, GRAM - 1 - place, 2**32) for place in range(GRAM)], dtype=np.uint32)
_MIXER = np.uint64(0x9E3779B97F4A7C15)


class NearIndex:
    """Finds the added texts whose 5-grams have a Jaccard index of at least `threshold` with those of a text.

    Texts are compared in lower case. Beside the texts it keeps about 0.7 KiB of each: hashes of the bands of its
    MinHash signature, as they are and sorted. Adding to an index that was searched sorts anew at the next search.

    A search compares at most `MAX_VERIFIED` texts, those that share the most bands with the one in question, of at
    most `MAX_IN_BAND` for each band; so a thousand sentences made from one template take near-linear time. Only among
    so many alike are near copies left out, and the nearest told need not be the very nearest.
    """

    def __init__(self, threshold: float) -> None:
        from datasketch import MinHash

        self.threshold = threshold
        # `int`: the 5-grams come hashed (its own sha1 of each would take most of the time).
        self._empty = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=int)
        self._added: dict[str, np.ndarray] = {}  # since the last search: a text -> (B,) hashes
        self._texts: list[str] = []
        self._known: set[str] = set()
        self._bands_NB = np.empty((0, _BANDS), dtype=np.uint64)
        self._sorted = np.empty(0, dtype=np.uint64)  # (N * B,) hashes of all bands
        self._owners = np.empty(0, dtype=np.int32)  # (N * B,) the text that each belongs to
        self._grams = lru_cache(_KEPT_GRAMS)(grams_of)

    def add(self, text: str) -> None:
        """Add a text; one that is there already is passed over."""
        if text not in self._known:
            self._known.add(text)
            self._added[text] = self._bands(text)

    def find(self, text: str) -> list[tuple[float, str]]:
        """(similarity, text) of the near copies among the likeliest candidates, the most similar first."""
        if self._added:
            self._sort()
        if not self._texts:
            return []
        grams = grams_of(text)
        found = [(jaccard(grams, self._grams(other)), other) for other in self._candidates(self._bands(text))]
        return sorted((pair for pair in found if pair[0] >= self.threshold), key=lambda pair: (-pair[0], pair[1]))

    def _sort(self) -> None:
        """Take in what was added. Texts are numbered in their own order, so nothing depends on that of adding."""
        texts = [*self._texts, *self._added]
        bands_NB = np.concatenate([self._bands_NB, np.stack(list(self._added.values()))])
        self._added = {}
        order = sorted(range(len(texts)), key=texts.__getitem__)
        self._texts, self._bands_NB = [texts[number] for number in order], bands_NB[order]
        places = np.argsort(self._bands_NB.ravel(), kind="stable")
        self._sorted = self._bands_NB.ravel()[places]
        self._owners = (places // _BANDS).astype(np.int32)

    def _candidates(self, bands: np.ndarray) -> list[str]:
        first = np.searchsorted(self._sorted, bands, side="left")
        last = np.minimum(np.searchsorted(self._sorted, bands, side="right"), first + MAX_IN_BAND)
        hits = [
            self._owners[start:end] for start, end in zip(first.tolist(), last.tolist(), strict=True) if start < end
        ]
        if not hits:
            return []
        numbers, shared = np.unique(np.concatenate(hits), return_counts=True)
        likeliest = numbers[np.argsort(-shared, kind="stable")[:MAX_VERIFIED]]
        return [self._texts[number] for number in likeliest.tolist()]

    def _bands(self, text: str) -> np.ndarray:
        """(B,) uint64: a hash of each band of the signature, and of which band it is."""
        sketch = self._empty.copy()
        sketch.update_batch(_hashes(text.lower()))
        values = sketch.hashvalues.astype(np.uint64).reshape(_BANDS, _ROWS)
        bands = np.arange(1, _BANDS + 1, dtype=np.uint64)
        for row in range(_ROWS):
            bands = bands * _MIXER + values[:, row]
            bands ^= bands >> np.uint64(29)
        return bands


def grams_of(text: str) -> set[str]:
    """The character 5-grams of a text in lower case; of a shorter one, itself."""
    text = text.lower()
    return {text[i : i + GRAM] for i in range(max(len(text) - GRAM + 1, 1))}


def jaccard(one: set[str], other: set[str]) -> float:
    """Shared over all; 1 for equal sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared) if one or other else 1.0


def _hashes(text: str) -> list[int]:
    """A 32-bit hash of each 5-gram."""
    points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    points = np.pad(points, (0, max(GRAM - len(points), 0)))
    grams = np.lib.stride_tricks.sliding_window_view(points, GRAM)
    return np.unique((grams * _POWERS).sum(axis=1, dtype=np.uint32)).tolist()
