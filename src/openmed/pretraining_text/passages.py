"""Passages of so many tokens, cut at the ends of sentences.

cutter = PassageCutter(tokenizer, min_tokens=50, max_tokens=256)
passages, losses = cutter.cut(paragraphs)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from openmed.encoding.backend import plain_twin
from openmed.encoding.words import is_lower_cased, split_sentences
from openmed.errors import ConfigError

SHORT = "passage_too_short"
"""A rest of text with fewer than `min_tokens` tokens, which is left out."""
SENTENCE_CUT = "long_sentence_cut"
"""A sentence of more than `max_tokens` tokens, cut between words; nothing of it is lost."""


class PassageCutter:
    """Args:
        tokenizer: a fast tokenizer of transformers, whose tokens are counted.
        min_tokens, max_tokens: of a passage, special tokens not counted.

    Raises:
        ConfigError: bounds of no sense.
    """

    def __init__(self, tokenizer: Any, *, min_tokens: int, max_tokens: int) -> None:
        if not 0 < min_tokens <= max_tokens:
            raise ConfigError(
                f"passage.min_tokens={min_tokens}, passage.max_tokens={max_tokens}: no passage fits",
                mend="50 and 256 are the paper's",
            )
        self._encode = plain_twin(tokenizer.backend_tokenizer).encode_batch
        self._min = min_tokens
        self._max = max_tokens

    def cut(self, paragraphs: Sequence[str]) -> tuple[list[tuple[str, int]], Counter[str]]:
        """(text, tokens) of each passage of a text, and what was lost or cut.

        Sentences are added until the next would be too much. A passage may go over the end of a paragraph (its text
        then has a line break there): headings and short paragraphs stay with what follows.
        """
        losses: Counter[str] = Counter()
        passages: list[tuple[str, int]] = []
        parts: list[str] = []
        total = 0
        for sentence, num_tokens, opens in self._sentences(paragraphs, losses):
            if parts and total + num_tokens > self._max:
                passages.append(("".join(parts), total))
                parts, total = [], 0
            if parts:
                parts.append("\n" if opens else " ")
            parts.append(sentence)
            total += num_tokens
        if parts:
            passages.append(("".join(parts), total))
        kept = [passage for passage in passages if passage[1] >= self._min]
        losses[SHORT] += len(passages) - len(kept)
        return kept, +losses

    def _sentences(self, paragraphs: Sequence[str], losses: Counter[str]) -> Iterator[tuple[str, int, bool]]:
        """Each sentence with its number of tokens, and whether it opens a paragraph."""
        cut = [_cut_sentences(paragraph) for paragraph in paragraphs]
        encodings = iter(self._encode([sentence for part in cut for sentence in part], add_special_tokens=False))
        for sentences in cut:
            for number, sentence in enumerate(sentences):
                encoding = next(encodings)
                if len(encoding.ids) <= self._max:
                    yield sentence, len(encoding.ids), number == 0
                    continue
                losses[SENTENCE_CUT] += 1
                for piece, num_tokens in self._pieces(sentence, encoding):
                    yield piece, num_tokens, number == 0

    def _pieces(self, sentence: str, encoding: Any) -> Iterator[tuple[str, int]]:
        """A long sentence in runs of words of at most `max_tokens`; a single longer word is a piece of its own."""
        first, begin = 0, 0
        ends = [at for at in range(1, len(encoding.ids)) if encoding.word_ids[at] != encoding.word_ids[at - 1]]
        for at, following in zip(ends, [*ends[1:], len(encoding.ids)], strict=True):
            if following - first > self._max:
                end = encoding.offsets[at][0]
                yield sentence[begin:end].strip(), at - first
                first, begin = at, end
        yield sentence[begin:].strip(), len(encoding.ids) - first


def _cut_sentences(paragraph: str) -> list[str]:
    ranges = split_sentences(paragraph, lower_cased=is_lower_cased(paragraph))
    return [paragraph[start:end] for start, end in ranges]
