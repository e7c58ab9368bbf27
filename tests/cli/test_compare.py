"""`openmed compare`: a table, a page, a spreadsheet, Markdown, JSON; errors as one paragraph."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.analysis.compare.made import documents, write_run, write_sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return write_sweep(tmp_path / "sweep", {4: 0.9, 8: 0.1}, seeds=(1, 2), gold=documents(20))


def test_a_table_and_a_page_in_the_folder_of_the_sweep(openmed, sweep):
    result = openmed("compare", sweep, "--resamples", 500)
    assert result.code == 0, result.err
    assert "lora.rank=8 is the best" in result.out
    assert result.out.rstrip().endswith(str(sweep / "compare.html"))
    assert "Is it more than chance?" in (sweep / "compare.html").read_text()
    assert openmed("compare", sweep, "--resamples", 500).code == 0  # again, over its own page


def test_of_several_runs_the_page_is_here(openmed, sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert openmed("compare", sweep / "4_1", sweep / "8_1", "--resamples", 500).code == 0
    assert (tmp_path / "compare.html").is_file()


def test_all_outputs(openmed, sweep, tmp_path):
    places = ["--out", tmp_path / "new" / "page.html", "--csv", tmp_path / "a.csv", "--markdown", tmp_path / "a.md"]
    result = openmed(
        "compare", sweep, "--json", "--split", "dev", "--baseline", "lora.rank=4", "--resamples", 500, *places
    )
    assert result.code == 0, result.err
    answer = json.loads(result.out)
    assert (answer["split"], answer["base"], answer["base_is_best"]) == ("dev", "lora.rank=4", False)
    assert [standing["label"] for standing in answer["standings"]] == ["lora.rank=8", "lora.rank=4"]
    assert answer["differences"][0]["verdict"] == "better"
    assert answer["page"] == str(tmp_path / "new" / "page.html")
    assert Path(answer["page"]).is_file()
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    assert "## Where they err" in (tmp_path / "a.md").read_text()


def test_out_may_be_a_folder(openmed, sweep, tmp_path):
    assert openmed("compare", sweep, "--out", tmp_path / "reports", "--resamples", 500).code == 0
    assert (tmp_path / "reports" / "compare.html").is_file()


def test_an_error_is_one_paragraph_and_leaves_no_page(openmed, sweep):
    write_run(sweep / "other", dataset={"name": "other"})
    result = openmed("compare", sweep)
    assert result.code == 1
    assert result.err.startswith("error: the runs are of different corpora (made, other)")
    assert result.err.count("\n") == 1
    assert not (sweep / "compare.html").exists()
