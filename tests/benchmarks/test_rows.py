"""Rows: medians, ratios in the right direction, goals, turns; and the table of them."""

from __future__ import annotations

import io
import json

import pytest
from benchmarks.marks import WARMUP_STEPS
from benchmarks.rows import LESS_IS_BETTER, MORE_IS_BETTER, interleaved, is_met, make_row, not_measured, times_better
from benchmarks.sizes import LEAST, PUBLISHED_RATE, Sizes
from benchmarks.table import number, print_rows
from rich.console import Console


def row(**changes):
    given = {"ours": [8.0, 100.0, 9.0], "peer": [1.0, 2.0, 0.1], "goal": 8.0, "settings": {"corpus": "ncbi"}} | changes
    return make_row("train", "text pieces/s", peer_name="Trainer", **given)


def test_a_row_compares_medians():
    made = row()
    assert (made["ours"], made["peer"], made["ratio"], made["met"]) == (9.0, 1.0, 9.0, True)
    assert made["runs"] == {"ours": [8.0, 100.0, 9.0], "peer": [1.0, 2.0, 0.1]}
    assert "note" not in made


def test_less_is_better_turns_the_ratio():
    assert times_better(10, 80, better=LESS_IS_BETTER) == 8
    assert times_better(80, 10, better=MORE_IS_BETTER) == 8
    assert row(better=LESS_IS_BETTER)["met"] is False


def test_nothing_measured_is_neither_met_nor_missed():
    made = not_measured("GPU", "documents/s", peer_name="pipeline", goal=2.5, why="python -m benchmarks.gpu")
    assert [made[key] for key in ("ours", "peer", "ratio", "met")] == [None] * 4
    assert made["note"] == "not measured: python -m benchmarks.gpu"
    assert row(peer=[])["ratio"] is None


def test_a_goal_is_met_when_it_is_reached():
    assert is_met(8.0, 8.0) is True
    assert is_met(7.999, 8.0) is False
    assert is_met(7.0, None) is None


def test_finding_nothing_is_a_ratio_of_0_but_dividing_by_0_is_none():
    assert times_better(0.0, 0.5, better=MORE_IS_BETTER) == 0
    with pytest.raises(ValueError, match="no ratio"):
        times_better(0.5, 0.0, better=MORE_IS_BETTER)
    with pytest.raises(ValueError, match="no ratio"):
        times_better(0.0, 0.5, better=LESS_IS_BETTER)
    with pytest.raises(ValueError, match="neither"):
        times_better(1, 1, better="faster")


def test_measurements_take_turns_in_folders_of_their_own(tmp_path):
    order, folders = [], []

    def measure(name):
        def noted(folder):
            assert list(folder.iterdir()) == []
            order.append(name)
            folders.append(folder)
            return len(order)

        return noted

    found = interleaved(tmp_path, {"peer": measure("peer"), "ours": measure("ours")}, num_runs=3)
    assert order == ["peer", "ours"] * 3
    assert found == {"peer": [1, 3, 5], "ours": [2, 4, 6]}
    assert len(set(folders)) == 6


def test_the_table_shows_ratio_goal_and_what_was_missed():
    missed = row(goal=10.0)
    console = Console(file=io.StringIO(), width=150)
    print_rows([missed, not_measured("GPU", "documents/s", peer_name="pipeline", goal=2.5, why="no GPU")], console)
    shown = console.file.getvalue()  # pyright: ignore[reportAttributeAccessIssue]
    line = next(line for line in shown.splitlines() if "train" in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        *("train", "text pieces/s", "9", "1", "Trainer", "9.00", "10", "NO"),
    ]
    assert "GPU: not measured: no GPU" in shown


def test_numbers_are_short():
    assert [number(value) for value in (None, 0.12345, 24.06, 12345.6)] == ["-", "0.123", "24.1", "12,346"]


def test_rows_are_json():
    assert json.loads(json.dumps(row())) == row()


def test_a_slower_machine_times_less_and_none_times_more():
    published = Sizes()
    assert Sizes.for_machine(PUBLISHED_RATE) == Sizes.for_machine(100 * PUBLISHED_RATE) == published
    half, least = Sizes.for_machine(PUBLISHED_RATE / 2), Sizes.for_machine(1.0)
    assert half.pieces == published.pieces / 2
    assert WARMUP_STEPS < least.dapt_steps < half.dapt_steps < published.dapt_steps
    assert least.pieces == LEAST * published.pieces
    fixed = ("runs", "documents", "peer_steps", "grouped_steps")
    assert [getattr(least, name) for name in fixed] == [getattr(published, name) for name in fixed]
