"""Plots of results: how many times better each row is, with its goal; dev F1 over wall seconds.

plot_ratios(rows, folder / "cpu.png")
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rows import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0609a", "#8a6d00", "#444444")
"""Told apart by the colour-blind."""
MET_COLOUR, MISSED_COLOUR, OPEN_COLOUR = "#0072b2", "#d55e00", "#999999"
DPI = 130
SECONDS = [factor * 10**power for power in range(5) for factor in (1, 2, 5)]
SHOWN_POINTS = 25.0
"""Of dev F1, from the highest down: the first epochs' low scores would press what matters together."""


def plot_ratios(rows: Sequence[Row], path: Path) -> None:
    """Horizontal bars on a logarithmic axis; a tick marks each goal. Rows without a ratio are left out."""
    shown = [row for row in rows if row["ratio"]][::-1]
    with _axes(path, width_inches=9.0, height_inches=1.3 + 0.42 * max(1, len(shown))) as axes:
        colours = [{True: MET_COLOUR, False: MISSED_COLOUR, None: OPEN_COLOUR}[row["met"]] for row in shown]
        places = range(len(shown))
        # Bars start at 1, the peer's own speed.
        axes.barh(places, [row["ratio"] - 1 for row in shown], left=1, height=0.6, color=colours)
        for place, row in zip(places, shown, strict=True):
            ends = [1.0, row["ratio"]]
            if row["goal"] is not None:
                axes.plot([row["goal"]] * 2, [place - 0.42, place + 0.42], color="black", linewidth=2)
                ends.append(row["goal"])
            axes.text(max(ends) * 1.06, place, f"{row['ratio']:.2g}", va="center")
        axes.set_xscale("log")
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(places, [f"{row['name']}\nagainst {row['peer_name']}" for row in shown])
        axes.tick_params(axis="y", labelsize=8)
        low, high = (
            f([1.0, *(row[key] for row in shown for key in ("ratio", "goal") if row[key])]) for f in (min, max)
        )
        axes.set_xlim(0.8 * low, 1.5 * high)
        ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if 0.8 * low <= tick <= 1.5 * high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.set_xlabel("times better than the peer; black tick: the goal (blue: met, orange: missed, grey: none)")


def plot_curves(curves: Mapping[str, Sequence[Sequence[tuple[float, float]]]], path: Path) -> None:
    """Dev F1 over wall seconds since the start of the process.

    Args:
        curves: what was trained -> one list of (seconds, F1) for each seed.
    """
    with _axes(path, width_inches=9.0, height_inches=5.0) as axes:
        for place, (name, seeds) in enumerate(curves.items()):
            for number, points in enumerate(seeds):
                seconds, scores = zip(*points, strict=True)
                axes.plot(
                    seconds,
                    [100 * score for score in scores],
                    color=COLOURS[place % len(COLOURS)],
                    marker="o",
                    markersize=3,
                    linewidth=1.4,
                    label=name if number == 0 else None,
                )
        scores = [100 * score for seeds in curves.values() for points in seeds for _, score in points]
        if max(scores) - min(scores) > SHOWN_POINTS:
            axes.set_ylim(bottom=max(scores) - SHOWN_POINTS)
        axes.set_xscale("log")
        low, high = axes.get_xlim()
        ticks = [tick for tick in SECONDS if low <= tick <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="y", alpha=0.3)
        axes.set_xlabel("wall seconds since the start of the process")
        axes.set_ylabel("dev F1, exact spans")
        axes.legend(frameon=False)


@contextmanager
def _axes(path: Path, *, width_inches: float, height_inches: float) -> Iterator[Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    axes: Axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    yield axes
    figure.savefig(path, dpi=DPI)
