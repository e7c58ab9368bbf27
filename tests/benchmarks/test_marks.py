"""What is counted of a batch, and the rate made of it; the operations of a training."""

from __future__ import annotations

import pytest
import torch
from benchmarks.ceiling import MINILM, Shape, training_flops
from benchmarks.marks import Marks, Positions, count_positions, measured_rate, read_marks

PAD, CLS, SEP = 0, 101, 102


def test_pieces_are_neither_padding_nor_frame():
    ids = torch.tensor([[CLS, 7, 8, 9, SEP], [CLS, 7, SEP, PAD, PAD]])
    assert count_positions(ids, pad=PAD, special=(CLS, SEP)) == Positions(pieces=4, tokens=8, padded=10)


def test_the_rate_leaves_the_warm_up_out():
    def step(at, pieces, tokens, padded):
        return {"at": at, "pieces": pieces, "tokens": tokens, "padded": padded, "loss": None}

    marks = {"steps": [step(100.0, 50, 60, 80), step(101.0, 100, 120, 160), step(103.0, 500, 540, 640)]}
    rate = measured_rate(marks, warmup_steps=2)
    assert rate.pieces_per_second == 200
    assert rate.tokens_per_second == 210
    assert rate.padding_fraction == pytest.approx(1 - 420 / 480)
    assert rate.mean_length == 42  # 20 special tokens: 10 texts
    assert (rate.num_steps, rate.pieces, rate.positions_per_step) == (1, 400, 480)
    with pytest.raises(ValueError, match="3 steps"):
        measured_rate(marks, warmup_steps=3)


def test_marks_come_back_as_written(tmp_path):
    marks = Marks(tmp_path / "marks.json")
    assert [marks.step(Positions(5, 7, 10), loss=2.0), marks.step(Positions(1, 3, 10))] == [1, 2]
    marks.evaluation(epoch=1, f1=0.5)
    found = read_marks(tmp_path / "marks.json")
    assert [(step["pieces"], step["tokens"], step["padded"], step["loss"]) for step in found["steps"]] == [
        (5, 7, 10, 2.0),
        (6, 10, 20, None),
    ]
    (evaluation,) = found["evaluations"]
    assert (evaluation["epoch"], evaluation["step"], evaluation["dev_f1"]) == (1, 2, 0.5)
    assert evaluation["at"] >= found["steps"][-1]["at"] >= found["steps"][0]["at"]


def test_operations_of_a_training_counted_by_hand():
    tiny = Shape(num_layers=1, hidden=2, inner=4)
    frozen = 4 * (2 * 2) + 2 * (2 * 4)
    # Forward 2 per weight; backward 2, but for the 12 weights below which nothing is trained.
    products = 4 * frozen - 2 * 12
    adapter = 6 * 3 * (2 + 2)
    attention = 3 * (2 * 2 * 10 * 2)
    assert training_flops(tiny, ("query",), rank=3, mean_length=10) == products + adapter + attention


def test_more_adapters_and_longer_texts_cost_more():
    few = training_flops(MINILM, ("query", "value"), rank=16, mean_length=100)
    assert training_flops(MINILM, ("query", "value", "up"), rank=16, mean_length=100) > few
    assert training_flops(MINILM, ("query", "value"), rank=16, mean_length=200) > few
