"""`openmed corpora stats`: tables, JSON, a page; what is not here is told, and the exit code says so."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from openmed.cli.stats import stats
from openmed.corpora import load_spec
from openmed.errors import DataError

app = typer.Typer()
app.command()(stats)


def ask(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "120"})


def test_for_people_there_are_two_tables():
    result = ask("demo")
    assert result.exit_code == 0
    row = next(line for line in result.stdout.splitlines() if "entities" in line)
    assert row.split() == ["entities", "1,032", "267", "294", "1,593"]
    assert "words per sentence" in result.stdout


def test_for_machines_there_is_one_line():
    result = ask("demo", "--json")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 1
    answer = json.loads(result.stdout)
    for split, counts in load_spec("demo").counts.items():
        found = answer["splits"][split]
        assert set(found) == {"documents", "sentences", "words", "entities", "per_type"}
        assert {**found, **found["per_type"]}.items() >= counts.items()


def test_the_page_is_written_and_its_path_printed(tmp_path):
    page = tmp_path / "new" / "demo.html"
    result = ask("demo", "--html", page)
    assert result.exit_code == 0
    assert result.stdout.endswith(f"{page}\n")
    text = page.read_text(encoding="utf-8")
    assert "<h1>openmed demo</h1>" in text
    assert text.count("<svg") == 7


def test_with_json_too_the_answer_stays_one_line(tmp_path):
    result = ask("demo", "--json", "--html", tmp_path / "demo.html")
    assert json.loads(result.stdout)["name"] == "demo"
    assert (tmp_path / "demo.html").is_file()


def test_a_page_that_is_there_is_not_overwritten(tmp_path):
    page = tmp_path / "demo.html"
    page.write_text("mine", encoding="utf-8")
    result = ask("demo", "--html", page)
    assert isinstance(result.exception, DataError)
    assert str(page) in str(result.exception)
    assert "Choose another --html, or delete it" in str(result.exception)
    assert page.read_text(encoding="utf-8") == "mine"
    assert result.stdout == ""


def test_without_any_file_there_is_an_error_and_no_page(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "empty"))
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no network")))
    result = ask("ncbi", "--html", tmp_path / "ncbi.html")
    assert isinstance(result.exception, DataError)
    assert "3 of 3 splits of 'ncbi' could not be read" in str(result.exception)
    assert "no network" in str(result.exception)
    assert result.stdout == ""
    assert not (tmp_path / "ncbi.html").exists()


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize("as_json", [False, True])
def test_the_splits_that_are_here_are_shown_although_one_is_not(tmp_path, monkeypatch, as_json):
    spec = load_spec("ncbi_documents")
    for name in (spec.dev, spec.test):
        assert name
        place = tmp_path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(Path(os.environ["OPENMED_DATA"]) / name)
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path))
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no network")))
    result = ask("ncbi_documents", *(["--json"] if as_json else []))
    assert isinstance(result.exception, DataError)
    assert "1 of 3 splits of 'ncbi_documents' could not be read. train: " in str(result.exception)
    if as_json:
        answer = json.loads(result.stdout)
        assert set(answer["splits"]) == {"dev", "test"}
        assert "no network" in answer["missing"]["train"]
        assert answer["unseen"] == {}
    else:
        assert "787" in result.stdout
        assert "unseen" not in result.stdout
