"""Sections as GitHub Markdown: pipe tables; of a figure, the title, and where it is.

Path("report.md").write_text(to_markdown("JNLPBA", sections))
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from openmed.analysis.report.blocks import Block, Prose, Section, Table
from openmed.analysis.report.cells import cell_text, clean, numeric_columns

_MARKS = re.compile(r"([\\`*_\[\]<>|~$&])")
# What makes a heading, list or rule of a paragraph, but only at its start.
_OPENING = re.compile(r"^(?:([#+=-])|(\d{1,9})([.)]))")


def to_markdown(title: str, sections: Sequence[Section]) -> str:
    """The whole report. Text stays text: whatever Markdown would take for a mark is escaped."""
    lines = [f"# {_inline(title)}", ""]
    for section in sections:
        lines += [f"## {_inline(section.title)}", ""] if section.title else []
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join(lines[:-1]) + "\n"


def _block(block: Block) -> list[str]:
    if isinstance(block, Prose):
        return [_paragraph(block.text)]
    if isinstance(block, Table):
        title = [f"**{_inline(block.title)}**", ""] if block.title else []
        note = ["", _italic(block.note)] if block.note else []
        return [*title, *_table(block), *note]
    return [_italic(f"Picture in the HTML report: {block.title}")]


def _table(block: Table) -> list[str]:
    rule = ["---:" if numeric else "---" for numeric in numeric_columns(block)]
    rows = [[_inline(cell_text(cell)) for cell in row] for row in block.rows]
    return [_row([_inline(name) for name in block.columns]), _row(rule), *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _paragraph(text: str) -> str:
    return _OPENING.sub(lambda match: f"{match[2] or ''}\\{match[1] or match[3]}", _inline(text))


def _italic(text: str) -> str:
    return f"*{_inline(text)}*" if clean(text) else ""


def _inline(text: str) -> str:
    return _MARKS.sub(r"\\\1", clean(text))
