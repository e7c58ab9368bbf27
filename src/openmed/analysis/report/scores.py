"""Scores per type and over all, as every command shows them in a terminal.

console.print(scores_table(table.as_dict(), title="dev scores"))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table


def scores_table(scores: Mapping[str, Any], title: str | None = None) -> Table:
    """Precision, recall and F1 in per cent, gold and found mentions: a row for each type, then one for all.

    Args:
        scores: {precision, recall, f1, tp, fp, fn, per_type: {type: the same}}, as of `ScoreTable.as_dict`.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in ("type", "precision", "recall", "F1", "gold", "found"):
        table.add_column(column, justify="left" if column == "type" else "right")
    for name, row in [*sorted(scores["per_type"].items()), ("all", scores)]:
        values = [f"{100 * row[key]:.1f}" for key in ("precision", "recall", "f1")]
        numbers = [str(row["tp"] + row["fn"]), str(row["tp"] + row["fp"])]
        table.add_row(name, *values, *numbers, style="bold" if name == "all" else "")
    return table
