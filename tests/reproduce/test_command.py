"""`openmed reproduce` on made-up results: damaged files and settings are explained, tables say what makes them."""

from __future__ import annotations

import base64
import json
import re
import shlex
import zlib
from pathlib import Path

import pytest
from tests.reproduce.test_plan_and_table import COUNTS, pretrained, record
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.mix import Mix
from openmed.reproduce.keys import Lack, cell_keys
from openmed.reproduce.plan import Plan, plan_names
from openmed.reproduce.results import read_results

EMPTY, UNEVEN = (base64.b64encode(zlib.compress(content)).decode() for content in (b"", b"1234"))
NAMES = ("ner/tiny/none/demo/1", "ner/tiny/none/demo/2")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A plan that needs no packed text."""
    place = tmp_path / "my plan.yaml"
    place.write_text(
        "name: mine\nbackbones: [tiny]\ncorpora: [demo]\nseeds: [1]\nbaseline: none\nencoders: {none: {}}\n"
    )
    return place


def whole(kind: str = "ner") -> dict:
    made = record(COUNTS) if kind == "ner" else pretrained()
    return {**made, "kind": kind, "key": "0", "train": {"seconds": 60.0, "tokens": 1_000}}


def invoke(*arguments: object):
    return CliRunner().invoke(app, ["reproduce", *map(str, arguments)], catch_exceptions=False)


def test_the_markdown_names_the_whole_command(own, tmp_path):
    results, markdown = tmp_path / "results.json", tmp_path / "tables" / "mine.md"
    options = ["--backbones=tiny", "--corpora=demo", "--seeds=2", f"--results={results}", f"--markdown={markdown}"]
    keys = cell_keys(Plan.read(str(own)))
    assert set(keys) == {"ner/tiny/none/demo/1"}
    results.write_text(json.dumps({"cells": {NAMES[0]: {**whole(), "key": keys[NAMES[0]]}}}))
    shown = invoke(own, "--table", *options)
    assert "Taggers on tiny: dev" in shown.stdout
    lines = markdown.read_text().splitlines()
    assert lines[0] == "# mine"
    assert shlex.split(lines[2]) == ["openmed", "reproduce", str(own), *options]
    assert lines[2].startswith("    ")
    assert lines[4] == "## Pre-training of tiny"
    assert "(1 of 2 seeds)" in markdown.read_text()
    invoke(own, "--table", f"--markdown={markdown}", "--out", tmp_path / "out")
    wanted = ["openmed", "reproduce", str(own), f"--out={tmp_path / 'out'}", f"--markdown={markdown}"]
    assert shlex.split(markdown.read_text().splitlines()[2]) == wanted


@pytest.mark.parametrize("seeds", [0, -1])
def test_no_seeds_are_refused(own, seeds):
    with pytest.raises(ConfigError, match=f"--seeds {seeds} is no number of seeds. --seeds 3 takes"):
        invoke(own, "--plan", f"--seeds={seeds}")


def test_names_may_have_spaces_between_and_none_is_refused(own):
    rows = json.loads(invoke(own, "--plan", "--json", "--backbones", "minilm, tiny").stdout)
    assert len(rows) == 2
    with pytest.raises(ConfigError, match="unknown corpus ''"):
        invoke(own, "--plan", "--corpora", "")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optim.lrr=1", r"ner/tiny/none/demo/1: .*'optim.lr'.* See train and encoders.none.train in the plan"),
        ("lora=nothing", "unknown lora 'nothing'"),
        ("optim.lr", "cannot read the argument optim.lr"),
    ],
)
def test_overrides_that_training_refuses(own, override, message):
    own.write_text(own.read_text() + f"train: ['{override}']\n")
    with pytest.raises(ConfigError, match=message):
        invoke(own, "--plan")


def test_overrides_that_pretraining_refuses(own):
    own.write_text(own.read_text().replace("none: {}", "none: {}, lora: {overrides: [dataset=ncbi]}"))
    with pytest.raises(ConfigError, match=r"dapt/tiny/lora: .*See pretrain and encoders\.lora\.overrides in the plan"):
        invoke(own, "--plan")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "no results file \\("),
        (b"", "no results file \\("),
        (b"\xff", "no results file \\("),
        (b"[]", 'has no "cells"'),
        (b"{}", 'has no "cells"'),
        (b'{"cells": []}', 'has no "cells"'),
    ],
)
def test_a_damaged_results_file(own, tmp_path, content, message):
    place = tmp_path / "results.json"
    place.write_bytes(content)
    for way in ("--plan", "--table"):
        with pytest.raises(DataError, match=rf"results\.json: .*{message}.*--results"):
            invoke(own, way, "--results", place)


@pytest.mark.parametrize("kind", ["ner", "dapt"])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": None}, "has kind None, none of dapt, ner"),
        ({"kind": []}, r"has kind \[\]"),
        ({"key": None}, "has no key"),
        ({"train": None}, "has no number train.seconds"),
        ({"train": {"seconds": "1"}}, "has no number train.seconds"),
        ({"dev": {}}, r"has no number dev\.(f1|perplexity)"),
    ],
)
def test_a_cell_that_lacks_something(tmp_path, kind, changes, message):
    refused(tmp_path, {**whole(kind), **changes}, message)


@pytest.mark.parametrize(
    "groups", [None, {}, {"dev": 1}, {"dev": "?"}, {"dev": "AAAA"}, {"dev": EMPTY}, {"dev": UNEVEN}]
)
def test_counts_that_cannot_be_read(tmp_path, groups):
    found = record(COUNTS)["groups"]
    refused(tmp_path, {**whole(), "groups": groups and {**found, **groups}}, r"has no counts groups\.dev")


@pytest.mark.parametrize("cell", [None, 1, [], "done"])
def test_a_cell_that_is_none(tmp_path, cell):
    refused(tmp_path, cell, "has kind None")


def refused(folder: Path, cell: object, message: str) -> None:
    place = folder / "results.json"
    place.write_text(json.dumps({"cells": {NAMES[0]: whole(), "dapt/tiny/lora": whole("dapt")}}))
    assert len(read_results(place)) == 2
    place.write_text(json.dumps({"cells": {NAMES[0]: whole(), NAMES[1]: cell}}))
    with pytest.raises(DataError, match=f"{NAMES[1]} {message}.* Take {NAMES[1]} out of it"):
        read_results(place)


def test_a_folder_is_not_taken_for_a_results_file(own, tmp_path):
    """It would be replaced by the file."""
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "page.md").write_text("kept")
    with pytest.raises(DataError, match="no results file"):
        invoke(own, "--results", folder)
    assert (folder / "page.md").read_text() == "kept"


@pytest.fixture
def partly(own, tmp_path, monkeypatch) -> list[object]:
    """Arguments for a plan of which one corpus cannot be had, the first one."""
    monkeypatch.setenv("OPENMED_DATA", str(tmp_path / "nothing"))
    monkeypatch.delenv("OPENMED_MIRROR", raising=False)
    own.write_text(own.read_text().replace("[demo]", "[jnlpba_documents, demo]"))
    return [own, "--out", tmp_path / "out"]


def test_a_corpus_that_is_not_at_hand_is_shown_so_in_the_plan(partly):
    shown = invoke(*partly, "--plan")
    assert shown.exit_code == 0
    assert "data not at hand" in shown.stdout
    assert "1 run (ner/tiny/none/jnlpba_documents/1: " in shown.stdout
    assert "1 open" in shown.stdout
    rows = json.loads(invoke(*partly, "--plan", "--json").stdout)
    assert [(row["cell"], row["lacking"]) for row in rows] == [
        ("ner/tiny/none/jnlpba_documents/1", "data not at hand"),
        ("ner/tiny/none/demo/1", None),
    ]


def test_all_but_the_corpus_that_is_not_at_hand_is_done(partly, trainings):
    shown = CliRunner().invoke(app, ["reproduce", *map(str, partly)])
    assert [arguments["dataset"] for arguments in trainings.arguments] == ["demo"]
    assert "data not at hand" in shown.stdout
    assert (shown.exit_code, type(shown.exception)) == (1, DataError)
    told = "left out, for what they need is not at hand: 1 run .ner/tiny/none/jnlpba_documents/1: .*not here"
    assert re.match(told, str(shown.exception))
    table = invoke(*partly, "--table")
    assert table.exit_code == 0
    assert "data not at hand" in table.stdout


def test_records_whose_corpus_is_not_at_hand_stay_in_the_tables_of_a_run(partly, tmp_path, trainings):
    """They were published; that nobody can check them here is no reason to drop them."""
    absent, markdown = "ner/tiny/none/jnlpba_documents/1", tmp_path / "table.md"
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"cells": {absent: whole()}}))
    shown = CliRunner().invoke(app, ["reproduce", *map(str, partly), f"--results={results}", f"--markdown={markdown}"])
    assert type(shown.exception) is DataError, "it was left out all the same"
    after_the_run = markdown.read_text().split("\n", 4)[-1]
    assert f"| jnlpba\\_documents | {100 * whole()['dev']['f1']:.1f} (one seed) |" in after_the_run
    assert "1 of the runs above stand as the results file has them" in after_the_run
    invoke(*partly, "--table", f"--results={results}", f"--markdown={markdown}")
    assert markdown.read_text().split("\n", 4)[-1] == after_the_run


def test_a_table_of_runs_whose_text_is_not_at_hand_says_that_they_are_not_checked(own, tmp_path):
    """A results file travels; the text that its encoders read does not."""
    encoders = "{none: {}, lora: {overrides: [lora=all_linear]}}"
    own.write_text(own.read_text().replace("{none: {}}", encoders) + f"pretrain: ['dataset.folder={tmp_path}']\n")
    results = tmp_path / "results.json"
    cells = {"dapt/tiny/lora": whole("dapt"), "ner/tiny/lora/demo/1": whole()}
    results.write_text(json.dumps({"cells": cells}))
    shown = invoke(own, "--table", "--results", results)
    assert "text not packed" not in shown.stdout
    told = " ".join(shown.stdout.split())
    assert "2 of the runs above stand as the results file has them" in told
    assert "dapt/tiny/lora, ner/tiny/lora/demo/1" in told
    assert "12.35" in told
    results.write_text(json.dumps({"cells": {"dapt/tiny/lora": cells["dapt/tiny/lora"]}}))
    told = " ".join(invoke(own, "--table", "--results", results).stdout.split())
    assert "1 of the runs above" in told
    assert "text not packed" in told, "of its tagger, which the file does not have"


@pytest.mark.parametrize("name", [name for name in plan_names() if name != "paper"])
def test_the_command_that_packs_the_text_of_a_plan_is_whole(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lacking: dict[str, Lack] = {}
    cell_keys(Plan.read(name), set(), lacking=lacking)
    mixes = {"at_hand": ("at_hand", "outputs/pretrain_text"), "dapt": ("paper", "outputs/paper")}
    assert lacking
    for cell, lack in lacking.items():
        _, of_cell, encoder = cell.split("/")
        *command, mix, out, folder, option, backbone = shlex.split(lack.error.mend or "")
        wanted, place = mixes.get(encoder, ("near_tasks", "outputs/near_tasks"))
        assert command == ["openmed", "pretrain-text", "build"]
        assert Mix.read(Path(mix)).name == wanted
        assert (out, folder, option, backbone) == ("--out", place, "--backbone", of_cell)


def test_a_mix_of_ones_own(own, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    encoders = "{none: {}, lora: {overrides: ['dataset.folder=my text']}}"
    own.write_text(own.read_text().replace("{none: {}}", encoders) + "text: my mix.yaml\n")
    with pytest.raises(ConfigError, match=r"my plan.yaml: plan 'mine': there is no text 'my mix.yaml'.*a YAML's path"):
        invoke(own, "--plan")
    Path("my mix.yaml").touch()
    with pytest.raises(DataError, match=r"build 'my mix.yaml' --out 'my text' --backbone tiny"):
        invoke(own)
    own.write_text(own.read_text().replace("my mix.yaml", "near_task"))
    with pytest.raises(ConfigError, match=r"there is no text 'near_task'. Did you mean 'near_tasks'"):
        invoke(own, "--plan")


def test_text_that_is_not_packed_is_told_with_its_command(own, tmp_path):
    folder = tmp_path / "text"
    encoders = "{none: {}, lora: {overrides: [lora=all_linear]}}"
    own.write_text(own.read_text().replace("{none: {}}", encoders) + f"pretrain: ['dataset.folder={folder}']\n")
    shown = invoke(own, "--plan", "--out", tmp_path / "out")
    assert shown.exit_code == 0
    assert f"openmed pretrain-text build MIX.yaml --out {folder} --backbone tiny" in shown.stdout
    rows = json.loads(invoke(own, "--plan", "--json", "--out", tmp_path / "out").stdout)
    assert [row["lacking"] for row in rows] == ["text not packed", None, "text not packed"]
    assert "text not packed" in invoke(own, "--table", "--out", tmp_path / "out").stdout
    with pytest.raises(DataError, match="no text is packed for backbone=tiny"):
        invoke(own, "--out", tmp_path / "out")
