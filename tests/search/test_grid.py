"""Grids through the real command line: which jobs there are, failures, going on, refusals before the first job."""

from __future__ import annotations

import io
import signal
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from omegaconf import DictConfig
from tests.search.sweeps import TINY, go_on, quick_training, statuses, sweep

import openmed.training.run as training
from openmed.search.state import Sweep
from openmed.training.result import read_result, start_result, write_result
from openmed.training.stopping import Interrupted


class Ended(NamedTuple):
    sweep: Sweep
    calls: list[DictConfig]
    shown: str


@pytest.fixture(scope="module")
def ended(tmp_path_factory) -> Ended:
    """A small grid that went well."""
    folder = tmp_path_factory.mktemp("grid") / "sweep"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as shown:
        calls = quick_training(patch)
        assert sweep(*TINY, "lora.rank=8,16", "test=true", folder=folder) == 0
    return Ended(Sweep.read(folder), calls, shown.getvalue())


def test_a_list_is_a_sweep_and_ends_in_a_table(ended):
    assert [config.lora.rank for config in ended.calls] == [8, 16]
    assert [job.status for job in ended.sweep.jobs] == ["finished", "finished"]
    assert "lora.rank=16" in ended.shown
    assert "100.00" not in ended.shown.split("Jobs")[0]
    assert "error" not in ended.shown


def test_a_preset_multiplies_and_the_command_line_replaces(tmp_path, monkeypatch):
    calls = quick_training(monkeypatch)
    assert sweep(*TINY, "search=card", "lora.rank=8,16", "optim.lr=1e-3", folder=tmp_path / "sweep") == 0
    assert [(config.lora.rank, config.optim.lr) for config in calls] == [(8, 1e-3), (16, 1e-3)]
    assert all(config.search.kind is None for config in calls)


def test_a_failed_job_spoils_no_other_and_is_done_again(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sweep"
    calls = quick_training(monkeypatch, fails=lambda config: config.lora.rank == 8)
    assert sweep(*TINY, "lora.rank=4,8,16", folder=folder) == 1
    assert [config.lora.rank for config in calls] == [4, 8, 16]
    assert statuses(folder) == ["finished", "failed", "finished"]
    out, err = capsys.readouterr()
    assert "the test's own failure" in err
    assert "job 1 failed: " in out.split("Jobs")[1]

    calls = quick_training(monkeypatch)
    assert go_on(folder) == 0
    assert [config.lora.rank for config in calls] == [8]
    assert statuses(folder) == ["finished"] * 3
    assert (folder / "1.broken1" / "result.json").is_file()

    calls = quick_training(monkeypatch)
    assert go_on(folder, *TINY, "lora.rank=4,8,16") == 0
    assert not calls


def test_another_command_line_is_refused_on_going_on(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sweep"
    quick_training(monkeypatch)
    assert sweep(*TINY, "search=rank", "search.space.lora.rank=[4]", "seed=1", folder=folder) == 0
    assert go_on(folder, *TINY, "search=rank", "search.space.lora.rank=[4]", "seed=2") == 1
    assert "without seed=1 and with seed=2" in capsys.readouterr().err
    assert go_on(folder, *TINY, "search=rank", "search.space.lora.rank=[4,8]", "seed=1") == 1
    assert "the space of lora.rank was 4 and is now 4, 8" in capsys.readouterr().err
    assert sweep(*TINY, "lora.rank=4", folder=folder) == 1
    assert "holds a sweep already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["search=card", "+search.space.optim.lrr=[1]"], "search.space.optim.lrr: "),
        (["search=lr", "search.kind=tpe", "+search.space.optim.lrr=[1]"], "search.space.optim.lrr: "),
        (["backbone=tiny,tinny"], "tinny"),
        (["search=tpe", "test=true"], "never looks at test"),
        (["search=lr", "search.kind=tpe", "test=false,true"], "never looks at test"),
        (["search=tpe", "trainer.val_check_interval=100"], "is no share of an epoch"),
        (["search=crad"], "card"),
        (["search.resume=nowhere"], "no sweep"),
        (["search=tpe", "search.trials=0"], "trials"),
        (["search=card", "search.trials=5"], "search.trials is not for a grid"),
        (["search=card", "search.space.lora.rank.low=2"], "search.space.lora.rank is a list of choices"),
        (["search=card", "search.space.lora.dropout=[0.1]"], "+search.space.lora.dropout=... adds it"),
        (["search=card", "search.space.lora.rank=8,16"], "stands in brackets: search.space.lora.rank=[...]"),
        (["backbone=glob(nothing*)"], "matches nothing"),
        (["lora.rank=8,8"], "lora.rank=8,8 names a value twice"),
        (
            ["search=tpe", "search.storage='nonsense://u:secret@x'"],
            "search.storage=nonsense://u:***@x cannot be opened",
        ),
        (["search=tpe", "+search.space.lora.alpha={low: 1, high: 2, log: maybe}"], "log is 'maybe'"),
    ],
)
def test_what_cannot_be_is_refused_before_the_first_job(tmp_path, monkeypatch, capsys, arguments, said):
    calls = quick_training(monkeypatch)
    assert sweep("logger=none", *arguments, folder=tmp_path / "sweep") == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert shown.count("no job was started") <= 1
    assert "Traceback" not in shown
    assert not calls
    assert not (tmp_path / "sweep" / "sweep.json").exists()


def test_a_grid_may_score_test(ended):
    assert ended.calls[0].test


def test_a_search_without_m_is_refused(tmp_path, monkeypatch, capsys):
    from openmed.training.main import main

    calls = quick_training(monkeypatch)
    with pytest.raises(SystemExit):
        main([*TINY, "search=card", f"hydra.run.dir={tmp_path}"])
    assert "wants -m" in capsys.readouterr().err
    assert not calls


def test_what_is_written_is_read_back(tmp_path, monkeypatch, ended):
    quick_training(monkeypatch)
    assert sweep(*TINY, "lora.rank=8", folder=tmp_path / "a b, 'c'=d") != 0  # Hydra's own quoting is the user's task
    job, _ = ended.sweep.jobs
    assert job.overrides == (*TINY, "lora.rank=8", "test=true")
    assert job.f1 is not None


def test_a_job_that_another_process_runs_is_left_to_it(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sweep"
    quick_training(monkeypatch, fails=lambda config: config.lora.rank < 16)
    assert sweep(*TINY, "lora.rank=4,8,16", folder=folder) == 1
    live = read_result(folder / "0")
    assert live is not None
    write_result(folder / "0", {**live, "status": "running"})

    calls = quick_training(monkeypatch)
    with ExitStack() as held:
        assert Sweep.read(folder).hold(0, held)
        assert go_on(folder) == 0
    assert [config.lora.rank for config in calls] == [8]
    assert "job 0 is left to the process that runs it" in capsys.readouterr().out
    assert not list(folder.glob("0.broken*"))
    assert statuses(folder) == ["running", "finished", "finished"]


def test_a_job_that_another_process_finished_meanwhile_is_not_run_again(tmp_path, monkeypatch):
    """The first job's training stands for the other process: it runs the second job as well."""
    folder = tmp_path / "sweep"

    def finishes_both(config: DictConfig) -> bool:
        result = {**start_result(config, run_id="12345678"), "status": "finished", "dev": {"f1": 0.5}}
        (folder / "1").mkdir(exist_ok=True)
        write_result(folder / "1", result)
        return False

    calls = quick_training(monkeypatch, fails=finishes_both)
    assert sweep(*TINY, "lora.rank=8,16", folder=folder) == 0
    assert [config.lora.rank for config in calls] == [8]
    assert [job.f1 for job in Sweep.read(folder).jobs][1] == 0.5


def test_an_error_behind_its_end_does_not_undo_a_finished_job(tmp_path, monkeypatch):
    folder = tmp_path / "sweep"
    quick_training(monkeypatch)
    quick = training.train

    def train(config: DictConfig, folder: Path, **settings) -> None:
        quick(config, folder, **settings)
        raise RuntimeError("the logger could not be closed")

    monkeypatch.setattr(training, "train", train)
    assert sweep(*TINY, "lora.rank=8", folder=folder) == 0
    assert statuses(folder) == ["finished"]


def test_how_to_go_on_is_said_with_the_launcher(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sweep"
    command = f"python train.py -m search.resume={folder} hydra/launcher=basic"
    quick_training(monkeypatch, fails=lambda config: True)
    assert sweep(*TINY, "lora.rank=8", "hydra/launcher=basic", folder=folder) == 1
    assert f"1 jobs failed; {command} makes up for them" in capsys.readouterr().out
    assert Sweep.read(folder).hydra == ["hydra/launcher=basic"]
    assert go_on(folder) == 1
    assert f"going on without hydra/launcher=basic; with it: {command}" in capsys.readouterr().out


def test_after_a_signal_the_whole_sweep_goes_on(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "sweep"

    def stopped(context) -> float:
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(training, "TASKS", {"ner": stopped})
    assert sweep(*TINY, "lora.rank=8,16", "hydra/launcher=basic", folder=folder) == 130
    out = capsys.readouterr().out
    assert f"go on with: python train.py -m search.resume={folder} hydra/launcher=basic" in out
    assert "train.py resume=" not in out
    assert read_result(folder / "0")["status"] == "interrupted"
