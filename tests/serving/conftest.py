"""A tagger without a network, and inputs for it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.serving.jobs import SENTENCE, jsonl
from tests.serving.taggers import drawn_tagger

from openmed.predicting import EntityTagger
from openmed.serving.job import parts


@pytest.fixture(scope="module")
def tagger(wordpiece) -> EntityTagger:
    return drawn_tagger(wordpiece, chunk=4)


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """Short files and long ones: 2 texts, 3 documents compressed, 7 documents."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "a.txt").write_text(SENTENCE.format("a"))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(jsonl(range(3)).encode()))
    (folder / "c.txt").write_text(SENTENCE.format("c"))
    (folder / "d.jsonl").write_text(jsonl(range(10, 17)))
    return folder


@pytest.fixture
def short_parts(monkeypatch) -> None:
    """Two documents each, so that a few make many."""
    monkeypatch.setattr(parts, "PART_DOCUMENTS", 2)
