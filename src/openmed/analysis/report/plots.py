"""Plots as `Figure` blocks: histograms of several splits, horizontal bars. Plain SVG, the same bytes each time.

Axes and text are drawn in the colour of the page's own text, so a figure reads on light and on dark.

    histogram({"train": Counter({12: 3}), "test": Counter({9: 1})}, "Sentence length", "words", "sentences")
"""

from __future__ import annotations

import io
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openmed.analysis.histogram import quantile
from openmed.analysis.report.blocks import Figure
from openmed.analysis.report.cells import cell_text, clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0609a")
"""Told apart by the colour-blind, at least 3:1 against white and against near-black."""
LINES = ("-", "--", ":", "-.")
INK = "#767677"
"""Stands for the page's text colour while drawing; odd enough to be no other colour."""
WIDTH_INCHES = 7.4
MAX_BINS = 60
SHOWN_SHARE = 0.995
MAX_LABEL = 48
_SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "openmed",
    "svg.fonttype": "none",  # text stays text: small, searchable, in the reader's own font
    "text.parse_math": False,  # a mention may hold dollar signs
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the layout is the same on every machine
    "font.size": 9.5,
    **{name: INK for name in ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")},
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


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
        return Figure(_blank(f"no {items}"), title, f"There are no {items}.")
    edges = _edges(series)
    step = edges[1] - edges[0]
    with _drawing(height_inches=3.0) as (canvas, axes):
        for place, (name, values) in enumerate(series.items()):
            colour, line = COLOURS[place % len(COLOURS)], LINES[place % len(LINES)]
            shares = _shares(values, edges)
            middles = [edge - 0.5 for edge in edges]  # so that a value stands in the middle of its step
            axes.stairs(shares, middles, label=clean(name), color=colour, linestyle=line, linewidth=1.6)
        axes.set_xlabel(f"{unit}, {step} per step" if step > 1 else unit)
        axes.set_ylabel(f"% of {items}")
        axes.set_xlim(edges[0] - 0.5, edges[-1] - 0.5)
        axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        _legend(axes)
        svg = _svg(canvas)
    return Figure(svg, title, _beyond(series, edges[-1] - 1, unit, items))


def bars(labels: Sequence[str], series: Mapping[str, Sequence[float]], title: str, unit: str, note: str = "") -> Figure:
    """Horizontal bars, the first label on top; of several series each label has one bar each.

    Args:
        labels: what stands at the bars; cut after `MAX_LABEL` characters.
        series: name -> a value per label, in units named by `unit`. One series alone has no legend.

    Raises:
        ValueError: a series with more or fewer values than there are labels.
    """
    if not labels:
        return Figure(_blank("nothing to show"), title, note)
    thickness = 0.8 / max(len(series), 1)
    height_inches = 0.9 + len(labels) * max(0.24, 0.15 * len(series))
    with _drawing(height_inches) as (canvas, axes):
        for place, (name, values) in enumerate(series.items()):
            if len(values) != len(labels):
                raise ValueError(f"{len(labels)} labels, {len(values)} values of {name!r}")
            middles = [row - 0.4 + thickness * (place + 0.5) for row in range(len(labels))]
            axes.barh(middles, values, height=0.9 * thickness, color=COLOURS[place % len(COLOURS)], label=clean(name))
        axes.set_yticks(range(len(labels)), [_short(label) for label in labels])
        axes.set(xlabel=unit, ylim=(len(labels) - 0.5, -0.5))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if all(isinstance(value, int) for values in series.values() for value in values):
            axes.locator_params(axis="x", integer=True, min_n_ticks=1)
        if len(series) > 1:
            _legend(axes)
        svg = _svg(canvas)
    return Figure(svg, title, note)


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


def _blank(text: str) -> str:
    with _drawing(height_inches=0.8) as (canvas, axes):
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center")
        return _svg(canvas)


def _beyond(series: Mapping[str, Counter[int]], last: int, unit: str, items: str) -> str:
    parts: list[str] = []
    for name, values in series.items():
        if count := sum(count for value, count in values.items() if value > last):
            parts.append(f"{name} {cell_text(count)} ({100 * count / values.total():.2f} %, up to {max(values):,})")
    return f"Not drawn, beyond {last:,} {unit}: {'; '.join(parts)}." if parts else f"All {items} are drawn."


@contextmanager
def _drawing(height_inches: float) -> Iterator[tuple[Canvas, Axes]]:
    """An empty plot; text and lines must be made and saved inside the block, under its settings."""
    # Not pyplot: it keeps every figure in a register of its own, and picks a window system.
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A glyph that the measuring font lacks is no matter: the reader's own fonts draw the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas = Canvas(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        yield canvas, canvas.add_subplot()


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(COLOURS))  # above: within, it would lie on the data


def _svg(canvas: Canvas) -> str:
    """The <svg> element alone: no prolog, no metadata, no date, and the page's text colour in place of INK."""
    out = io.StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    canvas.savefig(out, format="svg", transparent=True, metadata=none)
    svg = out.getvalue()
    return svg[svg.index("<svg") :].strip().replace(INK, "currentColor")


def _short(label: str) -> str:
    label = clean(label)
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"
