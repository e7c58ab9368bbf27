"""What reports are made of. A command builds sections once; each medium renders the same ones.

Section("Splits", [Table(("split", "sentences"), [("train", 5424), ("test", 940)])])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Cell = str | int | float | None
"""Numbers are kept as numbers: the medium aligns and groups them. None is an empty cell."""


@dataclass(frozen=True)
class Prose:
    """A paragraph of plain text (no mark-up)."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows under named columns; `title` above, `note` (how to read it, what was left out) below."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    title: str = ""
    note: str = ""


@dataclass(frozen=True)
class Figure:
    """A plot as an `<svg>` element; `note` is its caption and what the terminal and Markdown show in its place."""

    svg: str
    title: str
    note: str = ""


Block = Prose | Table | Figure


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: Sequence[Block]
