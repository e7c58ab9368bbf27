"""The replay of pruners over recorded trials: a case worked out by hand, a live study, what is no such search."""

from __future__ import annotations

import json
import random

import pytest

from openmed.search.state import Job, Sweep

optuna = pytest.importorskip("optuna", reason="Optuna (extra: search) is not installed")

from benchmarks.pruning import main  # noqa: E402
from benchmarks.replay import Curve, read_curves, replay, replay_shuffled, summary  # noqa: E402

SEARCH = {
    "kind": "tpe",
    "seed": 1,
    "trials": 9,
    "pruner": "none",
    "storage": None,
    "space": {"optim.lr": {"low": 1e-4, "high": 1e-2, "step": None, "log": True, "int": False}},
    "epochs": 2,
    "evaluations_per_epoch": 2,
}
# From trial 5 on, the median of those trained to their end decides, at the same evaluation and from the second on.
# For 5 it is .3, and .25 is below. 6 has .35 (the best so far counts, not the .1 after it).
# For 7 it is .25, and .28 is above. For 8, the best in the end, it is .28, and .2 is below.
FLAT = [[level] * 4 for level in (0.1, 0.2, 0.3, 0.4, 0.5)]
F1S = [*FLAT, [0.05, 0.25, 0.6, 0.6], [0.35, 0.1, 0.1, 0.2], [0.2, 0.28, 0.28, 0.9], [0.1, 0.2, 0.5, 1.0]]


def recorded_sweep(folder, f1s=F1S, epochs=(0.5, 1.0, 1.5, 2.0), **changes) -> Sweep:
    """The folder of a search as it is left behind, without the trainings."""
    jobs = []
    for number, f1 in enumerate(f1s):
        place = folder / str(number)
        place.mkdir(parents=True)
        result = {"status": "finished", "error": None, "dev": {"f1": max(f1)}, "train": {"seconds": 1.0}}
        (place / "result.json").write_text(json.dumps(result))
        lines = [json.dumps({"epoch": epoch, "dev/f1": value}) for epoch, value in zip(epochs, f1, strict=True)]
        (place / "history.jsonl").write_text("\n".join(lines) + "\n")
        jobs.append(Job(number, (f"optim.lr=1e-{number}",), "finished", max(f1)))
    search = {**SEARCH, "trials": len(f1s), **changes}
    sweep = Sweep(folder, ["search=tpe", "search.pruner=none", "dataset=demo"], search, jobs)
    sweep.write()
    return sweep


def random_curves(number: int, num_evaluations: int) -> list[Curve]:
    chance = random.Random(3)
    epochs = tuple(range(1, num_evaluations + 1))
    return [Curve(trial, epochs, tuple(chance.random() for _ in epochs)) for trial in range(number)]


def test_median_stops_what_was_worked_out_by_hand(tmp_path):
    found = replay(*read_curves(recorded_sweep(tmp_path / "sweep").folder), "median")
    assert found.stops == {5: 1.0, 8: 1.0}
    assert (found.epochs, found.share, found.num_stopped) == (7 * 2 + 2 * 1, pytest.approx(16 / 18), 2)
    assert (found.f1, found.points, found.rank) == (0.9, pytest.approx(10.0), 2)


def test_without_a_pruner_nothing_is_saved_or_lost(tmp_path):
    found = replay(*read_curves(recorded_sweep(tmp_path / "sweep").folder), "none")
    assert (found.share, found.num_stopped, found.points, found.rank) == (1.0, 0, 0.0, 1)


def test_a_trial_at_its_end_is_not_stopped(tmp_path):
    """Below the median for the first time where nothing is left to save."""
    sweep = recorded_sweep(tmp_path / "sweep", f1s=[*[[0.1, 0.1, 0.1, 0.9]] * 5, [0.1, 0.2, 0.2, 0.2]])
    assert replay(*read_curves(sweep.folder), "median").stops == {}


def test_evaluations_that_come_a_little_early_are_the_same_ones(tmp_path):
    """Of 7 steps an epoch, Lightning makes half an epoch 3."""
    early = recorded_sweep(tmp_path / "sweep", epochs=(3 / 7, 6 / 7, 10 / 7, 13 / 7))
    assert replay(*read_curves(early.folder), "median").stops == {5: 6 / 7, 8: 6 / 7}


def test_replaying_stops_where_a_live_search_would(tmp_path):
    from openmed.search.study import open_study, report

    sweep = recorded_sweep(tmp_path / "sweep", f1s=[[0.0] * 4], pruner="hyperband")
    sweep.search |= {"epochs": 9, "evaluations_per_epoch": 1, "storage": "sqlite://"}
    study = open_study(sweep)
    curves = random_curves(12, 9)
    stops = {}
    for curve in curves:
        number = study.ask().number
        for epoch, f1 in zip(curve.epochs, curve.f1, strict=True):
            if report(study, number, int(epoch), f1) and epoch < 9:
                stops[number] = epoch
                study.tell(number, state=optuna.trial.TrialState.PRUNED)
                break
        else:
            study.tell(number, max(curve.f1))
    assert replay(sweep, curves, "hyperband").stops == stops
    assert {1, 3} <= set(stops.values())
    assert len(stops) < len(curves)


def test_shuffled_orders_are_drawn_from_the_seed(tmp_path):
    sweep = recorded_sweep(tmp_path / "sweep", epochs=(1, 2, 3, 4))
    curves = random_curves(12, 9)
    once, again, other = (replay_shuffled(sweep, curves, orders=6, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once["hyperband"] != other["hyperband"]
    assert len({tuple(replayed.stops) for replayed in once["hyperband"]}) > 1
    found = summary(once["hyperband"])
    shares = sorted(replayed.share for replayed in once["hyperband"])
    assert found["share"]["mean"] == pytest.approx(sum(shares) / 6)
    assert shares[0] <= found["share"]["low"] < found["share"]["high"] <= shares[-1]
    assert found["best_kept"] == sum(replayed.points == 0 for replayed in once["hyperband"]) / 6


def test_the_command_writes_numbers_tables_and_a_picture(tmp_path, capsys):
    folder = recorded_sweep(tmp_path / "sweep").folder
    out, markdown, plot = (tmp_path / "made" / name for name in ("p.json", "p.md", "p.svg"))
    main([str(folder), "--out", str(out), "--markdown", str(markdown), "--plot", str(plot), "--orders", "3"])
    written = json.loads(out.read_text())
    assert written["recorded"]["median"]["stops"] == {"5": 1.0, "8": 1.0}
    assert written["shuffled"]["hyperband"]["orders"] == 3
    assert [tuple(curve["f1"]) for curve in written["curves"]] == [tuple(f1) for f1 in F1S]
    assert str(tmp_path) not in out.read_text() + markdown.read_text()
    row = next(line for line in markdown.read_text().splitlines() if line.startswith("| median"))
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["16.0", "88.9", "2", "90.00", "10.00", "2"]
    assert "drawn by a search that saw every curve" in markdown.read_text()
    assert plot.read_text().startswith("<svg")
    assert plot.read_text().count("stopped by") == 2
    assert "In 3 shuffled orders" in capsys.readouterr().out


def _cut_off(sweep: Sweep) -> None:
    result = {"status": "running", "error": None, "dev": None, "train": None}
    (sweep.folder / "3" / "result.json").write_text(json.dumps(result))


@pytest.mark.parametrize(
    ("spoil", "changes", "said"),
    [
        (None, {"kind": "grid"}, "is a grid"),
        (None, {"pruner": "median"}, "ran with search.pruner=median"),
        (None, {"trials": 12}, "9 of the 12 trials"),
        (_cut_off, {}, "8 of the 9 trials"),
        (None, {"trials": 1}, "a single trial"),
        (lambda sweep: (sweep.folder / "2" / "history.jsonl").unlink(), {}, "trial 2 has no"),
        (lambda sweep: (sweep.folder / "2" / "history.jsonl").write_text(""), {}, "is empty"),
        (lambda sweep: (sweep.folder / "2" / "history.jsonl").write_text('{"epoch": 1}\n'), {}, "dev/f1"),
        (lambda sweep: (sweep.folder / "sweep.json").unlink(), {}, "is no sweep"),
    ],
)
def test_what_holds_no_whole_search_is_refused(tmp_path, capsys, spoil, changes, said):
    sweep = recorded_sweep(tmp_path / "sweep", f1s=F1S[: changes.get("trials", 9)], **changes)
    if spoil:
        spoil(sweep)
    with pytest.raises(SystemExit) as stop:
        main([str(sweep.folder)])
    assert said in str(stop.value.code)
    assert not capsys.readouterr().out
