"""Results for the terminal: one line a row, then how near the ceiling.

print_rows(rows); print_ceiling(found)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.rows import Row

MET = {True: "yes", False: "NO", None: ""}
WIDE = 150
"""Columns where the output is no terminal: a narrower table would cut names."""


def print_rows(rows: Sequence[Row], console: Console | None = None) -> None:
    """Print the table of rows."""
    table = Table("what", "unit", "ours", "peer", "", "times better", "goal", "met")
    for name in ("ours", "peer", "times better", "goal"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for row in rows:
        table.add_row(*row_cells(row), MET[row["met"]])
    console = console or _console()
    console.print(table)
    for row in rows:
        if note := row.get("note"):
            console.print(f"{row['name']}: {note}", markup=False)


def print_jobs(records: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Print the table of whole trainings (`benchmarks.quality_jobs`)."""
    table = Table("job", "what", "seconds", "peak MiB", "best dev F1", "after s", "test F1")
    for column in table.columns[2:]:
        column.justify = "right"
    for record in records:
        test = ((record.get("result") or {}).get("test") or {}).get("f1")
        table.add_row(
            record["job"],
            record["what"],
            number(record["seconds"]),
            number(record["peak_bytes"] / 2**20),
            f"{100 * record['best_dev_f1']:.2f}",
            number(record["seconds_to_best"]),
            "-" if test is None else f"{100 * test:.2f}",
        )
    (console or _console()).print(table)


def print_ceiling(found: Mapping[str, Any], console: Console | None = None) -> None:
    """Print the matrix rate and each side's share of the ceiling."""
    console = console or _console()
    for line in ceiling_lines(found):
        console.print(line, markup=False)


def row_cells(row: Row) -> tuple[str, ...]:
    """What, unit, ours, peer, the peer's name, times better, goal."""
    ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
    goal = "" if row["goal"] is None else f"{row['goal']:g}"
    return row["name"], row["unit"], number(row["ours"]), number(row["peer"]), row["peer_name"] or "", ratio, goal


def ceiling_lines(found: Mapping[str, Any]) -> list[str]:
    """The matrix rate, then each side's share of the ceiling."""
    rates = ", ".join(f"{name} {rate / 1e12:.2f}" for name, rate in found["matrix_flops_per_second"].items())
    return [
        f"matrix products {found['shapes']}, TFLOP/s: {rates}",
        *(
            f"{share['row']}, {share['side']}: {number(share['tokens_per_second'])} of at most "
            f"{number(share['ceiling_tokens_per_second'])} tokens/s ({share['flops_per_token'] / 1e6:.1f} MFLOP each): "
            f"{100 * share['share']:.0f}%"
            for share in found["shares"]
        ),
    ]


def number(value: float | None) -> str:
    """Three figures at least, thousands parted; a dash for what was not measured."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
