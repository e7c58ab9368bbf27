"""The line after each evaluation: what is left goes by epochs or steps, whichever ends first, and by this sitting."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from openmed.training.callbacks import EpochLines, planned_length


def at(batch: int, *, epoch: int = 0, steps: int = -1) -> Any:
    """A trainer at that batch of 100, which are 34 steps, of 4 epochs."""
    progress = SimpleNamespace(current=SimpleNamespace(completed=batch))
    return SimpleNamespace(
        **{"current_epoch": epoch, "num_training_batches": 100, "max_epochs": 4, "max_steps": steps},
        accumulate_grad_batches=3,
        fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress)),
        **{"sanity_checking": False, "is_global_zero": True, "callback_metrics": {}},
        state=SimpleNamespace(fn="fit"),
        global_step=34 * epoch + batch // 3,
    )


@pytest.mark.parametrize(
    ("begun", "now", "line"),
    [
        (at(0), at(50), "epoch 0.5/4: scored, 60 s, 420 s left"),
        (at(0, steps=34), at(51, steps=34), "epoch 0.51/1: scored, 60 s, 60 s left"),
        (at(0, steps=44), at(33, steps=44), "epoch 0.33/1.3: scored, 60 s, 180 s left"),
        (at(0, steps=999), at(50, steps=999), "epoch 0.5/4: scored, 60 s, 420 s left"),
        (at(0, epoch=1), at(0, epoch=2), "epoch 2/4: scored, 60 s, 120 s left"),
        (at(0, epoch=3), at(100, epoch=3), "epoch 4/4: scored, 60 s, 0 s left"),
        (at(7), at(7), "epoch 0.07/4: scored, 60 s"),
    ],
    ids=[
        "of epochs",
        "of steps",
        "of steps that end within an epoch",
        "of epochs that end before the steps",
        "gone on with",
        "at the end",
        "scored before anything is done",
    ],
)
def test_what_is_left(monkeypatch, capsys, begun, now, line):
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    lines: Any = EpochLines(lambda metrics: "scored")
    lines.on_train_start(begun, None)
    clock[0] += 60
    lines.on_validation_end(now, None)
    assert capsys.readouterr().out == f"{line}\n"


@pytest.mark.parametrize(
    ("epochs", "steps", "said"),
    [(10, -1, "10 epochs"), (3000, 3000, "3,000 steps"), (2, 3000, "2 epochs, 3,000 steps at most")],
)
def test_what_is_planned_is_told_by_what_was_asked_for(epochs, steps, said):
    trainer: Any = SimpleNamespace(max_epochs=epochs, max_steps=steps)
    assert planned_length(trainer) == said
