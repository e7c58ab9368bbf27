"""What marked-up text is made of, in HTML or on a terminal: pieces between the edges of marks, colours of types.

for start, end, covering in segments(len(text), spans): ...
label_colour("Disease")         # '#f2b7a6'
"""

from __future__ import annotations

import colorsys
import zlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

_HUES = {"Chemical": 130, "Disease": 20, "Gene": 275, "Species": 205}
"""Degrees. The commonest types, which must not look alike; a hash cannot promise that."""


class _Piece(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


Piece = TypeVar("Piece", bound=_Piece)


def segments(length: int, marks: Sequence[Piece]) -> Iterator[tuple[int, int, list[Piece]]]:
    """Cuts 0..length at every edge of a mark; yields each piece with the marks that cover it, in their order."""
    edges = sorted({0, length, *(mark.start for mark in marks), *(mark.end for mark in marks)})
    opening = sorted(range(len(marks)), key=lambda number: marks[number].start)
    covering: list[int] = []
    at = 0
    for start, end in pairwise(edges):
        covering = [number for number in covering if marks[number].end > start]
        while at < len(opening) and marks[opening[at]].start <= start:
            covering.append(opening[at])
            at += 1
        yield start, end, [marks[number] for number in sorted(covering)]


def label_colour(label: str) -> str:
    """A light colour, as `#rrggbb`, that a label keeps from document to document, from run to run, and in plots."""
    hue = _HUES.get(label, zlib.crc32(label.encode("utf-8", "replace")) % 360)
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue / 360, 0.8, 0.75))
    return f"#{red:02x}{green:02x}{blue:02x}"
