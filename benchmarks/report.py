"""The published page of a run of all rows: what `make bench` found, as Markdown beside the JSON.

(RESULTS / "cpu.md").write_text(page(json.loads((RESULTS / "cpu.json").read_text())))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.rows import Row
from benchmarks.table import number

MET = {True: "met", False: "missed", None: ""}
COMMAND = "make bench"


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
        *(f"{row['name']}: {row['note']}." for row in results["rows"] if row.get("note")),
        *(f"Failed: {name}: {problem}" for name, problem in results["failures"].items()),
        *_ceiling(results["ceiling"]),
    ]
    return "\n\n".join(blocks) + "\n"


def _table(rows: Sequence[Row]) -> list[str]:
    lines = ["| what | unit | ours | peer | | times better | goal | |", "|---|---|---:|---:|---|---:|---:|---|"]
    for row in rows:
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        goal = "" if row["goal"] is None else f"{row['goal']:g}"
        cells = (row["name"], row["unit"], number(row["ours"]), number(row["peer"]), row["peer_name"] or "")
        lines.append(f"| {' | '.join((*cells, ratio, goal, MET[row['met']]))} |")
    return lines


def _ceiling(found: Mapping[str, Any]) -> list[str]:
    rates = ", ".join(f"{name} {rate / 1e12:.2f}" for name, rate in found["matrix_flops_per_second"].items())
    shares = [
        f"- {share['row']}, {share['side']}: {number(share['tokens_per_second'])} of at most "
        f"{number(share['ceiling_tokens_per_second'])} tokens/s, {100 * share['share']:.0f}% "
        f"({share['flops_per_token'] / 1e6:.1f} MFLOP a token)"
        for share in found["shares"]
    ]
    return [f"Matrix products ({found['shapes']}), TFLOP/s: {rates}. Of what they allow:", "\n".join(shares)]
