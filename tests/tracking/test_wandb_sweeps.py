"""W&B's own sweeps: what an agent would call is a command line that composes, and its run is the sweep's run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from tests.search.sweeps import quick_training
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from openmed.choices import conf_folder
from openmed.metrics.names import DEV_F1
from openmed.tracking import finish, make_wandb_logger
from openmed.tracking.service import abandon_service
from openmed.training.main import main

SWEEPS = {"bayes": "tpe", "grid": "card"}
"""conf/wandb -> what it is in conf/search."""


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((conf_folder() / "wandb" / f"{name}.yaml").read_text(encoding="utf-8"))


def searched(name: str) -> dict[str, Any]:
    """The space of conf/search, its settings dotted."""
    content: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / "search" / f"{name}.yaml"))
    return {f"{group}.{key}": axis for group, keys in content["space"].items() for key, axis in keys.items()}


def as_wandb(axis: Any) -> dict[str, Any]:
    """An axis of conf/search in W&B's words."""
    if isinstance(axis, list):
        return {"values": axis}
    kind = "log_uniform_values" if axis.get("log") else "uniform"
    return {"distribution": kind, "min": axis["low"], "max": axis["high"]}


def called(sweep: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """The arguments of the program as W&B's agent makes them of the values that it is given."""
    filled = create_sweep_command_args({"args": {key: {"value": value} for key, value in values.items()}})
    command = create_sweep_command(sweep["command"])
    after = command[command.index("${program}") + 1 :]
    return [part for entry in after for part in (filled[entry[2:-1]] if entry.startswith("${") else [entry])]


def corners(sweep: dict[str, Any]) -> list[dict[str, Any]]:
    """Points that have both ends, or each value, of every parameter."""
    ends = {key: axis.get("values") or [axis["min"], axis["max"]] for key, axis in sweep["parameters"].items()}
    longest = max(map(len, ends.values()))
    return [{key: values[place % len(values)] for key, values in ends.items()} for place in range(longest)]


def test_every_sweep_here_is_tested() -> None:
    assert {path.stem for path in (conf_folder() / "wandb").glob("*.yaml")} == set(SWEEPS)


@pytest.mark.parametrize(("name", "search"), SWEEPS.items())
def test_the_space_is_that_of_our_own_search(name: str, search: str) -> None:
    sweep = read(name)
    assert sweep["parameters"] == {key: as_wandb(axis) for key, axis in searched(search).items()}
    assert sweep["metric"] == {"name": DEV_F1, "goal": "maximize"}
    assert (conf_folder().parent / sweep["program"]).is_file()
    logger = yaml.safe_load((conf_folder() / "logger" / "wandb.yaml").read_text(encoding="utf-8"))
    assert sweep["project"] == logger["project"]


def test_the_search_that_learns_has_as_many_trials_and_stops_at_the_same_epochs_as_ours() -> None:
    ours = OmegaConf.load(conf_folder() / "search" / "tpe.yaml")
    assert (read("bayes")["run_cap"], ours.pruner) == (ours.trials, "hyperband")
    assert read("bayes")["early_terminate"] == {"type": "hyperband", "min_iter": 1, "eta": 3}


@pytest.mark.parametrize("name", SWEEPS)
def test_what_an_agent_calls_is_a_run_of_these_settings(name, monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    calls = quick_training(monkeypatch)
    sweep = read(name)
    for number, values in enumerate(corners(sweep)):
        monkeypatch.setenv("WANDB_RUN_ID", f"run{number}")
        main([*called(sweep, values), "logger=none", "backbone=tiny"])
        config = calls[-1]
        assert {key: OmegaConf.select(config, key) for key in values} == values
        assert config.dataset.name == "ncbi"
        assert (tmp_path / "outputs" / "wandb" / "sweep1" / f"run{number}" / "result.json").is_file()


def logged(folder: Path, **changes: Any) -> tuple[str, str | None]:
    """(id, group) of a run that was told another id."""
    abandon_service()  # wandb reads its environment once
    settings = {"group": None, "run_id": "mine", "resume": "allow"} | changes
    logger = make_wandb_logger(
        project="p", name="n", tags=(), job_type="ner", save_dir=folder, config={}, mode="offline", **settings
    )
    request = logger._request  # type: ignore[attr-defined]
    finish(logger, failed=False)
    assert logger.failure is None  # type: ignore[attr-defined]
    assert list(folder.glob(f"wandb/offline-run-*-{request.run_id}"))
    return request.run_id, request.group


def test_the_run_of_an_agent_has_the_sweeps_id_and_group(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "agents")
    assert logged(tmp_path / "0") == ("mine", None), "an id left over in the environment is not heeded"
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep1")
    assert logged(tmp_path / "1") == ("agents", "sweep1")
    assert logged(tmp_path / "2", group="named") == ("agents", "named")


def test_numbers_are_numbers_in_yaml_1_1_too() -> None:
    assert json.dumps(read("bayes")["parameters"]["optim.lr"]["min"]) == "0.0002"
