"""Jobs for tests: inputs, running them, what is in the folder afterwards.

summary = do(tagger, folder, out)
results(out), errors_of(out)
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmed.predicting import EntityTagger
from openmed.serving import JobSummary, expand_inputs, run_job
from openmed.serving.job.journal import FOLDER

SENTENCE = "Aspirin (100 mg) relieved headache in patient {}, IL-2-induced T-cells did not respond."


def jsonl(numbers) -> str:
    return "".join(json.dumps({"id": f"n{n}", "text": SENTENCE.format(n)}) + "\n" for n in numbers)


def stumble_at(monkeypatch: pytest.MonkeyPatch, text: str = "stumble") -> None:
    """Every tagger raises where it is given a document of that text."""
    tag = EntityTagger.tag

    def stumbling(self, documents):
        documents = list(documents)
        if any(document.text == text for document in documents):
            raise RuntimeError("stumbled")
        return tag(self, documents)

    monkeypatch.setattr(EntityTagger, "tag", stumbling)


def do(tagger: EntityTagger, folder: Path, out: Path, **settings) -> JobSummary:
    return run_job(tagger, expand_inputs([folder]), out, **settings)


def results(out: Path) -> dict[str, bytes]:
    """What a user sees in the folder: path below it -> content. For what is hidden see `hidden`."""
    files = (path for path in out.rglob("*") if path.is_file())
    shown = {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
    return {name: content for name, content in shown.items() if not name.startswith(".")}


def hidden(out: Path) -> set[str]:
    return {path.name for path in (out / FOLDER).iterdir()} | {p.name for p in out.iterdir() if p.name[0] == "."}


def errors_of(out: Path) -> list[dict]:
    return [json.loads(text) for text in (out / "errors.jsonl").read_text().splitlines()]
