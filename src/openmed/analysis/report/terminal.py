"""Sections in a terminal: tables by rich; of a figure, its title and note.

print_sections([Section("Splits", [table])])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from openmed.analysis.report.blocks import Block, Prose, Section, Table
from openmed.analysis.report.cells import cell_text, clean, numeric_columns

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


def print_sections(sections: Sequence[Section], console: Console | None = None) -> None:
    """Print to `console` (default: standard output). Text is shown as it is, never read as rich's mark-up."""
    from rich.console import Console
    from rich.text import Text

    console = console or Console()
    for number, section in enumerate(sections):
        if number:
            console.print()
        if section.title:
            console.print(Text(clean(section.title), style="bold"))
        for block in section.blocks:
            for part in _parts(block):
                console.print(part)


def _parts(block: Block) -> list[RenderableType]:
    """What is printed for a block, one thing below the other."""
    from rich.text import Text

    if isinstance(block, Prose):
        return [Text(clean(block.text))]
    if isinstance(block, Table):
        note = [Text(clean(block.note), style="dim")] if block.note else []
        return [_table(block), *note]
    return [Text.assemble((clean(block.title), "italic"), (f": {clean(block.note)}" if block.note else "", "dim"))]


def _table(block: Table) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table as RichTable
    from rich.text import Text

    title = Text(clean(block.title)) if block.title else None
    # Rules between columns would take a third of a narrow terminal, from labels that are then folded.
    table = RichTable(
        title=title, title_justify="left", box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False
    )
    for name, numeric in zip(block.columns, numeric_columns(block), strict=True):
        table.add_column(Text(clean(name)), justify="right" if numeric else "left", overflow="fold")
    for row in block.rows:
        table.add_row(*(Text(cell_text(cell)) for cell in row))
    return table
