"""Trained models behind HTTP: JSON in and out, and a page to try them on (needs the extra `serve`).

tagger = openmed.load("outputs/.../model")
with listen("127.0.0.1", 8000) as place:
    run(make_app(tagger, facts_of(tagger), Limits()), place, Limits())
"""

from openmed.serving.service.app import make_app
from openmed.serving.service.limits import Limits, Refusal
from openmed.serving.service.models import ModelFacts, entities_of, facts_of
from openmed.serving.service.server import is_loopback, listen, run, url_of
from openmed.serving.service.worker import Worker

__all__ = [
    "Limits",
    "ModelFacts",
    "Refusal",
    "Worker",
    "entities_of",
    "facts_of",
    "is_loopback",
    "listen",
    "make_app",
    "run",
    "url_of",
]
