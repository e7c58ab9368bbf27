"""What charts are drawn over, without W&B."""

from __future__ import annotations

from openmed.metrics.names import DEV_F1, TRAIN_LOSS, TRAIN_TOKENS
from openmed.tracking.axes import EPOCH, STEP, Axes


def test_each_name_is_defined_once_and_the_step_is_drawn_over_nothing() -> None:
    axes = Axes("ner")
    row = {STEP: 1, EPOCH: 0, TRAIN_TOKENS: 5, TRAIN_LOSS: 1.0, DEV_F1: 0.5, "test/f1": 0.5, "system": 1}
    assert axes.unseen(row) == [
        (EPOCH, STEP),
        (TRAIN_TOKENS, STEP),
        (TRAIN_LOSS, TRAIN_TOKENS),
        (DEV_F1, EPOCH),
        ("test/f1", EPOCH),
        ("system", STEP),
    ]
    assert axes.unseen({**row, "dev/loss": 1.0}) == [("dev/loss", EPOCH)]


def test_pretraining_which_scores_within_an_epoch_is_drawn_over_text_throughout() -> None:
    assert Axes("dapt").unseen({"dev/loss": 1.0, TRAIN_LOSS: 1.0}) == [
        ("dev/loss", TRAIN_TOKENS),
        (TRAIN_LOSS, TRAIN_TOKENS),
    ]


def test_scores_get_the_text_that_was_seen_last_and_nothing_is_made_up() -> None:
    axes = Axes("ner")
    assert axes.complete({DEV_F1: 0.1}) == {DEV_F1: 0.1}, "before any training"
    assert axes.complete({TRAIN_TOKENS: 7, TRAIN_LOSS: 1.0}) == {TRAIN_TOKENS: 7, TRAIN_LOSS: 1.0}
    assert axes.complete({DEV_F1: 0.2}) == {TRAIN_TOKENS: 7, DEV_F1: 0.2}
    assert axes.complete({TRAIN_LOSS: 0.5}) == {TRAIN_LOSS: 0.5}
    assert axes.complete({DEV_F1: 0.3, TRAIN_TOKENS: 9}) == {DEV_F1: 0.3, TRAIN_TOKENS: 9}
