"""Sections as one HTML file that needs nothing else: no scripts, no fonts or images from elsewhere, figures inline.

write_page("jnlpba.html", "JNLPBA", "GENIA abstracts", sections)
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from os import PathLike

from openmed.analysis.report.blocks import Block, Figure, Prose, Section, Table
from openmed.analysis.report.cells import cell_text, clean, numeric_columns
from openmed.writers.atomic import atomic_path

_TAG = re.compile(r"<[^>]*>")
_ID = re.compile(r"""(\bid=["']|\bhref=["']#|\burl\(["']?#)""")
"""What stands before an id of an SVG, where it is given and where it is pointed at."""


def write_page(path: str | PathLike[str], title: str, subtitle: str, sections: Sequence[Section]) -> None:
    """Write the page, replacing what is at `path`. Same input, same bytes."""
    page = render_page(title, subtitle, sections)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8", newline="\n")


def render_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page as text. All text of titles, prose and cells is escaped; only a figure's SVG goes in as it is.

    Raises:
        ValueError: a figure that is not an <svg> element, or brings a script.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"cell_text": cell_text, "clean": clean, "numeric_columns": numeric_columns}
    template = files("openmed.analysis.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    numbers = iter(range(1, 1 + sum(len(section.blocks) for section in sections)))
    shown = [(section.title, [_shown(block, next(numbers)) for block in section.blocks]) for section in sections]
    return environment.from_string(template).render(title=title, subtitle=subtitle, sections=shown) + "\n"


def _shown(block: Block, number: int) -> tuple[str, Block]:
    """A block under the name by which the template knows its kind; a figure's ids made its own."""
    from markupsafe import Markup

    if isinstance(block, Prose):
        return "prose", block
    if isinstance(block, Table):
        return "table", block
    return "figure", Figure(Markup(own_ids(block.svg, f"figure-{number}-")), block.title, block.note)


def own_ids(svg: str, prefix: str) -> str:
    """The SVG with `prefix` before each of its ids: two plots of one page must not share a clip path.

    Raises:
        ValueError: not an <svg> element, or one with a script.
    """
    svg = svg.strip()
    if not (svg.startswith("<svg") and svg.endswith("</svg>")) or "<script" in svg.lower():
        raise ValueError(f"a figure must be one <svg> element without scripts, not {svg[:60]!r}")
    return _TAG.sub(lambda tag: _ID.sub(lambda match: match[1] + prefix, tag[0]), svg)
