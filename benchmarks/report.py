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
    if hardware.get("instructions"):  # results of an earlier version do not tell
        machine += f", {' and '.join(hardware['instructions'])}"
    run = f"{results['minutes']:.1f} minutes in all; commit {results['git_commit']}"
    blocks = [
        "# Speed on the CPU",
        f"    {results.get('command', COMMAND)}",
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
    """What the rows were measured with, as far as it is short, those alike together; and how much was timed."""
    alike: dict[str, list[str]] = {}
    for row in rows:
        if settings := _short(row["settings"]):
            alike.setdefault(settings, []).append(row["name"])
    lines = [f"- {'; '.join(names)}: {settings}" for settings, names in alike.items()]
    lines += [f"- sizes (`benchmarks/sizes.py`): {_short(sizes)}"] if sizes else []
    return ["\n".join(lines)] if lines else []


def _short(settings: Mapping[str, Any]) -> str:
    """Numbers and names, and a few of them together; what holds more stands in the JSON."""
    parts = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            text = f"({_short(value)})" if len(value) <= FEW and _short(value) else ""
        elif isinstance(value, list | tuple):
            scalars = len(value) <= FEW and all(isinstance(each, int | float | str) for each in value)
            text = " and ".join(map(_scalar, value)) or "none" if scalars else ""
        else:
            text = _scalar(value)
        if text:
            parts.append(f"{name} {text}")
    return ", ".join(parts)


def _scalar(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| what | unit | ours | peer | | times better | goal | |", "|---|---|---:|---:|---|---:|---:|---|"]
    return [*lines, *(f"| {' | '.join((*row_cells(row), MET[row['met']]))} |" for row in rows)]
