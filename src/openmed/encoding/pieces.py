"""Word pieces that respect words: each word gets at least one piece of its own, with any fast tokenizer.

The label of a word stands on its first piece, so a piece must never belong to two words. Text is tokenised one
*cluster* at a time (words with nothing between them, as `p53-induced` cut into `p53`, `-`, `induced`), which gives
the very pieces that the tokenizer gives for the whole text; only where a piece crosses a word's edge (a
sentencepiece such as `),`) are that cluster's words tokenised one by one. Clusters repeat, so they are tokenised
once and remembered, in flat arrays from which the pieces of a whole text are gathered in one go.

    encoder = PieceEncoder(tokenizer)
    pieces = encoder.encode("p53-induced", [(0, 3), (3, 4), (4, 11)])
    pieces.ids, pieces.word_starts      # ids of all pieces; index of each word's first piece, then their number
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from openmed.encoding.backend import BulkTokenizer, integers
from openmed.encoding.clusters import EMPTY_WORD, SHARED_PIECE, Key, Layout, Memory, Pieces, find_clusters
from openmed.spans import Range


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
        self._unknown_id = tokenizer.unk_token_id if tokenizer.unk_token_id is not None else tokenizer.pad_token_id
        if self._unknown_id is None:
            raise ValueError(f"{type(tokenizer).__name__} has neither an unknown nor a padding token")
        self._tokenise = BulkTokenizer(tokenizer.backend_tokenizer)
        self._max_clusters = max_clusters
        self._memory = Memory()
        self.losses: Counter[str] = Counter()

    def encode(self, text: str, words: Sequence[Range] | np.ndarray) -> Pieces:
        """Pieces of a text. (Of several at once: join them with any character that belongs to no word.)

        Args:
            words: (num_words, 2) the words' character ranges in the text, in order.
        """
        keys, indices = find_clusters(text, np.asarray(words, dtype=np.int64).reshape(-1, 2))
        if len(self._memory.rows) > self._max_clusters:
            self._memory = Memory()
        if new := [key for key in keys if key not in self._memory.rows]:
            self._learn(new)
        rows = integers(map(self._memory.rows.__getitem__, keys))[indices]
        self.losses.update(self._memory.losses(rows))
        return self._memory.pieces(rows)

    def _learn(self, keys: Sequence[Key]) -> None:
        """Tokenise clusters and remember them."""
        layout = Layout(keys)
        ids, words, shared = self._whole(layout)
        apart = shared.copy()
        apart[layout.clusters[_without(words, len(layout.clusters))]] = True
        if apart.any():
            kept = ~apart[layout.clusters[words]]
            apart_ids, apart_words = self._word_by_word(layout, np.flatnonzero(apart[layout.clusters]))
            ids, words = np.append(ids[kept], apart_ids), np.append(words[kept], apart_words)
        empty = _without(words, len(layout.clusters))
        ids, words = np.append(ids, np.full(len(empty), self._unknown_id)), np.append(words, empty)
        order = np.argsort(words, kind="stable")
        num_empty = np.bincount(layout.clusters[empty], minlength=len(keys))
        self._memory.add(keys, ids[order], words[order], layout.clusters, {SHARED_PIECE: shared, EMPTY_WORD: num_empty})

    def _whole(self, layout: Layout) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Tokenise cluster by cluster; a piece goes to the word in which it starts.

        Returns:
            ids (num_pieces,); each piece's word (num_pieces,); whether a cluster has a piece that crosses a word's
            edge (num_clusters,).
        """
        prefix = self._tokenise.prefix
        ids, clusters, begins, ends = self._tokenise([prefix + text for text in layout.texts])
        begins, ends = (layout.starts[clusters] + np.maximum(edges - len(prefix), 0) for edges in (begins, ends))
        # No piece goes back to a word before that of the last piece, nor on to the next cluster.
        words = np.searchsorted(layout.word_ends, np.maximum.accumulate(begins), side="right")
        words = np.minimum(words, layout.last_words[clusters])
        shared = np.zeros(len(layout.texts), dtype=bool)
        shared[clusters[ends > layout.word_ends[words]]] = True
        return ids, words, shared

    def _word_by_word(self, layout: Layout, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and words as above, of words (num_chosen,) each alone; only a cluster's first stands after a space."""
        text = "".join(layout.texts)
        prefixes = np.where(np.diff(layout.clusters, prepend=-1)[words] > 0, self._tokenise.prefix, "").tolist()
        ranges = zip(prefixes, layout.word_begins[words].tolist(), layout.word_ends[words].tolist(), strict=True)
        pieces = self._tokenise([prefix + text[begin:end] for prefix, begin, end in ranges])
        return pieces.ids, words[pieces.texts]


def _without(words: np.ndarray, num_words: int) -> np.ndarray:
    """The words that have none of these pieces, given each piece's word."""
    return np.flatnonzero(np.bincount(words, minlength=num_words) == 0)
