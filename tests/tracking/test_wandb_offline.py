"""Real offline runs, one after another in one process, read back from disk with `wandb leet inspect`."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openmed.spans import Document, Span
from openmed.tracking import (
    artefact_name,
    error_rows,
    find_run_id,
    finish,
    log_artefact,
    log_dataset,
    log_errors_table,
    log_summary,
    make_wandb_logger,
)
from openmed.tracking.safe_logger import SafeWandbLogger
from openmed.tracking.service import abandon_service

RESULT = {
    "run_id": "x",
    "status": "finished",
    "dev": {"f1": 0.9, "per_type": {"Disease": {"f1": 0.8}}, "views": {"sentences": {"f1": 0.91}}},
    "test": None,
    "params": {"total": 1000, "trainable_percent": 1.5},
    "energy": {"kwh": None},
}


@dataclass
class Logged:
    """One segment of a run as it lies on disk."""

    logger: SafeWandbLogger
    folder: Path
    summary: dict[str, Any]
    records: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record[kind] for record in self.records if record["type"] == kind]


def inspect(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", *options, "--json", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def open_logger(folder: Path, **changes: Any) -> SafeWandbLogger:
    settings: dict[str, Any] = {
        "project": "openmed-tests",
        "name": f"demo-tiny-{folder.name}",
        "group": "a sweep",
        "tags": ["ner", "demo", "", "x" * 100],
        "job_type": "ner",
        "save_dir": folder,
        "config": {"optim": {"lr": 1e-3}, "path": Path("somewhere")},
        "mode": "offline",
    }
    logger = make_wandb_logger(**settings | changes)
    assert isinstance(logger, SafeWandbLogger)
    return logger


def read_back(logger: SafeWandbLogger) -> Logged:
    assert logger.failure is None
    log = logger.folder / f"run-{logger.version}.wandb"
    records = [json.loads(line) for line in inspect(log).splitlines()]
    return Logged(logger, logger.folder, json.loads(inspect(log, "--summary")), records)


def log_everything(logger: SafeWandbLogger, model: Path) -> None:
    logger.log_hyperparams({"module": {"lr": 1e-3}, "folder": model})
    for epoch, (step, f1) in enumerate([(10, 0.2), (20, 0.7), (30, 0.5)]):
        logger.log_metrics({"train/loss": 1.0, "train/tokens": 100.0 * step, "epoch": epoch}, step=step)
        logger.log_metrics({"dev/f1": f1, "dev/f1/Disease": f1, "epoch": epoch}, step=step)
    text = "Sore <b>throat</b> & fever."
    gold = Document("d1", text, (Span(21, 26, "Disease"),))
    log_errors_table(logger, error_rows(gold, Document("d1", text, (Span(0, 4, "Disease"),))))
    log_dataset(logger, name="demo", files={"train.txt": "sha256:12"}, metadata={"counts": {"train": 40}})
    log_artefact(logger, model, name=artefact_name(logger.version), parents=["model-dapt1"], metadata={"f1": 0.9})
    log_summary(logger, RESULT)


def test_the_parents_of_an_artefact_are_its_inputs_where_they_are_known(tmp_path: Path) -> None:
    (tmp_path / "openmed.json").write_text("{}")
    run = OnlineRun(known={"encoder-dapt1:latest", "team/p/encoder-dapt3:v0"})
    parents = ["encoder-dapt1", "encoder-dapt2", "team/p/encoder-dapt3:v0"]
    log_artefact(Direct(run), tmp_path, name="model-x", parents=parents)  # type: ignore[arg-type]
    assert run.used == ["encoder-dapt1:latest", "team/p/encoder-dapt3:v0"], (
        "one that was never uploaded is no reason to stop"
    )
    assert run.logged == ["model-x"]
    assert run.config == {"parents": parents}


class OnlineRun:
    """What a run with a server does with artefacts."""

    offline = False

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.used: list[str] = []
        self.logged: list[str] = []
        self.config = Config()
        self.settings = SimpleNamespace(sync_dir=".")

    def use_artifact(self, name: str) -> None:
        if name not in self.known:
            raise ValueError("not found")
        self.used.append(name)

    def log_artifact(self, artefact: Any) -> None:
        self.logged.append(artefact.name)


class Config(dict[str, Any]):
    """wandb's, as far as it is asked."""

    def update(self, values: dict[str, Any], *, allow_val_change: bool) -> None:  # type: ignore[override]
        super().update(values)


@dataclass
class Direct:
    """A logger that does at once what it is given."""

    run: OnlineRun

    def submit(self, task: Any) -> None:
        task(self.run)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Logged, Logged, Logged]:
    """A job that goes well, one that fails, and the first one resumed; with a stale environment all along."""
    folder = tmp_path_factory.mktemp("multirun")
    model = folder / "0" / "model"
    model.mkdir(parents=True)
    (model / "openmed.json").write_text("{}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"RUN_ID": "stale", "NAME": "stale", "RESUME": "must", "RUN_GROUP": "stale"}.items():
            patch.setenv(f"WANDB_{name}", value)
        abandon_service()  # wandb reads its environment once
        good = open_logger(folder / "0")
        log_everything(good, model)
        finish(good, failed=False)
        bad = open_logger(folder / "1")
        bad.log_metrics({"dev/f1": 0.1}, step=1)
        finish(bad, failed=True)
        resumed = open_logger(folder / "0", resume="allow")
        resumed.log_metrics({"dev/f1": 0.95}, step=40)
        finish(resumed, failed=False)
    return read_back(good), read_back(bad), read_back(resumed)


def test_jobs_of_one_process_are_runs_of_their_own_in_one_group(runs: tuple[Logged, Logged, Logged]) -> None:
    good, bad, _ = runs
    started = [logged.of("run")[0] for logged in (good, bad)]
    assert started[0]["run_id"] != started[1]["run_id"]
    assert {run["run_group"] for run in started} == {"a sweep"}
    assert [run["display_name"] for run in started] == ["demo-tiny-0", "demo-tiny-1"]
    assert all(run["tags"] == ["ner", "demo", "x" * 64] and run["job_type"] == "ner" for run in started)
    assert [len(logged.of("history")) for logged in (good, bad)] == [7, 1]


def test_the_exit_code_tells_whether_the_job_failed(runs: tuple[Logged, Logged, Logged]) -> None:
    assert [(logged.summary["state"], logged.summary["exit_code"]) for logged in runs] == [
        ("finished", 0),
        ("failed", 1),
        ("finished", 0),
    ]


def test_config_and_hyperparameters_are_kept_whole(runs: tuple[Logged, Logged, Logged]) -> None:
    config = runs[0].summary["config"]
    assert config["optim"] == {"lr": 1e-3}
    assert config["path"] == "somewhere"
    assert config["module"] == {"lr": 1e-3}
    assert config["data"] == {"name": "demo", "files": {"train.txt": "sha256:12"}}
    assert config["parents"] == ["model-dapt1"]


def test_training_is_drawn_over_text_scores_over_epochs_and_the_summary_has_the_best_f1(
    runs: tuple[Logged, Logged, Logged],
) -> None:
    good, bad, resumed = runs
    assert {name: metric.get("step_metric") for name, metric in axes(good).items()} == {
        "trainer/global_step": None,
        "*": "trainer/global_step",
        "epoch": "trainer/global_step",
        "train/tokens": "trainer/global_step",
        "train/loss": "train/tokens",
        "dev/f1": "epoch",
        "dev/f1/Disease": "epoch",
    }
    for logged in (good, bad, resumed):
        assert axes(logged)["dev/f1"]["summary"] == {"max": True}
    assert bad.summary["summary"]["dev/f1"] == {"max": 0.1}


def axes(logged: Logged) -> dict[str, dict[str, Any]]:
    """Name -> what was last defined of it."""
    found: dict[str, dict[str, Any]] = {}
    for metric in logged.of("metric"):
        found.setdefault(metric.get("name", metric.get("glob_name")), {}).update(metric)
    return found


def test_a_row_of_scores_has_step_epoch_and_the_text_seen_so_far(runs: tuple[Logged, Logged, Logged]) -> None:
    rows = [row["item"] for row in runs[0].of("history") if "dev/f1" in row["item"]]
    assert [row["trainer/global_step"] for row in rows] == [10, 20, 30]
    assert [row["train/tokens"] for row in rows] == [1000, 2000, 3000]
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert [row["dev/f1"] for row in rows] == [0.2, 0.7, 0.5]


def test_the_summary_holds_the_numbers_of_the_result(runs: tuple[Logged, Logged, Logged]) -> None:
    summary = runs[0].summary["summary"]
    assert summary["dev/f1"] == 0.9
    assert summary["status"] == "finished"
    assert summary["dev/per_type/Disease/f1"] == 0.8
    assert summary["dev/views/sentences/f1"] == 0.91
    assert summary["params/trainable_percent"] == 1.5
    assert not any(key.startswith(("test", "energy")) for key in summary)


def test_the_errors_are_a_table_of_escaped_html_inside_the_run_folder(runs: tuple[Logged, Logged, Logged]) -> None:
    good = runs[0]
    assert good.summary["summary"]["dev/errors"]["nrows"] == 2
    contents = [entry for artefact in good.of("artifact") for entry in artefact["manifest"]["contents"]]
    pages = [Path(entry["local_path"]) for entry in contents if entry["path"].endswith(".html")]
    assert len(pages) == 2
    assert all(page.is_relative_to(good.folder) for page in pages)
    assert all("&lt;b&gt;throat&lt;/b&gt; &amp; " in page.read_text() for page in pages)


def test_the_types_that_errors_confuse_are_a_chart_with_its_table(runs: tuple[Logged, Logged, Logged]) -> None:
    good = runs[0]
    assert good.summary["summary"]["dev/confusion_table"]["nrows"] == 2
    contents = [entry for artefact in good.of("artifact") for entry in artefact["manifest"]["contents"]]
    (place,) = (entry["local_path"] for entry in contents if entry["path"] == "dev/confusion_table.table.json")
    table = json.loads(Path(place).read_text(encoding="utf-8"))
    assert table["columns"] == ["gold type", "predicted type", "mentions"]
    assert sorted(table["data"]) == [["(nothing)", "Disease", 1], ["Disease", "(nothing)", 1]]
    (chart,) = (
        update for logged in good.of("config") for update in logged["update"].items() if "visualize" in update[0]
    )
    assert chart[0] == "_wandb.visualize.dev/confusion"
    assert chart[1]["panel_config"]["panelDefId"] == "wandb/confusion_matrix/v1"
    assert chart[1]["panel_config"]["fieldSettings"]["nPredictions"] == "mentions"


def test_the_artefact_has_its_files_and_the_corpus_is_an_input_without_text(
    runs: tuple[Logged, Logged, Logged],
) -> None:
    artefacts = {artefact["type"]: artefact for artefact in runs[0].of("artifact")}
    model, dataset = artefacts["model"], artefacts["dataset"]
    assert model["name"] == f"model-{runs[0].logger.version}"
    assert [entry["path"] for entry in model["manifest"]["contents"]] == ["openmed.json"]
    assert json.loads(model["metadata"]) == {"f1": 0.9, "parents": ["model-dapt1"]}
    assert dataset["use_after_commit"]
    assert [entry["path"] for entry in dataset["manifest"]["contents"]] == ["files.json"]
    assert json.loads(dataset["metadata"])["files"] == {"train.txt": "sha256:12"}


def test_a_resumed_run_is_a_new_segment_of_the_same_id(runs: tuple[Logged, Logged, Logged]) -> None:
    good, bad, resumed = runs
    assert resumed.logger.version == good.logger.version
    assert resumed.folder != good.folder
    assert resumed.folder.parent == good.folder.parent
    assert find_run_id(good.folder.parents[1]) == good.logger.version
    assert find_run_id(bad.folder) is None


def test_nothing_is_logged_after_the_finish(runs: tuple[Logged, Logged, Logged]) -> None:
    logger = runs[0].logger
    logger.log_metrics({"dev/f1": 0.0}, step=99)
    finish(logger, failed=True)
    assert json.loads(inspect(logger.folder, "--summary"))["exit_code"] == 0
