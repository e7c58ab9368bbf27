"""A fast tokenizer's backend, made to tokenise many short texts at once, each as if it stood alone.

Thousands of words go through the `tokenizers` library in a few calls and come back as flat arrays, since an object per
word would cost more than the tokenising.

    pieces = BulkTokenizer(tokenizer.backend_tokenizer)(["p53-induced", "apoptosis"])
    pieces.ids, pieces.texts            # all ids, and the index of each one's text
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

_RUN = 200
"""Texts that the library gets as one: few objects come back, yet there are runs enough for every thread."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class TextPieces(NamedTuple):
    """Pieces of many texts: `ids`, `texts` (index of each piece's text), `begins` and `ends` in that text's characters;
    all (num_pieces,) int64."""

    ids: np.ndarray
    texts: np.ndarray
    begins: np.ndarray
    ends: np.ndarray


class BulkTokenizer:
    """Args:
        backend: a `tokenizers.Tokenizer`. It is left as it is, with its padding and truncation.

    Attributes:
        prefix: what ("" or " ") must stand before a text so that alone it gives the pieces it has inside a longer one.
    """

    def __init__(self, backend: Any) -> None:
        self._backend = plain_twin(backend)
        self._parts_at_spaces = _parts_at_spaces(backend)
        self.prefix = _space_prefix(self._backend)

    def __call__(self, texts: Sequence[str]) -> TextPieces:
        # A lone surrogate (half an emoji, from JSON) is refused by the backend; U+FFFD is as long.
        texts = [text if text.isascii() else _SURROGATE.sub("\ufffd", text) for text in texts]
        runs = [texts[start : start + _RUN] for start in range(0, len(texts), _RUN)]
        if self._parts_at_spaces:
            encodings = self._backend.encode_batch([" ".join(run) for run in runs], add_special_tokens=False)
        else:
            encodings = self._backend.encode_batch(runs, is_pretokenized=True, add_special_tokens=False)
        ids = integers(chain.from_iterable(encoding.ids for encoding in encodings))
        flat = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
        begins, ends = integers(flat).reshape(-1, 2).T
        firsts = np.repeat(np.arange(len(runs)) * _RUN, integers(map(len, encodings)))  # first text of a piece's run
        if not self._parts_at_spaces:
            in_run = integers(chain.from_iterable(encoding.word_ids for encoding in encodings))
            return TextPieces(ids, firsts + in_run, begins, ends)
        starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
        owners = np.searchsorted(starts, starts[firsts] + begins, side="right") - 1
        shift = starts[owners] - starts[firsts]
        return TextPieces(ids, owners, begins - shift, ends - shift)


def integers(values: Iterable[int]) -> np.ndarray:
    """(n,) int64."""
    return np.fromiter(values, dtype=np.int64)


def plain_twin(backend: Any) -> Any:
    """A tokenizer with the same model (shared, not copied) and neither padding nor truncation.

    Saved tokenizers may come with these switched on (MiniLM's does), and theirs must stay as they are.
    """
    twin = type(backend)(backend.model)
    for part in ("normalizer", "pre_tokenizer", "post_processor"):
        if (value := getattr(backend, part)) is not None:
            setattr(twin, part, value)
    twin.add_tokens(list(backend.get_added_tokens_decoder().values()))
    twin.encode_special_tokens = True  # "[SEP]" in a text is text
    return twin


def _parts_at_spaces(backend: Any) -> bool:
    """Whether texts with a space between them get the very pieces that each gets alone, which is quicker to do.

    So it is in BERT: what comes before its model looks at single characters and words between spaces. (A token that was
    added may hold a space, or care for the characters around it. Special ones are text here.)
    """
    from tokenizers.normalizers import BertNormalizer
    from tokenizers.pre_tokenizers import BertPreTokenizer

    return (
        isinstance(backend.normalizer, BertNormalizer)
        and isinstance(backend.pre_tokenizer, BertPreTokenizer)
        and all(token.special for token in backend.get_added_tokens_decoder().values())
    )


def _space_prefix(backend: Any) -> str:
    """The prefix ("" or " ") with which a chunk alone gives the pieces it has inside a text.

    Byte-level BPE marks words by the space before them; WordPiece ignores it; sentencepiece adds its own mark.
    """

    def ids(text: str) -> list[int]:
        return backend.encode(text, add_special_tokens=False).ids

    inside = ids("a b")[len(ids("a")) :]
    return "" if inside == ids("b") else " "
