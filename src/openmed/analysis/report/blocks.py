"""What reports are made of. A command builds sections once; each medium renders the same ones.

Section("Splits", [Table(("split", "sentences"), [("train", 5424), ("test", 940)])])
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

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

    def as_dict(self) -> dict[str, Any]:
        """JSON-like; `from_dict` makes it a section again."""
        blocks = [{"kind": type(block).__name__, **asdict(block)} for block in self.blocks]
        return {"title": self.title, "blocks": blocks}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Section:
        return cls(content["title"], [_block(**block) for block in content["blocks"]])


def _block(kind: str, **content: Any) -> Block:
    return _KINDS[kind](**content)


_KINDS: Mapping[str, type[Prose] | type[Table] | type[Figure]] = {"Prose": Prose, "Table": Table, "Figure": Figure}
