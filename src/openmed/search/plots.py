"""Pictures of a search: each trial as a line over its settings, and the best score as the search went on.

parallel_coordinates(axes, trials)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openmed.analysis.report.blocks import Figure
from openmed.analysis.report.drawing import COLOURS, INK, PAPER, blank, drawing, short_label, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

MAX_TICKS = 5
LETTERS = 70
"""So many stand side by side across a plot, at the size of names."""


@dataclass(frozen=True)
class Line:
    """A trial.

    Attributes:
        values: a number or a text for each column, the score last.
        pruned: stopped early; drawn faintly.
    """

    values: Sequence[Any]
    pruned: bool


def parallel_coordinates(columns: Sequence[str], log: Sequence[bool], lines: Sequence[Line], note: str) -> Figure:
    """One line a trial across one axis a setting, the score at the right; the stronger, the better.

    Args:
        columns: names of the settings, then of the score.
        log: which of them are drawn in ratios.
    """
    title = "Settings and scores"
    if not lines:
        return Figure(blank("no trial has a score"), title, note)
    with drawing(height_inches=3.8) as (canvas, axes):
        draw_lines(axes, columns, log, lines)
        return Figure(svg(canvas), title, note)


def draw_lines(axes: Axes, columns: Sequence[str], log: Sequence[bool], lines: Sequence[Line]) -> list[Annotation]:
    """The lines, the axes with their values, and the names below the axes, which are returned."""
    scales = [_Scale([line.values[place] for line in lines], log[place]) for place in range(len(columns))]
    for rank, line in enumerate(sorted(lines, key=lambda line: line.values[-1]), 1):
        heights = [scale.height(value) for scale, value in zip(scales, line.values, strict=True)]
        look = (INK, ":") if line.pruned else (COLOURS[0], "-")
        strength = 0.1 + 0.9 * (rank / len(lines)) ** 3
        axes.plot(range(len(columns)), heights, color=look[0], linestyle=look[1], alpha=strength, linewidth=1.4)
    backing = {"boxstyle": "square,pad=0.15", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.8}
    for place, scale in enumerate(scales):
        axes.axvline(place, color=INK, linewidth=0.8)
        for height, label in scale.ticks:
            axes.annotate(
                short_label(label), (place, height), xytext=(4, 0), textcoords="offset points", fontsize=8,
                va="center", bbox=backing,
            )  # fmt: skip
    axes.set(xlim=(-0.1, len(columns) - 0.6), ylim=(-0.05, 1.05), xticks=range(len(columns)), xticklabels=[], yticks=[])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.grid(visible=False)
    return _name_axes(axes, columns)


def _name_axes(axes: Axes, columns: Sequence[str]) -> list[Annotation]:
    """Each name under its axis, on as many levels as it takes to keep neighbours apart, a line leading to the lower."""
    names = [short_label(name) for name in columns]
    room = LETTERS / len(columns)
    levels = min(math.ceil((max(map(len, names)) + 2) / room), len(columns))
    return [
        axes.annotate(
            name, (place, -0.05), xytext=(0, -8 - 12 * (place % levels)), textcoords="offset points", fontsize=8,
            ha="right" if place == len(columns) - 1 else "center" if place else "left", va="top",
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 0},
            annotation_clip=False,
        )
        for place, name in enumerate(names)
    ]  # fmt: skip


def course(scores: Sequence[tuple[int, float, bool]], note: str) -> Figure:
    """Each trial's score by its number, and the best so far as a line.

    Args:
        scores: (number, dev F1 in percent, pruned), in order.
    """
    title = "The search"
    if not scores:
        return Figure(blank("no trial has a score"), title, note)
    with drawing(height_inches=2.8) as (canvas, axes):
        for pruned, mark, colour in ((False, "o", COLOURS[0]), (True, "x", INK)):
            points = [(number, score) for number, score, was in scores if was == pruned]
            axes.plot([x for x, _ in points], [y for _, y in points], mark, color=colour, markersize=5)
        best = [max(score for _, score, _ in scores[: place + 1]) for place in range(len(scores))]
        axes.step([number for number, _, _ in scores], best, where="post", color=COLOURS[1], linewidth=1.4)
        axes.set(xlabel="trial", ylabel="dev F1 (%)")
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        return Figure(svg(canvas), title, note)


class _Scale:
    """From a column's values to heights of 0 to 1."""

    def __init__(self, values: Sequence[Any], log: bool) -> None:
        self._log = log
        self._places: dict[Any, float] | None = None
        if any(isinstance(value, str) for value in values):
            names = sorted(set(values), key=_in_order)
            self._places = {name: (place + 0.5) / len(names) for place, name in enumerate(names)}
            self.ticks = [(height, str(name)) for name, height in self._places.items()]
            return
        self._low, self._high = self._bend(min(values)), self._bend(max(values))
        shown = sorted(set(values))
        if len(shown) > MAX_TICKS:
            steps = [self._low + (self._high - self._low) * step / (MAX_TICKS - 1) for step in range(MAX_TICKS)]
            shown = [math.exp(step) if log else step for step in steps]
        self.ticks = [(self._share(self._bend(value)), _number(value)) for value in shown]

    def height(self, value: Any) -> float:
        return self._places[value] if self._places is not None else self._share(self._bend(value))

    def _bend(self, value: float) -> float:
        return math.log(value) if self._log else value

    def _share(self, bent: float) -> float:
        return (bent - self._low) / (self._high - self._low) if self._high > self._low else 0.5


def _number(value: float) -> str:
    """Three figures, whole numbers whole."""
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def _in_order(name: str) -> tuple[bool, float, str]:
    """Numbers by size before words."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name
