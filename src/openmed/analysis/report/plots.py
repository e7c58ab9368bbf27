"""Plots as `Figure` blocks: histograms of several splits, horizontal bars.

histogram({"train": Counter({12: 3}), "test": Counter({9: 1})}, "Sentence length", "words", "sentences")
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from openmed.analysis.histogram import quantile
from openmed.analysis.report.blocks import Figure
from openmed.analysis.report.cells import cell_text, clean
from openmed.analysis.report.drawing import COLOURS, LINES, blank, drawing, legend, short_label, svg

MAX_BINS = 60
SHOWN_SHARE = 0.995


def histogram(series: Mapping[str, Counter[int]], title: str, unit: str, items: str) -> Figure:
    """How often each value occurs, per split as an outline.

    Args:
        series: split -> value -> how many items have it; splits without items are left out.
        unit: what the values count ("words"), for the horizontal axis.
        items: what has these values ("sentences"); the vertical axis shows their share in each split, in percent.

    The axis ends at the highest 99.5th percentile of the splits; the note tells how many items lie beyond. Values
    are taken together by several where there are more than `MAX_BINS` of them.
    """
    series = {name: values for name, values in series.items() if values.total()}
    if not series:
        return Figure(blank(f"no {items}"), title, f"There are no {items}.")
    edges = _edges(series)
    step = edges[1] - edges[0]
    with drawing(height_inches=3.0) as (canvas, axes):
        for place, (name, values) in enumerate(series.items()):
            colour, line = COLOURS[place % len(COLOURS)], LINES[place % len(LINES)]
            shares = _shares(values, edges)
            middles = [edge - 0.5 for edge in edges]  # so that a value stands in the middle of its step
            axes.stairs(shares, middles, label=clean(name), color=colour, linestyle=line, linewidth=1.6)
        axes.set_xlabel(f"{unit}, {step} per step" if step > 1 else unit)
        axes.set_ylabel(f"% of {items}")
        axes.set_xlim(edges[0] - 0.5, edges[-1] - 0.5)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        legend(axes)
        picture = svg(canvas)
    return Figure(picture, title, _beyond(series, edges[-1] - 1, unit, items))


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str, unit: str, note: str = "") -> Figure:
    """Horizontal bars, the first label on top; of several series each label has one bar each.

    Args:
        labels: what stands at the bars; cut after `MAX_LABEL` characters.
        series: name -> a value per label, in units named by `unit`. One series alone has no legend.

    Raises:
        ValueError: a series with more or fewer values than there are labels.
    """
    if not labels:
        return Figure(blank("nothing to show"), title, note)
    thickness = 0.8 / max(len(series), 1)
    height_inches = 0.9 + len(labels) * max(0.24, 0.15 * len(series))
    with drawing(height_inches) as (canvas, axes):
        for place, (name, values) in enumerate(series.items()):
            if len(values) != len(labels):
                raise ValueError(f"{len(labels)} labels, {len(values)} values of {name!r}")
            middles = [row - 0.4 + thickness * (place + 0.5) for row in range(len(labels))]
            axes.barh(middles, values, height=0.9 * thickness, color=COLOURS[place % len(COLOURS)], label=clean(name))
        axes.set_yticks(range(len(labels)), [short_label(label) for label in labels])
        axes.set(xlabel=unit, ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if all(isinstance(value, int) for values in series.values() for value in values):
            axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        if len(series) > 1:
            legend(axes)
        picture = svg(canvas)
    return Figure(picture, title, note)


def _edges(series: Mapping[str, Counter[int]]) -> list[int]:
    """The first value of each step, and one past the last: equal steps of whole numbers."""
    first = min(min(values) for values in series.values())
    last = max(quantile(values, SHOWN_SHARE) for values in series.values())
    step = math.ceil((last - first + 1) / MAX_BINS)
    return list(range(first, last + step + 1, step))


def _shares(values: Counter[int], edges: Sequence[int]) -> list[float]:
    """Percent of all items in each step; what lies beyond the last step is in none."""
    shares = [0.0] * (len(edges) - 1)
    for value, count in values.items():
        if value < edges[-1]:
            shares[(value - edges[0]) // (edges[1] - edges[0])] += 100 * count / values.total()
    return shares


def _beyond(series: Mapping[str, Counter[int]], last: int, unit: str, items: str) -> str:
    parts: list[str] = []
    for name, values in series.items():
        if count := sum(count for value, count in values.items() if value > last):
            parts.append(f"{name} {cell_text(count)} ({100 * count / values.total():.2f} %, up to {max(values):,})")
    return f"Not drawn, beyond {last:,} {unit}: {'; '.join(parts)}." if parts else f"All {items} are drawn."
