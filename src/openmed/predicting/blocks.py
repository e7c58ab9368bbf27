"""Documents by the block: what is tokenised, tagged and held in memory together.

for block in in_blocks(documents, size=256, length=lambda document: len(document.text)): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

BLOCK_CHARACTERS = 1_000_000
"""A block ends, too, where its texts reach this: what is held at once has a bound."""

Item = TypeVar("Item")


def in_blocks(documents: Iterable[Item], *, size: int, length: Callable[[Item], int]) -> Iterator[list[Item]]:
    """At most `size` documents each, and no more once their texts reach `BLOCK_CHARACTERS`.

    Args:
        length: document -> characters of its text.

    Raises:
        Exception: what `documents` raises, after a block of those before.
    """
    block: list[Item] = []
    num_characters = 0
    try:
        for document in documents:
            block.append(document)
            num_characters += length(document)
            if len(block) == size or num_characters >= BLOCK_CHARACTERS:
                yield block
                block, num_characters = [], 0
    except Exception:
        if block:
            yield block
        raise
    if block:
        yield block
