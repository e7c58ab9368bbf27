"""TPE searches with a training that takes no time: proposals, going on, refusals, the report."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from omegaconf import DictConfig
from tests.search.sweeps import TINY, go_on, quick_training, statuses, sweep

import openmed.training.run as training
from openmed.search.runner import Runner
from openmed.search.state import Sweep
from openmed.training.result import start_result, write_result

optuna = pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")

GONE = ("~search.space.optim.weight_decay", "~search.space.optim.warmup_fraction", "~search.space.lora.dropout")
TPE = (*TINY, "search=tpe", *GONE, "search.space.lora.rank=[8,16]")


# Rank stands still, a list is one more axis. Beyond the ten that TPE draws blindly.
AXES = ("lora.rank=16", "window.max_sentences=1,8")
TRIALS = 12


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> tuple[Sweep, list[DictConfig]]:
    folder = tmp_path_factory.mktemp("tpe") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        calls = _search(folder, patch, *AXES, f"search.trials={TRIALS}")
    return Sweep.read(folder), calls


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A search of one trial, to be copied."""
    folder = tmp_path_factory.mktemp("begun") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        _search(folder, patch, "search.trials=1")
    return folder


def drawn(calls) -> list[tuple[float, int]]:
    return [(config.optim.lr, config.window.max_sentences) for config in calls]


@pytest.mark.slow
def test_going_on_draws_what_it_would_have_drawn(tmp_path, monkeypatch, searched):
    parts = drawn(_search(tmp_path / "parts", monkeypatch, *AXES, "search.trials=5"))
    calls = quick_training(monkeypatch)
    assert go_on(tmp_path / "parts", f"search.trials={TRIALS}") == 0
    assert parts + drawn(calls) == drawn(searched[1])
    assert statuses(tmp_path / "parts") == ["finished"] * TRIALS


def test_another_space_is_refused_on_going_on(begun, capsys):
    assert go_on(begun, *TPE, "search.trials=1", "search.space.optim.lr.low=1e-4") == 1
    assert "the space of optim.lr was 0.0002 to" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failed_trial_is_made_up_for_when_going_on(tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    quick_training(monkeypatch, fails=lambda config: True)
    assert sweep(*TPE, "search.trials=2", folder=folder) == 1
    assert statuses(folder) == ["failed", "failed"]
    calls = quick_training(monkeypatch)
    assert go_on(folder) == 0
    assert len(calls) == 2
    assert statuses(folder) == ["failed", "failed", "finished", "finished"]


@pytest.mark.slow
def test_an_axis_given_a_value_is_no_axis_and_a_list_is_one(searched):
    sweep, calls = searched
    assert {config.lora.rank for config in calls} == {16}
    assert {config.window.max_sentences for config in calls} == {1, 8}
    assert set(sweep.search["space"]) == {"optim.lr", "window.max_sentences"}


def test_a_trial_that_ended_but_was_not_told_is_not_run_again(tmp_path, monkeypatch, begun):
    from openmed.search.space import read_space
    from openmed.search.study import distributions, open_study
    from openmed.training.result import read_result, write_result

    folder = tmp_path / "sweep"
    shutil.copytree(begun, folder)
    study = open_study(Sweep.read(folder))
    space = {"optim.lr": {"low": 2e-4, "high": 5e-3, "log": True}, "lora.rank": [8, 16]}
    number = study.ask(distributions(read_space(space))).number
    ended = read_result(folder / "0")
    assert ended is not None
    (folder / str(number)).mkdir()
    write_result(folder / str(number), {**ended, "status": "finished", "dev": {"f1": 0.75}})

    calls = quick_training(monkeypatch)
    assert go_on(folder, "search.trials=3") == 0
    assert len(calls) == 1
    assert [trial.value for trial in study.trials][1] == 0.75
    assert statuses(folder) == ["finished"] * 3


@pytest.mark.slow
def test_the_report_has_its_pictures(searched):
    page = (searched[0].folder / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "optim.lr" in page


def _search(folder, monkeypatch, *arguments: str):
    calls = quick_training(monkeypatch)
    assert sweep(*TPE, *arguments, folder=folder) == 0
    return calls


def test_a_trial_that_was_preempted_goes_on_in_the_next_sitting(tmp_path, monkeypatch):
    """As with a launcher whose jobs are processes of their own: the job ends by a signal, the sweep does not."""
    from openmed.search.study import open_study

    make = Runner.__init__

    def make_apart(self, *settings):
        make(self, *settings)
        launch = self._launcher.launch

        def launch_apart(lines, initial_job_idx):
            try:
                return launch(lines, initial_job_idx)
            except SystemExit as stop:
                return [RuntimeError(f"ended with {stop.code}")]

        self._launcher.launch = launch_apart

    monkeypatch.setattr(Runner, "__init__", make_apart)
    folder = tmp_path / "sweep"
    calls = quick_training(monkeypatch)
    quick = training.train
    preempted: list[DictConfig] = []

    def train(config: DictConfig, folder: Path, **settings) -> float:
        if preempted:
            return quick(config, folder, **settings)
        preempted.append(config)
        folder.mkdir(parents=True, exist_ok=True)
        write_result(folder, {**start_result(config, run_id="12345678"), "status": "interrupted"})
        raise SystemExit(143)

    monkeypatch.setattr(training, "train", train)
    assert sweep(*TPE, "search.trials=2", folder=folder) == 1
    assert statuses(folder) == ["interrupted", "finished"]
    assert [trial.state.name for trial in open_study(Sweep.read(folder)).trials] == ["RUNNING", "COMPLETE"]

    assert go_on(folder) == 0
    assert statuses(folder) == ["finished", "finished"]
    assert drawn(calls)[1:] == drawn(preempted)


def test_two_folders_share_a_storage_but_no_trials(tmp_path, monkeypatch):
    storage = f"search.storage='sqlite:///{tmp_path}/shared.db'"
    first = drawn(_search(tmp_path / "a", monkeypatch, "search.trials=2", storage))
    second = drawn(_search(tmp_path / "b", monkeypatch, "search.trials=2", storage))
    assert len(first) == 2
    assert second == first
    calls = quick_training(monkeypatch)
    assert go_on(tmp_path / "a", "search.trials=3") == 0
    assert len(calls) == 1


def test_an_axis_of_the_command_line_takes_the_place_of_the_presets(tmp_path, monkeypatch):
    """A list that of a range, a range that of a list; also on going on."""
    axes = ("search.space.optim.lr=[1e-3,2e-3]", "search.space.lora.rank={low:2,high:64,int:true}")
    folder = tmp_path / "sweep"
    calls = quick_training(monkeypatch)
    assert sweep(*TINY, "search=tpe", *GONE, *axes, "search.trials=1", folder=folder) == 0
    space = Sweep.read(folder).search["space"]
    assert space["optim.lr"] == {"choices": ["0.001", "0.002"]}
    assert (space["lora.rank"]["low"], space["lora.rank"]["high"], space["lora.rank"]["int"]) == (2, 64, True)
    assert go_on(folder, "search.trials=2") == 0
    assert len(calls) == 2
