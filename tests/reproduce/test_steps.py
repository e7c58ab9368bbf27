"""What is done, what is done again, and what Hydra is told of it, on trainings that take no time."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from tests.reproduce.conftest import write_plan
from tests.reproduce.pretended import leave
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.errors import RunError
from openmed.reproduce.keys import cell_keys
from openmed.reproduce.plan import Encoder
from openmed.reproduce.results import read_results
from openmed.reproduce.run import carry_out, to_do
from openmed.training.overrides import quoted

LORA, NONE, TAGGER = "dapt/tiny/lora", "ner/tiny/none/demo/1", "ner/tiny/lora/demo/1"


def folder_of(out: Path, name: str) -> Path:
    (found,) = (path for path in (out / name).parent.glob(f"{(out / name).name}-????????") if path.is_dir())
    return found


def steps(plan, results: Path, out: Path) -> list[tuple[str, bool]]:
    return [(step.cell.name, step.again) for step in to_do(plan, read_results(results), cell_keys(plan), out)]


def test_a_run_that_died_before_its_first_checkpoint_is_set_aside(small, tmp_path, trainings):
    out = tmp_path / "out"
    trainings.statuses = [1, 1]
    for number in (1, 2):
        with pytest.raises(RunError, match=rf"{LORA} ended with 1:\nthe last words"):
            carry_out(small, out, tell=[].append)
        folder = Path(trainings.arguments[-1]["hydra.run.dir"])
        folder.mkdir()
        (folder / "config.yaml").write_text(f"of the {number}.")
    carry_out(small, out, tell=[].append)
    assert folder_of(out, LORA) == folder
    for number in (1, 2):
        assert (folder.with_name(f"{folder.name}.broken{number}") / "config.yaml").read_text() == f"of the {number}."


def test_a_run_with_a_checkpoint_goes_on(small, tmp_path, trainings):
    out = tmp_path / "out"
    trainings.statuses = [1]
    with pytest.raises(RunError):
        carry_out(small, out, tell=[].append)
    folder = Path(trainings.arguments[-1]["hydra.run.dir"])
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "last.ckpt").touch()
    results = carry_out(small, out, tell=[].append)
    assert trainings.arguments[1] == {"resume": [folder]}
    assert "wall_seconds" not in results[LORA]
    assert "wall_seconds" in results[TAGGER]
    assert not list(out.glob("**/*.broken*"))


def test_an_encoder_that_is_gone_is_made_again_only_for_taggers_that_are_open(small, tmp_path, trainings):
    """A results file travels, run folders do not."""
    results, told = tmp_path / "results.json", []
    first = carry_out(small, tmp_path / "out", results=results)
    elsewhere = tmp_path / "elsewhere"
    assert steps(small, results, elsewhere) == []
    more = replace(small, seeds=(1, 2))
    wanted = [(LORA, True), ("ner/tiny/none/demo/2", False), ("ner/tiny/lora/demo/2", False)]
    assert steps(more, results, elsewhere) == wanted
    assert steps(more, results, tmp_path / "out") == [(name, False) for name, _ in wanted[1:]]
    found = carry_out(more, elsewhere, results=results, tell=told.append)
    assert told[0].startswith(f"[1 of 3] {LORA}, again: its encoder is not in {folder_of(elsewhere, LORA)}")
    assert found[TAGGER] == first[TAGGER]
    assert found[LORA]["run_id"] != first[LORA]["run_id"]
    assert trainings.arguments[-1]["backbone.weights"] == str(folder_of(elsewhere, LORA) / "encoder")


def test_a_finished_run_that_the_results_lack_is_not_done_again(small, tmp_path, trainings):
    out = tmp_path / "out"
    carry_out(small, out)
    (out / "results.json").unlink()
    shutil.rmtree(folder_of(out, LORA) / "encoder")
    assert steps(small, out / "results.json", out) == [(LORA, False), (NONE, False), (TAGGER, False)]
    carry_out(small, out)
    assert len(trainings.arguments) == 3
    shutil.rmtree(folder_of(out, TAGGER))
    (out / "results.json").unlink()
    assert steps(small, out / "results.json", out)[0] == (LORA, True), "its tagger needs the encoder"
    carry_out(small, out)
    assert len(trainings.arguments) == 5


def test_what_an_encoder_was_started_from_is_made_again_too(small, tmp_path, trainings):
    encoders = {**small.encoders, "further": Encoder(("optim.lr=1e-3",), start="lora")}
    chain = replace(small, encoders=encoders)
    results = tmp_path / "results.json"
    carry_out(chain, tmp_path / "out", results=results)
    content = json.loads(results.read_text())
    del content["cells"]["ner/tiny/further/demo/1"]
    results.write_text(json.dumps(content))
    wanted = [(LORA, True), ("dapt/tiny/further", True), ("ner/tiny/further/demo/1", False)]
    assert steps(chain, results, tmp_path / "elsewhere") == wanted


def test_an_encoder_that_is_made_again_is_open_in_the_plan_and_counts(small, tmp_path, trainings):
    results, own = tmp_path / "results.json", write_plan(replace(small, seeds=(1, 2)), tmp_path / "plan.yaml")
    carry_out(small, tmp_path / "out", results=results)
    content = json.loads(results.read_text())
    for name, seconds in ((LORA, 6000.0), (NONE, 60.0), (TAGGER, 60.0)):
        content["cells"][name]["wall_seconds"] = seconds
    results.write_text(json.dumps(content))
    arguments = ["reproduce", str(own), "--plan", "--results", str(results)]
    elsewhere = ["--out", str(tmp_path / "elsewhere")]
    shown = CliRunner().invoke(app, [*arguments, *elsewhere], catch_exceptions=False).stdout
    assert "open: its encoder is gone" in shown
    assert "3 open: about 102 minutes" in shown
    rows = json.loads(CliRunner().invoke(app, [*arguments, *elsewhere, "--json"], catch_exceptions=False).stdout)
    assert [row["cell"] for row in rows if row["again"]] == [LORA]
    assert [row["cell"] for row in rows if row["done"]] == [NONE, TAGGER]
    here = ["--out", str(tmp_path / "out")]
    assert "2 open: about 2 minutes" in CliRunner().invoke(app, [*arguments, *here], catch_exceptions=False).stdout


def test_records_of_another_process_stay(small, tmp_path, trainings):
    """Two folders may share a results file: what the other does meanwhile is not written over by what was there."""
    results = tmp_path / "results.json"
    carry_out(small, tmp_path / "first", results=results)
    cells = read_results(results)
    other = "ner/tiny/other/demo/1"

    def tell(line: str) -> None:
        if line.startswith("[2 of 2]"):
            content = {**read_results(results), NONE: {**cells[NONE], "key": "of another"}, other: cells[NONE]}
            results.write_text(json.dumps({"cells": content}))

    carry_out(replace(small, seeds=(2,)), tmp_path / "first", results=results, tell=tell)
    found = read_results(results)
    assert found[NONE]["key"] == "of another"
    assert set(found) == {LORA, NONE, TAGGER, other, "ner/tiny/none/demo/2", "ner/tiny/lora/demo/2"}


@pytest.mark.parametrize(
    "path", ["/a/runs (1), é/x", "/a/b=c,[d]{e}", "/it's/\\", "/a\\'b", "/~ : $x #y", " 1 ", 'a"b', "null", "1e3"]
)
def test_hydra_reads_a_path_as_it_is(path):
    (override,) = OverridesParser.create().parse_overrides([f"backbone.weights={quoted(path)}"])
    assert override.value() == path


def test_folders_of_any_name_are_told_to_hydra_as_they_are(small, tmp_path, trainings):
    out = tmp_path / "runs (1), é=[x]'s"
    carry_out(small, out)
    assert trainings.arguments[0]["hydra.run.dir"] == str(folder_of(out, LORA))
    assert trainings.arguments[2]["backbone.weights"] == str(folder_of(out, LORA) / "encoder")


def test_progress_is_told_beside_what_machines_read(small, tmp_path, trainings):
    own = write_plan(small, tmp_path / "plan.yaml")
    arguments = ["reproduce", str(own), "--out", str(tmp_path / "out"), "--json"]
    shown = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert list(json.loads(shown.stdout)) == [LORA, NONE, TAGGER]
    assert shown.stderr.splitlines()[0] == f"[1 of 3] {LORA}"


def test_another_version_of_outcomes_is_another_key(small, monkeypatch):
    keys = cell_keys(small)
    monkeypatch.setattr("openmed.reproduce.keys.OUTCOME_VERSION", 2)
    assert not set(keys.values()) & set(cell_keys(small).values())


def test_a_run_that_was_left_alone_is_taken_when_it_is_finished(small, tmp_path, trainings):
    """Its command was killed, it went on to its end."""
    out = tmp_path / "out"
    trainings.statuses = [1]
    with pytest.raises(RunError):
        carry_out(small, out)
    leave(Path(trainings.arguments[0]["hydra.run.dir"]), run_id="left")
    results = carry_out(small, out)
    assert results[LORA]["run_id"] == "left"
    assert "wall_seconds" not in results[LORA]
    assert len(trainings.arguments) == 3
