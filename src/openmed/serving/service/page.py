"""The page of the service: one HTML text that needs nothing from elsewhere, and may load nothing from there either.

page = render_page(models, "0.1.0")
HTMLResponse(page.html, headers=page.headers)
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from openmed.serving.service.models import ModelFacts

EXAMPLE = (
    "Naloxone reverses the antihypertensive effect of clonidine. In unanesthetized, spontaneously hypertensive rats "
    "the decrease in blood pressure and heart rate produced by intravenous clonidine, 5 to 20 µg/kg, was inhibited or "
    "reversed by naloxone.\n\n"
    "Mutations of the tumour suppressor gene BRCA1 predispose women to breast and ovarian cancer; IL-6 and TNF-α were "
    "raised in patients with rheumatoid arthritis who took methotrexate."
)


@dataclass(frozen=True, slots=True)
class Page:
    """Args:
    html: the whole of it.
    headers: what the browser is told to allow: the page's own script and style, and requests to the service.
    """

    html: str
    headers: dict[str, str]


def render_page(models: Sequence[ModelFacts], version: str) -> Page:
    """The page for these models. Their names and types are escaped."""
    from jinja2 import Environment, StrictUndefined

    from openmed.tracking import label_colour

    folder = files("openmed.serving.service")
    template, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.html.j2", "page.css", "page.js")
    )
    about = {
        "title": ", ".join(model.name for model in models),
        "version": version,
        "colours": {label: label_colour(label) for model in models for label in model.types},
        "example": EXAMPLE,
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    html = environment.from_string(template).render(about=about, style=style, script=script)
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return Page(html, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"})


def _hash(inline: str) -> str:
    """What a policy calls one inline script or style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()}'"
