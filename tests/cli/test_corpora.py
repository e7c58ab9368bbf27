"""`openmed corpora`: what there is, what is in it, and where it lies; for people and, with --json, for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openmed.corpora import corpus_names, load_spec

TYPES = ["Chemical", "Disease", "Gene", "Species"]


@pytest.fixture(autouse=True)
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever this machine has, only the corpus inside the package is here."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "empty"))


def ask(openmed, *arguments: str):
    """A command's answer for machines: one line of JSON."""
    result = openmed("corpora", *arguments, "--json")
    assert result.code == 0, result.err
    assert result.out.count("\n") == 1
    return json.loads(result.out)


def test_list_names_every_corpus_but_the_users_own(openmed):
    rows = ask(openmed, "list")
    assert [row["name"] for row in rows] == [name for name in corpus_names() if name != "custom"]
    demo = next(row for row in rows if row["name"] == "demo")
    assert demo["types"] == TYPES
    assert demo["licence"] == "Apache-2.0"
    assert set(demo["entities"]) == {"train", "dev", "test"}


def test_list_tells_what_is_here(openmed):
    assert {row["name"] for row in ask(openmed, "list") if row["here"]} == {"demo"}


def test_list_for_people_is_a_table(openmed):
    result = openmed("corpora", "list")
    assert result.code == 0
    demo = next(line.split() for line in result.out.splitlines() if line.split()[:1] == ["demo"])
    assert demo == ["demo", "4", "types", "1032/267/294", "yes", "Apache-2.0"]
    assert "ncbi" in result.out


def test_stats_count_each_split_as_the_yaml_says(openmed):
    answer = ask(openmed, "stats", "demo")
    assert set(answer) >= {"name", "splits", "losses"}
    assert answer["name"] == "demo"
    for split, counts in load_spec("demo").counts.items():
        found = answer["splits"][split]
        assert set(found) == {"documents", "sentences", "words", "entities", "per_type"}
        for key, wanted in counts.items():
            assert (found["per_type"] if key in TYPES else found)[key] == wanted
        assert sum(found["per_type"].values()) == found["entities"]
    assert set(answer["losses"]) == {"train", "dev", "test"}


def test_stats_for_people_show_the_same_counts(openmed):
    result = openmed("corpora", "stats", "demo")
    assert result.code == 0
    row = next(line for line in result.out.splitlines() if "entities" in line)
    assert row.split()[:4] == ["entities", "1,032", "267", "294"]


def test_fetch_tells_where_the_verified_files_lie(openmed):
    answer = ask(openmed, "fetch", "demo")
    assert answer["name"] == "demo"
    assert [Path(path).name for path in answer["files"].values()] == ["train.txt", "dev.txt", "test.txt"]
    assert all(Path(path).is_file() for path in answer["files"].values())


def test_fetch_for_people_names_each_file(openmed):
    result = openmed("corpora", "fetch", "demo")
    assert result.code == 0
    assert [line.endswith("txt: verified") for line in result.out.splitlines()] == [True] * 3


@pytest.mark.parametrize("command", ["stats", "fetch"])
def test_an_unknown_corpus_is_refused_with_the_nearest(openmed, command):
    result = openmed("corpora", command, "dmeo")
    assert result.code == 1
    assert result.err == f"error: unknown dataset 'dmeo'. Did you mean 'demo'? Known: {', '.join(corpus_names())}.\n"


@pytest.mark.parametrize("command", ["stats", "fetch"])
def test_what_cannot_be_had_is_told_with_the_place_and_a_failing_exit(openmed, command, monkeypatch, tmp_path):
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("no network")))
    result = openmed("corpora", command, "ncbi")
    assert result.code == 1
    assert result.err.count("\n") == 1
    assert str(tmp_path / "empty") in result.err
    assert "no network" in result.err


@pytest.mark.parametrize(("arguments", "commands"), [((), ["predict", "corpora"]), (("corpora",), ["list", "fetch"])])
def test_without_a_command_there_is_help(openmed, arguments, commands):
    result = openmed(*arguments)
    assert result.code == 2
    assert "Usage:" in result.out
    assert all(command in result.out for command in commands)


def test_the_version_is_that_of_the_package(openmed):
    import openmed as package

    assert openmed("--version") == (0, f"{package.__version__}\n", "")
