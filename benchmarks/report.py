"""The published page of a run of all rows: what `make bench` found, as Markdown beside the JSON.

(RESULTS / "cpu.md").write_text(page(json.loads((RESULTS / "cpu.json").read_text())))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.table import ceiling_lines, row_cells

MET = {True: "met", False: "missed", None: ""}
COMMAND = "make bench"
FEW = 4


def page(results: Mapping[str, Any]) -> str:
    """Machine and versions, the table of rows, notes, and each side's share of the ceiling."""
    hardware, versions = results["hardware"], results["versions"]
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    machine = f"{hardware['cpu']}, {hardware['num_cores']} cores, {results['threads']} threads"
    run = f"{results['minutes']:.1f} minutes in all; commit {results['git_commit']}"
    blocks = [
        "# Speed on the CPU",
        f"    {COMMAND}",
        f"{machine}, {hardware['memory_gib']:g} GiB; {run}.",
        f"{named}.",
        "\n".join(_table(results["rows"])),
        *_settings(results["rows"], results.get("sizes")),
        *(f"{row['name']}: {row['note']}." for row in results["rows"] if row.get("note")),
        *(f"Failed: {name}: {problem}" for name, problem in results["failures"].items()),
        "\n".join(f"- {line}" for line in ceiling_lines(results["ceiling"])),
    ]
    return "\n\n".join(blocks) + "\n"


def _settings(rows: Sequence[Row], sizes: Mapping[str, Any] | None) -> list[str]:
    """What each row was measured with, as far as it is short, and how much was timed."""
    told = {row["name"]: _short(row["settings"]) for row in rows}
    lines = [f"- {name}: {settings}" for name, settings in told.items() if settings]
    lines += [f"- sizes (`benchmarks/sizes.py`): {_short(sizes)}"] if sizes else []
    return ["\n".join(lines)] if lines else []


def _short(settings: Mapping[str, Any]) -> str:
    """Numbers and names, and a few of them together; what holds more stands in the JSON."""
    parts = []
    for name, value in settings.items():
        if isinstance(value, int | float | str):
            parts.append(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}")
        elif isinstance(value, Mapping) and len(value) <= FEW:
            parts.append(f"{name} ({_short(value)})")
    return ", ".join(parts)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| what | unit | ours | peer | | times better | goal | |", "|---|---|---:|---:|---|---:|---:|---|"]
    return [*lines, *(f"| {' | '.join((*row_cells(row), MET[row['met']]))} |" for row in rows)]
