"""The page of a bench says what its JSON says."""

from __future__ import annotations

import json
from pathlib import Path

import benchmarks
import pytest
from benchmarks.report import page

RESULTS = Path(benchmarks.__file__).parent / "results"
PUBLISHED = [RESULTS / "cpu.json", RESULTS / "avx2" / "cpu.json"]


@pytest.mark.parametrize("place", PUBLISHED, ids=["bfloat16", "avx2"])
def test_the_published_page_is_that_of_the_published_results(place):
    results = json.loads(place.read_text(encoding="utf-8"))
    assert place.with_suffix(".md").read_text(encoding="utf-8") == page(results), "the bench writes both"


def test_every_row_note_and_share_is_told():
    results = json.loads((RESULTS / "cpu.json").read_text(encoding="utf-8"))
    results["failures"] = {"encode": "DataError: not here"}
    written = page(results)
    lines = [line for line in written.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0].removeprefix("| ") for line in lines[1:]] == [row["name"] for row in results["rows"]]
    assert all(row["note"] in written for row in results["rows"] if row.get("note"))
    assert "- encode, words given: backbone minilm, max_pieces 256, processes 1" in written
    assert "- prediction, raw abstracts; prediction, 8 bits: corpus ncbi_documents" in written, "alike, so told once"
    assert "int8 (left_in_float32 bert.encoder.layer.0.output.dense and " in written
    assert "Failed: encode: DataError: not here" in written
    assert written.count("MFLOP each") == len(results["ceiling"]["shares"])
    assert sum(line.endswith("| missed |") for line in lines) == sum(row["met"] is False for row in results["rows"])


def test_the_page_tells_the_command_and_the_instructions():
    results = json.loads((RESULTS / "cpu.json").read_text(encoding="utf-8"))
    results["command"] = "python -m benchmarks --out elsewhere"
    results["hardware"]["instructions"] = ["avx2", "amx_bf16"]
    written = page(results)
    assert "\n    python -m benchmarks --out elsewhere\n" in written
    assert ", avx2 and amx_bf16, " in written
