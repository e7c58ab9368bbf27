"""The text of a BioC document, and what its offsets count: characters, or bytes of UTF-8 as some real files do.

BioC gives pieces of text with offsets. They are put where they belong, with spaces in the gaps between.

    layout = in_characters([Piece(0, "A title.", {}), Piece(9, "An abstract.", {})], place)
    layout.text, layout.find(9, 2)  # ('A title. An abstract.', (9, 11))
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple

from openmed.readers.bioc_entry import Entry, Place
from openmed.spans import Range

_MAX_GAP = 1_000_000
"""In the file's units. A wider gap is a wrong offset; filling it with spaces could exhaust the memory."""


class Piece(NamedTuple):
    """A passage or sentence: its offset in the file's units, its text, its entry (for errors)."""

    offset: int
    text: str
    entry: Entry


class Layout(NamedTuple):
    """A document's text, and the file's offset of each of its characters and of its end, in order."""

    text: str
    offsets: Sequence[int]

    def at(self, offset: int) -> int | None:
        """The character (or the end of the text) at an offset, None when it is outside or within a character."""
        index = bisect_left(self.offsets, offset)
        return index if index < len(self.offsets) and self.offsets[index] == offset else None

    def find(self, offset: int, length: int) -> Range | None:
        """The characters that the file means, None when there are none or `at` finds no edge."""
        start, end = self.at(offset), self.at(offset + length)
        return None if start is None or end is None or start == end else (start, end)


def in_characters(pieces: Sequence[Piece], place: Place) -> Layout:
    """The layout, offsets counting characters; the first piece's offset is where the text starts.

    Args:
        pieces: one or more, sorted by offset.

    Raises:
        DataError: a piece overlaps the one before, or is out of all proportion away from it.
    """
    gaps = _gaps(pieces, len)
    for piece, gap in zip(pieces, gaps, strict=True):
        if not 0 <= gap <= _MAX_GAP:
            where = f"begins {gap} characters after" if gap > 0 else f"overlaps by {-gap} characters"
            raise place.error(
                f"the text at offset {piece.offset} {where} the one before",
                at=piece.entry,
                text=piece.text,
                mend="offsets count the characters from the start of the document, those of gaps included",
            )
    text = _join(pieces, gaps)
    return Layout(text, range(pieces[0].offset, pieces[0].offset + len(text) + 1))


def in_bytes(pieces: Sequence[Piece]) -> Layout | None:
    """The layout, offsets counting bytes of UTF-8; None when the pieces overlap so."""
    gaps = _gaps(pieces, _num_bytes)
    if not all(0 <= gap <= _MAX_GAP for gap in gaps):
        return None
    text = _join(pieces, gaps)
    return Layout(text, [*accumulate(map(_num_bytes, text), initial=pieces[0].offset)])


def _gaps(pieces: Sequence[Piece], size: Callable[[str], int]) -> list[int]:
    """How far each piece begins after the end of the one before."""
    ends = [pieces[0].offset, *(piece.offset + size(piece.text) for piece in pieces[:-1])]
    return [piece.offset - end for piece, end in zip(pieces, ends, strict=True)]


def _join(pieces: Sequence[Piece], gaps: Sequence[int]) -> str:
    return "".join(" " * gap + piece.text for piece, gap in zip(pieces, gaps, strict=True))


def _num_bytes(text: str) -> int:
    return len(text.encode())
