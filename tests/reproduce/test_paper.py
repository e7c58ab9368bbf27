"""The paper's table beside ours: filled by the plan's own runs alone, and open places say so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.reproduce.test_plan_and_table import COUNTS, record
from typer.testing import CliRunner

from openmed.analysis.report.blocks import Prose, Table
from openmed.cli.app import app
from openmed.corpora import load_spec
from openmed.errors import ConfigError
from openmed.reproduce.keys import cell_keys
from openmed.reproduce.outcome import _scores
from openmed.reproduce.paper import ABSENT, NOT_RUN, OTHER, UNKNOWN, check, paper_rows, paper_sections
from openmed.reproduce.plan import Plan

CONTENT = {
    "name": "p",
    "backbones": ["tiny"],
    "corpora": ["demo", "fsu"],
    "seeds": [1, 2],
    "baseline": "none",
    "encoders": {"none": None},
    "train": ["test=true"],
    "reported": {"demo": 90.5},
    "source": "somebody",
}
WITH_CLEAN = {"f1": 0.25, "units": 50, "removed": 10, "against": ["train", "dev"]}


def plan(**changes) -> Plan:
    return Plan.from_mapping({**CONTENT, **changes})


@pytest.fixture(autouse=True)
def _no_data(tmp_path, monkeypatch):
    """The demo corpus comes along; of the others nothing is here."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "nothing"))


def done(wanted: Plan, *, clean: dict | None = WITH_CLEAN) -> dict:
    """Outcomes of both seeds of the demo corpus, made by hand: the second is better."""
    better = COUNTS.copy()
    better[:, 0] += 5
    results = {}
    for seed, counts in ((1, COUNTS), (2, better)):
        name = f"ner/tiny/none/demo/{seed}"
        made = record(counts)
        test = {**made["test"], "clean": clean} if clean else made["test"]
        results[name] = {**made, "test": test, "kind": "ner", "key": cell_keys(wanted, {name})[name]}
        results[name]["train"] = {"seconds": 1.0}
    return results


def rows_of(wanted: Plan, found: dict):
    return {row.corpus: row for row in paper_rows(wanted, check(wanted, found))}


def test_a_cell_has_mean_interval_seeds_and_what_is_left_without_the_seen():
    row = rows_of(plan(), done(plan()))["demo"]
    scores = [record["test"]["f1"] for record in done(plan()).values()]
    assert row.f1 == pytest.approx(np.mean(scores))
    assert row.sd == pytest.approx(np.std(scores, ddof=1))
    assert row.interval is not None
    assert row.interval[0] < row.f1 < row.interval[1]
    assert (row.seeds, row.clean_f1, row.removed, row.reported, row.state) == ((1, 2), 0.25, 10, 90.5, "")
    assert row.runs[2] == "python train.py dataset=demo backbone=tiny test=true seed=2"


def test_several_seeds_widen_the_interval_beyond_that_of_one():
    found = done(plan())
    both = rows_of(plan(), found)["demo"].interval
    one = rows_of(plan(), {name: record for name, record in found.items() if name.endswith("/1")})["demo"]
    assert (one.seeds, one.sd) == ((1,), None)
    assert both[1] - both[0] > one.interval[1] - one.interval[0]


def test_an_empty_place_is_never_filled_from_elsewhere():
    assert rows_of(plan(), {})["demo"].state == NOT_RUN
    longer = plan(train=["test=true", "length.epochs=3"])
    row = rows_of(longer, done(plan()))["demo"]
    assert (row.f1, row.seeds, row.state) == (None, (), OTHER)
    fsu = {"ner/tiny/none/fsu/1": {**done(plan())["ner/tiny/none/demo/1"]}}
    assert rows_of(plan(), fsu)["fsu"].state == UNKNOWN
    untested = {name: {**record, "test": None} for name, record in done(plan()).items()}
    for entry in untested.values():
        del entry["test"]
    assert rows_of(plan(), untested)["demo"].state == "not scored on test"


def test_a_run_whose_text_is_not_packed_is_not_said_to_be_another(tmp_path):
    """Nobody can tell here: its encoder's text decides, and is not at hand."""
    encoders = {"none": None, "lora": {"overrides": [f"dataset.folder={tmp_path}"]}}
    wanted = plan(corpora=["demo"], encoders=encoders)
    found = done(plan())
    found |= {f"ner/tiny/lora/demo/{seed}": found["ner/tiny/none/demo/1"] for seed in (1, 2)}
    none, lora = paper_rows(wanted, check(wanted, found))
    assert (none.state, lora.state) == ("", UNKNOWN)


def test_clean_scores_that_are_not_there_are_not_made_up():
    assert rows_of(plan(), done(plan(), clean=None))["demo"].removed is None
    nothing = rows_of(plan(), done(plan(), clean={**WITH_CLEAN, "f1": None}))["demo"]
    assert (nothing.clean_f1, nothing.removed) == (None, 10)


def test_the_outcome_of_a_run_keeps_the_clean_score():
    scores = {"precision": 1, "recall": 1, "f1": 1, "views": {}, "tp": 3, "clean": {**WITH_CLEAN, "rule": {}}}
    assert _scores(scores)["clean"] == WITH_CLEAN
    assert "clean" not in _scores({**scores, "clean": None})


def test_the_tables():
    wanted = plan(backbones=["tiny", "minilm"])
    corpora, tiny, minilm = paper_sections(wanted, paper_rows(wanted, check(wanted, done(wanted))), "own.yaml")
    table = corpora.blocks[0]
    assert isinstance(table, Table)
    counts = load_spec("fsu").counts
    assert table.rows[0][:3] == ("demo", load_spec("demo").title, "90.50")
    assert table.rows[1][2] == ""
    assert table.rows[1][-3:] == (None, counts["dev"]["entities"], counts["test"]["entities"])
    scores, command, open_runs = tiny.blocks
    assert isinstance(scores, Table)
    assert isinstance(command, Prose)
    assert scores.rows[0][1] == "90.50"
    assert scores.rows[0][3] == "2 of 2"
    assert scores.rows[0][5] == "25.0 (10 removed)"
    assert "openmed reproduce own.yaml --backbones tiny --corpora demo " in command.text
    assert scores.rows[1][2:6] == (ABSENT, "0 of 2", "", "")
    assert open_runs == Prose("2 of 4 runs are not there.")
    assert [row[2] for row in minilm.blocks[0].rows] == [NOT_RUN, ABSENT]
    turned = plan(corpora=["fsu", "demo"])
    (_, command, _) = paper_sections(turned, paper_rows(turned, check(turned, {})), "own.yaml")[1].blocks
    assert isinstance(command, Prose)
    assert "--corpora demo " in command.text, "an example that can be followed"
    assert "dataset=demo" in command.text


def test_the_command_shows_the_papers_table_without_any_data(tmp_path):
    markdown = tmp_path / "paper.md"
    arguments = ["reproduce", "paper", "--table", "--out", str(tmp_path / "out"), "--backbones", "deberta"]
    shown = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    rows = json.loads(shown.stdout)
    reported = {row["corpus"]: row["reported"] for row in rows}
    assert len(rows) == 13
    assert {row["state"] for row in rows} == {ABSENT}
    assert (reported["ncbi"], reported["bc4chemd"], reported["fsu"], reported["gellus"]) == (91.1, 95.4, 96.1, None)
    CliRunner().invoke(app, [*arguments, "--markdown", str(markdown)], catch_exceptions=False)
    lines = markdown.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# The paper's table, and ours"
    assert lines[2].endswith("--table")
    assert sum("| not run: data not at hand |" in line for line in lines) == 13


def test_results_of_the_plan_fill_the_table_of_the_command(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(json.dumps(CONTENT), encoding="utf-8")
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"cells": done(Plan.read(str(own)))}), encoding="utf-8")
    arguments = ["reproduce", str(own), "--table", "--results", str(results), "--json"]
    demo, fsu = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).stdout)
    assert demo["seeds"] == [1, 2]
    assert fsu["state"] == ABSENT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": ""}, "does not say who reports. Write source: arXiv"),
        ({"reported": {"dmo": 1.0}}, "unknown corpus 'dmo'"),
        ({"reported": {"demo": 105}}, "reported cannot be"),
        ({"reported": {"demo": "90"}}, "reported cannot be"),
        ({"reported": [1.0]}, r"Write it like reported: {ncbi: 91.10}"),
    ],
)
def test_mistakes_in_what_is_reported(changes, message):
    with pytest.raises(ConfigError, match=message):
        plan(**changes)


def test_the_papers_plan_is_the_twelve_corpora_and_gellus():
    paper = Plan.read("paper")
    assert len(paper.reported) == 12
    assert set(paper.corpora) == {*paper.reported, "gellus"}
    assert "test=true" in paper.train
    assert replace(paper, corpora=("ncbi",)).reported == paper.reported


def test_only_the_taggers_that_are_asked_for_are_looked_at(tmp_path: Path):
    name = "ner/tiny/none/demo/1"
    assert set(cell_keys(plan(), {name})) == {name}, "fsu is not at hand, and is not asked for"
