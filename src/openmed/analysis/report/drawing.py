"""How plots are drawn: one look, plain SVG, the same bytes each time, in the page's own text colour.

with drawing(height_inches=3.0) as (canvas, axes):
    axes.plot(...)
    figure = Figure(svg(canvas), "Title")
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openmed.analysis.report.cells import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b0609a")
"""Told apart by the colour-blind, at least 3:1 against white and against near-black."""
LINES = ("-", "--", ":", "-.")
INK = "#767677"
"""Stands for the page's text colour while drawing; odd enough to be no other colour."""
PAPER = "#fdfdfc"
"""Stands for the page's background, for what has to be read over lines."""
WIDTH_INCHES = 7.4
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


@contextmanager
def drawing(height_inches: float) -> Iterator[tuple[Canvas, Axes]]:
    """An empty plot; text and lines must be made and saved inside the block, under its settings."""
    # Not pyplot: it keeps every figure in a register of its own, and picks a window system.
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context(_SETTINGS), warnings.catch_warnings():
        # A glyph that the measuring font lacks is no matter: the reader's own fonts draw the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas = Canvas(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        yield canvas, canvas.add_subplot()


def legend(axes: Axes) -> None:
    """Above the plot: within, it would lie on the data."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(COLOURS))


def svg(canvas: Canvas) -> str:
    """The <svg> element alone: no prolog, no metadata, no date, and the page's colours in place of INK and PAPER."""
    out = io.StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    canvas.savefig(out, format="svg", transparent=True, metadata=none)
    page = out.getvalue()
    return page[page.index("<svg") :].strip().replace(INK, "currentColor").replace(PAPER, "var(--paper, Canvas)")


def short_label(label: str) -> str:
    """A name from a corpus, harmless and no longer than an axis has room for."""
    label = clean(label)
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"


def blank(text: str) -> str:
    """An `<svg>` that says why there is no plot."""
    with drawing(height_inches=0.8) as (canvas, axes):
        axes.set_axis_off()
        axes.text(0.5, 0.5, text, ha="center", va="center")
        return svg(canvas)
