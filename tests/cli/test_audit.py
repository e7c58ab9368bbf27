"""`openmed corpora audit`: one corpus or all that are here, for people and machines; nothing is overwritten unasked."""

from __future__ import annotations

import gc
import json
import os
import shutil
import weakref
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from openmed.analysis.audit import audit_corpus
from openmed.analysis.leakage import Subset
from openmed.cli.audit import _audit_each, audit
from openmed.corpora import load_spec, load_split
from openmed.errors import ConfigError, DataError

DEMO = ("--backbone", "tiny")
REAL = os.environ.get("OPENMED_DATA")


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Whatever this machine has, only the corpus inside the package is here."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: object) -> str:
    """Standard output of the command; its errors come through."""
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(audit)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.stdout


def test_one_corpus_for_machines():
    entry = json.loads(run("demo", "--json", *DEMO))
    assert entry["corpus"] == "demo"
    assert {finding["weight"] for finding in entry["findings"]} == {"nothing"}
    assert "tokenizer_tiny" in {finding["name"] for finding in entry["findings"]}


def test_one_corpus_for_people(tmp_path):
    files = [tmp_path / name for name in ("demo.html", "demo.md", "clean.json")]
    out = run("demo", *DEMO, "--html", files[0], "--markdown", files[1], "--clean", files[2])
    for shown in (out, files[0].read_text(encoding="utf-8"), files[1].read_text(encoding="utf-8")):
        assert "Looked for and not found" in shown
        assert "openmed demo" in shown
        assert str(tmp_path) not in shown
    subset = Subset.read(files[2])
    assert (subset.documents.kept, subset.sentences.kept) == (10, 80)
    assert all(subset.keeps(document) for document in load_split(load_spec("demo"), "test").documents)


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="OPENMED_DATA does not name a folder of corpora")
def test_a_split_that_is_not_here_is_told_at_the_end_and_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENMED_DATA", str(REAL))
    report = tmp_path / "fsu.md"
    with pytest.raises(DataError, match=r"these splits are not at hand: train of fsu\."):
        run("fsu", *DEMO, "--markdown", report)
    assert "FSU-PRGE (fsu)" in report.read_text(encoding="utf-8"), "the rest is told all the same"


def test_files_that_are_there_are_kept(tmp_path):
    path = tmp_path / "demo.md"
    path.write_text("mine", encoding="utf-8")
    for option in ("--markdown", "--html", "--clean"):
        with pytest.raises(DataError, match="something here already"):
            run("demo", *DEMO, option, path)
    assert path.read_text(encoding="utf-8") == "mine"
    run("demo", *DEMO, "--markdown", path, "--force")
    assert path.read_text(encoding="utf-8").startswith("# Audit of demo")


def test_all_are_those_that_are_here(tmp_path):
    path = tmp_path / "all.md"
    (entry,) = json.loads(run("--all", *DEMO, "--json", "--markdown", path))
    assert entry["corpus"] == "demo"
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Audit of the corpora\n\n## All corpora")
    assert "| demo | 80 |" in text


def test_a_corpus_that_cannot_be_read_does_not_keep_the_others_back(no_data, tmp_path):
    name = load_spec("jnlpba").test
    assert name is not None
    (no_data / name).parent.mkdir(parents=True)
    (no_data / name).write_text("not\tthe\tfile\n", encoding="utf-8")
    path = tmp_path / "all.md"
    with pytest.raises(DataError, match="1 of 2 corpora could not be read"):
        run("demo", "jnlpba", *DEMO, "--markdown", path)
    text = path.read_text(encoding="utf-8")
    assert "Could not be read" in text
    assert "| demo | 80 |" in text
    assert str(tmp_path) not in text
    shutil.rmtree(no_data)
    with pytest.raises(DataError, match="no split of 'jnlpba' is on this machine"):
        run("jnlpba", *DEMO)


def test_one_corpus_at_a_time_is_in_memory(monkeypatch):
    audited: list[weakref.ref] = []
    alive: list[int] = []

    def note(*arguments, **options):
        gc.collect()
        alive.append(sum(found() is not None for found in audited))
        found = audit_corpus(*arguments, **options)
        audited.append(weakref.ref(found))
        return found

    monkeypatch.setattr("openmed.analysis.audit.audit_corpus", note)
    _audit_each(["demo", "demo"], ["tiny"], None, several=True)
    assert alive == [0, 0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "neither names nor --all"),
        (("demo", "--all"), "names and --all"),
        (("dmeo",), "Did you mean 'demo'"),
        (("demo", "ncbi", "--clean", "x.json"), "--clean is for one corpus"),
        (("demo", "--backbone", "tinny"), "Did you mean 'tiny'"),
    ],
)
def test_contradictory_or_unknown_arguments_are_refused(arguments, problem):
    with pytest.raises(ConfigError, match=problem):
        run(*arguments)
