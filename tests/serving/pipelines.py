"""For tests of pipelines: what lies in the folder of results, what is found in a text, and how to be killed.

found(out), errors_in(out), entities(tagger, text)
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.serving.jobs import results

from openmed.predicting import EntityTagger
from openmed.writers.jsonl import span_json


class Killed(BaseException):
    """No handler of errors takes it for one."""


def found(out: Path) -> dict[str, list]:
    """Place -> its lines, scores apart from a rounding of their own."""
    content = {name: [json.loads(line) for line in text.splitlines()] for name, text in results(out).items()}
    for entity in (entity for lines in content.values() for line in lines for entity in line.get("entities", ())):
        entity["score"] = pytest.approx(entity["score"], abs=2e-6)
    return content


def errors_in(out: Path) -> list[dict]:
    return [json.loads(line) for path in sorted((out / "errors").glob("*")) for line in path.read_text().splitlines()]


def entities(tagger: EntityTagger, text: str) -> list[dict]:
    document = tagger(text)
    spans = [span_json(document, span) for span in document.spans]
    return [{**span, "score": pytest.approx(span["score"], abs=2e-6)} for span in spans]
