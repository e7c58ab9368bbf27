"""TPE searches with a training that takes no time: proposals, going on, refusals, the report."""

from __future__ import annotations

import pytest
from tests.search.sweeps import TINY, go_on, quick_training, statuses, sweep

optuna = pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")

SPACE = ("~search.space.optim.weight_decay", "~search.space.optim.warmup_fraction", "~search.space.lora.dropout")
TPE = (*TINY, "search=tpe", *SPACE)


def drawn(calls) -> list[tuple[float, int]]:
    return [(config.optim.lr, config.lora.rank) for config in calls]


@pytest.mark.slow
def test_going_on_draws_what_it_would_have_drawn(tmp_path, monkeypatch):
    whole = drawn(_search(tmp_path / "whole", monkeypatch, "search.trials=12"))
    parts = drawn(_search(tmp_path / "parts", monkeypatch, "search.trials=5"))
    calls = quick_training(monkeypatch)
    assert go_on(tmp_path / "parts", "search.trials=12") == 0
    assert parts + drawn(calls) == whole
    assert statuses(tmp_path / "parts") == ["finished"] * 12


def test_another_space_is_refused_on_going_on(tmp_path, monkeypatch, capsys):
    _search(tmp_path / "sweep", monkeypatch, "search.trials=1")
    assert go_on(tmp_path / "sweep", *TPE, "search.trials=1", "search.space.optim.lr.low=1e-4") == 1
    assert "the space of optim.lr was 0.0002 to" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failed_trial_is_made_up_for_when_going_on(tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    quick_training(monkeypatch, fails=lambda config: config.lora.rank == 8)
    space = "search.space.lora.rank=[8]"
    assert sweep(*TPE, space, "search.trials=2", folder=folder) == 1
    assert statuses(folder) == ["failed", "failed"]
    calls = quick_training(monkeypatch)
    assert go_on(folder) == 0
    assert len(calls) == 2
    assert statuses(folder) == ["failed", "failed", "finished", "finished"]


@pytest.mark.slow
def test_an_axis_given_a_value_is_no_axis_and_a_list_is_one(tmp_path, monkeypatch):
    calls = _search(tmp_path / "sweep", monkeypatch, "optim.lr=1e-3", "window.max_sentences=1,8", "search.trials=6")
    assert {config.optim.lr for config in calls} == {1e-3}
    assert {config.window.max_sentences for config in calls} == {1, 8}


def test_a_trial_that_ended_but_was_not_told_is_not_run_again(tmp_path, monkeypatch):
    from openmed.search.space import read_space
    from openmed.search.state import Sweep
    from openmed.search.study import distributions, open_study
    from openmed.training.result import read_result, write_result

    folder = tmp_path / "sweep"
    _search(folder, monkeypatch, "search.trials=1")
    kept = Sweep.read(folder)
    study = open_study(kept.search, kept.task_arguments, folder)
    space = {"optim.lr": {"low": 2e-4, "high": 5e-3, "log": True}, "lora.rank": [4, 8, 16, 32]}
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
def test_the_report_has_its_pictures(tmp_path, monkeypatch):
    _search(tmp_path / "sweep", monkeypatch, "search.trials=6")
    page = (tmp_path / "sweep" / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "optim.lr" in page


@pytest.mark.slow
def test_later_trials_are_better_than_chance(tmp_path, monkeypatch):
    from tests.search.sweeps import score

    calls = _search(tmp_path / "sweep", monkeypatch, "search.trials=30")
    scores = [score(config) for config in calls]
    assert sum(scores[20:]) / 10 > sum(scores[:10]) / 10


def _search(folder, monkeypatch, *arguments: str):
    calls = quick_training(monkeypatch)
    assert sweep(*TPE, *arguments, folder=folder) == 0
    return calls
