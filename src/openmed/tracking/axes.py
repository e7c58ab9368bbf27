"""What each chart is drawn over in W&B: training over the text pieces seen, scores over epochs.

    axes = Axes(job_type="ner")
    row = axes.complete({"dev/f1": 0.8, "epoch": 3})        # with the pieces seen so far: a learning curve over them
    for name, axis in axes.unseen(row): run.define_metric(name, step_metric=axis, step_sync=True)

Each name is defined when it is first logged, not by patterns: of two that match, W&B does not say which counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openmed.metrics.names import TRAIN_TOKENS

STEP = "trainer/global_step"
"""Optimiser steps, in every row; Lightning's own name for it."""

EPOCH = "epoch"
"""The running epoch from 0, in every row of training and scores; Lightning's own name for it."""

_SCORED = ("dev/", "test/")


class Axes:
    """Remembers what was logged of one run.

    Args:
        job_type: of "dapt" the scores are drawn over text pieces too, for it scores many times in few epochs.
    """

    def __init__(self, job_type: str | None) -> None:
        self._of_scores = TRAIN_TOKENS if job_type == "dapt" else EPOCH
        self._seen: set[str] = set()
        self._tokens: Any = None

    def complete(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row, with the text pieces seen so far where it holds scores, which are logged apart from them."""
        self._tokens = row.get(TRAIN_TOKENS, self._tokens)
        if self._tokens is None or not any(name.startswith(_SCORED) for name in row):
            return dict(row)
        return {TRAIN_TOKENS: self._tokens, **row}

    def unseen(self, row: Mapping[str, Any]) -> list[tuple[str, str]]:
        """(name, its x axis) of what has not been logged before."""
        names = [name for name in row if name not in self._seen]
        self._seen.update(names)
        return [(name, axis) for name in names if (axis := self._of(name)) != name]

    def _of(self, name: str) -> str:
        if name.startswith(_SCORED):
            return self._of_scores
        return TRAIN_TOKENS if name.startswith("train/") and name != TRAIN_TOKENS else STEP
