"""Token files as every training script reads them: a word and its tag per line, sentences parted by empty lines.

for words, tags in read_conll(path): ...
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def read_conll(path: Path) -> Iterator[tuple[list[str], list[str]]]:
    """(words, tags) of each sentence."""
    words: list[str] = []
    tags: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            columns = line.split("\t")
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            yield words, tags
            words, tags = [], []
    if words:
        yield words, tags
