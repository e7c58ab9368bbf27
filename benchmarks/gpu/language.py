"""A made-up language with a lexicon of Zipf's law and three entity types, and corpora in it of any size, from a seed.

Which words make a mention is a matter of the words alone, and words of one part look alike to the encoder (`alike`),
so that random weights can learn it in a few dozen steps: equal mentions mean something then. Lengths are counted in
pieces, so that a row fills a window.

    language = Language("bert")
    rows = language.rows(4096, seed=1)               # each 254 pieces: with its two special tokens, 256
    write_conll(rows, path)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.shapes import SEED, make_tokenizer
from openmed.spans import Document
from openmed.tagging import decode_tags

SYLLABLES = ["".join(pair) for pair in itertools.product("bcdfgklmnprstv", "aeiou")]
TYPES = ("Chemical", "Disease", "Gene")
NUM_WORDS = 20_000
NUM_WHOLE_WORDS = 5_000
"""The most frequent words are one piece each, all others two or more, about as in a vocabulary made for its text."""
NUM_ENTITY_WORDS = 100
"""Of each type, in each part of a mention: its first word, and its second if it has one."""
MENTION_RATE = 0.12
SENTENCE_WORDS = 25.0
"""Words of an average sentence in abstracts (NCBI disease: 135,701 words in 5,424 sentences)."""
_BLOCK = 65_536


@dataclass(frozen=True)
class Row:
    """One training sentence: words and their BIO tags."""

    words: list[str]
    tags: list[str]

    def document(self, name: str) -> Document:
        """As raw text, words joined by a space, with its gold spans."""
        ends = list(itertools.accumulate(len(word) + 1 for word in self.words))
        ranges = [(end - len(word) - 1, end - 1) for word, end in zip(self.words, ends, strict=True)]
        spans = decode_tags(ranges, self.tags)
        return Document(id=name, text=" ".join(self.words), spans=tuple(spans))


class Language:
    """Words, their frequencies, their pieces, and a tokenizer that makes these pieces.

    Args:
        architecture: of the encoder: its kind of tokenizer.

    Attributes:
        alike: groups of pieces, each the words of one part of one type's mentions: such words share one embedding.
        num_pieces: of each word.
    """

    def __init__(self, architecture: str) -> None:
        rng = np.random.default_rng(SEED)
        self._common = _invent(NUM_WORDS, rng, syllables=(2, 4))
        # Longer than all others, so that no other word begins with one.
        special = _invent(2 * len(TYPES) * NUM_ENTITY_WORDS, rng, syllables=(5, 5))
        parts = [special[start : start + NUM_ENTITY_WORDS] for start in range(0, len(special), NUM_ENTITY_WORDS)]
        self._entity_words = {kind: (parts[2 * i], parts[2 * i + 1]) for i, kind in enumerate(TYPES)}
        self.tokenizer: Any = make_tokenizer(architecture, [*self._common[:NUM_WHOLE_WORDS], *special], SYLLABLES)
        self.alike = [[ids[0] for ids in self._pieces(part)] for part in parts]
        words = [*self._common, *special]
        self.num_pieces = {word: len(ids) for word, ids in zip(words, self._pieces(words), strict=True)}
        frequency = 1 / (np.arange(NUM_WORDS) + 2.7)
        self._frequency = frequency / frequency.sum()

    def rows(self, num_rows: int, *, num_pieces: int, seed: int, mixed: bool = False) -> list[Row]:
        """Rows of exactly `num_pieces` pieces, or with `mixed` of sentences' lengths, `num_pieces` at most."""
        rng = np.random.default_rng([SEED, seed])
        chunks = self._chunks(rng)
        sizes = np.full(num_rows, num_pieces)
        if mixed:
            sizes = np.clip(rng.lognormal(np.log(SENTENCE_WORDS), 0.5, num_rows).astype(int), 5, num_pieces)
        return [self._row(size, chunks) for size in sizes.tolist()]

    def _pieces(self, words: list[str]) -> list[list[int]]:
        return self.tokenizer(words, add_special_tokens=False)["input_ids"]

    def _row(self, num_pieces: int, chunks: Iterator[tuple[list[str], list[str]]]) -> Row:
        words: list[str] = []
        tags: list[str] = []
        left = num_pieces
        while left:
            chunk, labels = next(chunks)
            cost = sum(self.num_pieces[word] for word in chunk)
            if cost > left:
                chunk, labels, cost = [self._common[left % NUM_WHOLE_WORDS]], ["O"], 1
            words += chunk
            tags += labels
            left -= cost
        return Row(words, tags)

    def _chunks(self, rng: np.random.Generator) -> Iterator[tuple[list[str], list[str]]]:
        """Words one after the other: single ones, and mentions of one or two words."""
        while True:
            ranks = rng.choice(NUM_WORDS, size=_BLOCK, p=self._frequency).tolist()
            kinds = np.where(rng.random(_BLOCK) < MENTION_RATE, rng.integers(len(TYPES), size=_BLOCK), -1).tolist()
            entity_words = rng.integers(NUM_ENTITY_WORDS, size=(_BLOCK, 2)).tolist()
            long = (rng.random(_BLOCK) < 0.5).tolist()
            for rank, kind, (head, tail), two in zip(ranks, kinds, entity_words, long, strict=True):
                if kind < 0:
                    yield [self._common[rank]], ["O"]
                    continue
                firsts, seconds = self._entity_words[TYPES[kind]]
                number = 2 if two else 1
                yield [firsts[head], seconds[tail]][:number], [f"B-{TYPES[kind]}", f"I-{TYPES[kind]}"][:number]


def write_conll(rows: Sequence[Row], path: Path) -> None:
    """A word and its tag a line, an empty line after each row."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.writelines(f"{word}\t{tag}\n" for word, tag in zip(row.words, row.tags, strict=True))
            file.write("\n")


def _invent(number: int, rng: np.random.Generator, *, syllables: tuple[int, int]) -> list[str]:
    """So many different words, of the first to the last of these numbers of syllables."""
    words: dict[str, None] = {}
    while len(words) < number:
        size = rng.integers(syllables[0], syllables[1] + 1)
        words["".join(SYLLABLES[i] for i in rng.integers(len(SYLLABLES), size=size))] = None
    return list(words)
