"""The pictures of a comparison: intervals, stacked mistakes, a heat table, learning curves. See `report.drawing`.

forest([Row("lora.rank=8", 82.1, (80.0, 84.2), dots=[81.9, 82.3])], "Leaderboard", "F1 (%)")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from openmed.analysis.report.blocks import Figure
from openmed.analysis.report.cells import clean
from openmed.analysis.report.drawing import COLOURS, INK, LINES, blank, drawing, legend, short_label, svg

STACKED = (*COLOURS, "#a6761d")
"""A fifth colour for what is stacked, as readable as the others."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """A line of a forest plot, in the plot's unit.

    Attributes:
        interval: drawn thick. wide: an interval that takes more into account, drawn thin.
        dots: single runs.
        colour: its place among the colours; None is the page's own.
    """

    label: str
    value: float
    interval: Interval | None = None
    wide: Interval | None = None
    dots: Sequence[float] = ()
    colour: int | None = 0


def forest(rows: Sequence[Row], title: str, unit: str, note: str = "", *, zero: bool = False) -> Figure:
    """Values with their intervals, one below the other; `zero` draws a line at no difference."""
    if not rows:
        return Figure(blank("nothing to show"), title, note)
    with drawing(0.8 + 0.3 * len(rows)) as (canvas, axes):
        if zero:
            axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(rows):
            colour = INK if row.colour is None else COLOURS[row.colour]
            for interval, width in ((row.wide, 1.2), (row.interval, 4.5)):
                if interval is not None:
                    axes.plot(interval, (place, place), color=colour, linewidth=width, alpha=0.5)
            axes.plot(row.dots, [place] * len(row.dots), "|", color=INK, markersize=9, markeredgewidth=1)
            axes.plot([row.value], [place], "o", color=colour, markersize=7)
        _label_rows(axes, [row.label for row in rows])
        axes.set_xlabel(unit)
        return Figure(svg(canvas), title, note)


def stacked(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str, unit: str, note: str) -> Figure:
    """Horizontal bars made of parts, with the number in each part that has room for it."""
    if not labels or not series:
        return Figure(blank("nothing to show"), title, note)
    totals = [sum(values) for values in zip(*series.values(), strict=True)]
    with drawing(1.0 + 0.34 * len(labels)) as (canvas, axes):
        left = [0.0] * len(labels)
        for colour, (name, values) in zip(STACKED, series.items(), strict=False):
            axes.barh(range(len(labels)), values, left=left, height=0.72, color=colour, label=clean(name))
            for place, value in enumerate(values):
                if value > 0.05 * max(totals):
                    middle = left[place] + value / 2
                    axes.text(middle, place, f"{value:.0f}", color="white", ha="center", va="center", fontsize=8.5)
            left = [before + value for before, value in zip(left, values, strict=True)]
        _label_rows(axes, labels)
        axes.set_xlabel(unit)
        legend(axes)
        return Figure(svg(canvas), title, note)


def heat(
    rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[float]], title: str, note: str
) -> Figure:
    """A table of numbers, each cell the darker the nearer it is to the largest of its column.

    A column has its own scale: what is compared stands one below the other.
    """
    if not rows or not columns:
        return Figure(blank("nothing to show"), title, note)
    from matplotlib.patches import Rectangle

    with drawing(0.7 + 0.3 * len(rows)) as (canvas, axes):
        for place, column in enumerate(zip(*cells, strict=True)):
            low, high = min(column), max(column)
            for row, value in enumerate(column):
                share = (value - low) / (high - low) if high > low else 0.5
                patch = Rectangle((place - 0.48, row - 0.46), 0.96, 0.92, color=COLOURS[0], alpha=0.06 + 0.4 * share)
                axes.add_patch(patch)
                axes.text(place, row, f"{value:.1f}", ha="center", va="center")
        _label_rows(axes, rows)
        names = [clean(name) if len(name) <= 18 else f"{clean(name)[:17]}…" for name in columns]
        slant = len(columns) > 5
        axes.set_xticks(range(len(columns)), names, rotation=30 if slant else 0, ha="left" if slant else "center")
        axes.xaxis.tick_top()
        axes.set_xlim(-0.5, len(columns) - 0.5)
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return Figure(svg(canvas), title, note)


def curves(
    series: Mapping[str, Sequence[Sequence[tuple[float, float]]]], title: str, x_unit: str, y_unit: str, note: str
) -> Figure:
    """Lines of (x, y) points, several of one name in one colour."""
    if not series:
        return Figure(blank("no curves"), title, note)
    with drawing(height_inches=3.4 + 0.2 * len(series)) as (canvas, axes):
        for place, (name, lines) in enumerate(series.items()):
            for number, line in enumerate(lines):
                xs, ys = zip(*line, strict=True)
                axes.plot(
                    xs,
                    ys,
                    color=COLOURS[place % len(COLOURS)],
                    linestyle=LINES[place // len(COLOURS) % len(LINES)],
                    linewidth=1.4,
                    alpha=0.8,
                    label=None if number else short_label(name),
                )
        axes.set(xlabel=x_unit, ylabel=y_unit)
        axes.set_xlim(left=0)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1, fontsize=8.5)
        return Figure(svg(canvas), title, note)


def _label_rows(axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [short_label(label) for label in labels])
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
