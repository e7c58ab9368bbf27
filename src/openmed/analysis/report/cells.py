"""Cells as text, the same in every medium: numbers grouped, what strangers wrote made harmless to show.

cell_text(18607)    # '18,607'
cell_text(0.0456)   # '0.0456'
"""

from __future__ import annotations

import unicodedata

from openmed.analysis.report.blocks import Cell, Table

UNSHOWN = {"Cc", "Cs"}
"""Control characters (a terminal would obey them, XML forbids them), halves of surrogate pairs (UTF-8 has none)."""


def cell_text(cell: Cell) -> str:
    """Whole numbers as 1,234; others with two decimals, below 1 with three significant digits; None is empty."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return clean(cell)
    if isinstance(cell, int):
        return f"{cell:,}"
    return f"{cell:#.3g}" if 0 < abs(cell) < 1 else f"{cell:,.2f}"


def clean(text: str) -> str:
    """One line: runs of white space become one space, control characters and lone surrogates become U+FFFD."""
    line = " ".join(text.split())
    if line.isprintable():  # the usual case, and much the faster test
        return line
    return "".join("\ufffd" if unicodedata.category(character) in UNSHOWN else character for character in line)


def numeric_columns(table: Table) -> list[bool]:
    """For each column whether it holds numbers and nothing else, and so is aligned to the right."""
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    return [
        any(cell is not None for cell in column) and not any(isinstance(cell, str) for cell in column)
        for column in columns
    ]
