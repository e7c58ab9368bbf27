"""Where a training stands at the end of each step and evaluation, written as JSON for the process that measures.

Standard library only: importing it costs neither side anything.

    marks = Marks(path)
    marks.step(Positions(pieces=950, tokens=1010, padded=1024))
    marks.evaluation(epoch=1, f1=0.78)
    rate = measured_rate(read_marks(path))
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WARMUP_STEPS = 3
"""Steps before the clock starts: the first ones allocate memory and choose kernels."""


@dataclass(frozen=True)
class Positions:
    """What a batch holds.

    Attributes:
        pieces: word pieces of the text; the measure by which both sides are seen to read the same data.
        tokens: these and the special tokens ([CLS], [SEP]): all that is not padding.
        padded: tokens and padding.
    """

    pieces: int
    tokens: int
    padded: int

    def __add__(self, other: Positions) -> Positions:
        return Positions(self.pieces + other.pieces, self.tokens + other.tokens, self.padded + other.padded)

    def __sub__(self, other: Positions) -> Positions:
        return Positions(self.pieces - other.pieces, self.tokens - other.tokens, self.padded - other.padded)


class Marks:
    """Gathers marks and writes them after each evaluation and when asked."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._steps: list[dict[str, Any]] = []
        self._evaluations: list[dict[str, Any]] = []
        self.total = Positions(0, 0, 0)

    def step(self, batch: Positions, *, loss: float | None = None) -> int:
        """An optimiser step has ended. Returns how many have."""
        at = time.monotonic()
        self.total = self.total + batch
        self._steps.append({"at": at, **vars(self.total), "loss": loss})
        return len(self._steps)

    def evaluation(self, *, epoch: int, f1: float) -> None:
        """Dev has been scored."""
        self._evaluations.append({"at": time.monotonic(), "epoch": epoch, "step": len(self._steps), "dev_f1": f1})
        self.write()

    def write(self, **facts: Any) -> None:
        """Write all marks, and `facts` beside them."""
        content = {"steps": self._steps, "evaluations": self._evaluations, **facts}
        self._path.write_text(json.dumps(content), encoding="utf-8")


def read_marks(path: str | Path) -> dict[str, Any]:
    """{steps: [{at, pieces, tokens, padded, loss}], evaluations: [{at, epoch, step, dev_f1}]}; sums so far, seconds."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Rate:
    """What was trained between two steps' ends, data loading included.

    Attributes:
        mean_length: tokens of a text (a window, a sentence), by its two special ones.
        positions_per_step: padding included.
    """

    pieces_per_second: float
    tokens_per_second: float
    padding_fraction: float
    mean_length: float
    positions_per_step: float
    num_steps: int
    pieces: int


def measured_rate(marks: Mapping[str, Any], *, warmup_steps: int = WARMUP_STEPS) -> Rate:
    """From the end of the last warm-up step to the end of the last step.

    Raises:
        ValueError: no step after the warm-up.
    """
    steps = marks["steps"]
    if len(steps) <= warmup_steps:
        raise ValueError(f"{len(steps)} steps, of which the first {warmup_steps} do not count")
    first, last = steps[warmup_steps - 1], steps[-1]
    seconds = last["at"] - first["at"]
    done = _positions(last) - _positions(first)
    return Rate(
        pieces_per_second=done.pieces / seconds,
        tokens_per_second=done.tokens / seconds,
        padding_fraction=1 - done.tokens / done.padded,
        mean_length=2 * done.tokens / (done.tokens - done.pieces),
        positions_per_step=done.padded / (len(steps) - warmup_steps),
        num_steps=len(steps) - warmup_steps,
        pieces=done.pieces,
    )


def count_positions(input_ids: Any, *, pad: int, special: Collection[int]) -> Positions:
    """Count a batch's ids (a tensor of any shape): `pad` is padding, `special` are the ids that frame a text."""
    padded = input_ids.numel()
    tokens = padded - int((input_ids == pad).sum())
    return Positions(tokens - sum(int((input_ids == token).sum()) for token in special), tokens, padded)


def _positions(step: Mapping[str, Any]) -> Positions:
    return Positions(step["pieces"], step["tokens"], step["padded"])
