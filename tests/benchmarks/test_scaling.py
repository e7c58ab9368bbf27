"""Scaling: a rate counts every process's documents, and processes really run side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.serving.jobs import jsonl

pytest.importorskip("datatrove", reason="datatrove (extra: text) is not installed")

from benchmarks import scaling

from openmed.readers import read


def test_rates_count_the_documents_of_all_processes(monkeypatch, tmp_path):
    taken = {1: iter([10.0, 8.0, 12.0]), 2: iter([10.0, 20.0, 12.5])}

    def run(model, texts, folder, processes):
        return {"seconds": next(taken[processes]), "loading_seconds": 3.0}

    monkeypatch.setattr(scaling, "run_processes", run)
    row = scaling.measure(Path("m"), Path("t"), tmp_path, num_documents=100, num_runs=3)
    assert row["runs"] == {"ours": [20.0, 10.0, 16.0], "peer": [10.0, 12.5, 100 / 12]}
    assert (row["ours"], row["peer"], row["ratio"], row["met"]) == (16.0, 10.0, 1.6, False)


@pytest.mark.slow
def test_each_process_tags_all_texts(model_folder, tmp_path):
    texts = tmp_path / "texts.jsonl"
    texts.write_text(jsonl(range(20)))
    done = scaling.run_processes(model_folder, texts, tmp_path, processes=2)
    assert 0 < done["seconds"] < 60
    assert done["loading_seconds"] > 0
    first, second = ((tmp_path / f"{number}.jsonl").read_bytes() for number in range(2))
    assert first == second
    assert [document.id for document in read(tmp_path / "0.jsonl")] == [f"n{number}" for number in range(20)]
    assert all(json.loads(line)["entities"] for line in first.splitlines())


@pytest.mark.slow
def test_a_process_that_fails_is_told_of(tmp_path):
    texts = tmp_path / "texts.jsonl"
    texts.write_text(jsonl(range(2)))
    with pytest.raises(RuntimeError, match=r"a process failed: \[1\]"):
        scaling.run_processes(tmp_path / "no-model", texts, tmp_path, processes=1)
