"""How both sides are timed alike: a stopwatch for a short training, and turns taken with each side at its best setting.

A GPU works behind the program's back, so it is waited for at both ends of the time taken and nowhere between.

    clock = Clock(warmup_steps=10, seconds=3.0, max_steps=10_000)
    while not clock.step(num_tokens): ...
    clock.measured().tokens_per_second

    outcomes = take_turns({"peer": {"32 rows": run_32, "64 rows": run_64}, "ours": {...}}, budget=Budget(minutes=9))
    outcomes["ours"].rate, outcomes["ours"].setting
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lightning as L
import torch

NUM_ROUNDS = 3


@dataclass(frozen=True)
class Training:
    """What a short training showed.

    Attributes:
        tokens, seconds, steps: of the time taken, after the warm-up; tokens are pieces that are not padding.
        peak_bytes: most device memory ever allocated, from the building of the network on; None on a CPU.
        losses: of each step from the first; only where asked for, since reading one waits for the device.
        num_trainable: parameters that were trained.
    """

    tokens: int
    seconds: float
    steps: int
    peak_bytes: int | None
    losses: tuple[float, ...] = ()
    num_trainable: int = 0

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds


class Clock:
    """Times steps.

    Args:
        warmup_steps: steps before the time starts, at least 1.
        seconds: time that should pass before the end.
        max_steps: the end comes after so many steps in any case.
        keep_losses: remember each step's loss.
    """

    def __init__(self, *, warmup_steps: int, seconds: float, max_steps: int, keep_losses: bool = False) -> None:
        assert 1 <= warmup_steps < max_steps
        self._warmup_steps = warmup_steps
        self._seconds = seconds
        self._max_steps = max_steps
        self._keep_losses = keep_losses
        self._steps = self._tokens = 0
        self._began = 0.0
        self._losses: list[float] = []
        self._measured: Training | None = None

    def step(self, tokens: int, loss: torch.Tensor | None = None) -> bool:
        """One more optimiser step is done; True when training should end."""
        self._steps += 1
        if self._keep_losses and loss is not None:
            self._losses.append(float(loss))
        if self._steps <= self._warmup_steps:
            if self._steps == self._warmup_steps:
                synchronise()
                self._began = time.perf_counter()
            return False
        self._tokens += tokens
        if time.perf_counter() - self._began < self._seconds and self._steps < self._max_steps:
            return False
        synchronise()
        self._measured = Training(
            tokens=self._tokens,
            seconds=time.perf_counter() - self._began,
            steps=self._steps - self._warmup_steps,
            peak_bytes=peak_bytes(),
            losses=tuple(self._losses),
        )
        return True

    def measured(self) -> Training:
        assert self._measured is not None, "the training ended before its time was taken"
        return self._measured


class ClockCallback(L.Callback):
    """The stopwatch in Lightning's Trainer; `conf/callbacks` can name it. Writes a `Training` as JSON.

    Args:
        path: where to.
        clock: arguments of `Clock`.
    """

    def __init__(self, path: str, **clock: Any) -> None:
        self._path = Path(path)
        self._clock = Clock(**clock)

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._clock.step(batch.num_tokens, outputs["loss"]):
            trainer.should_stop = True

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        num_trainable = sum(p.numel() for p in pl_module.parameters() if p.requires_grad)
        measured = asdict(self._clock.measured()) | {"num_trainable": num_trainable}
        self._path.write_text(json.dumps(measured), encoding="utf-8")


def read_training(path: Path) -> Training:
    """What `ClockCallback` wrote."""
    values = json.loads(path.read_text(encoding="utf-8"))
    return Training(**{**values, "losses": tuple(values["losses"])})


def synchronise() -> None:
    """Wait until the GPU has done all that it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_bytes() -> int | None:
    """Most device memory allocated since `fresh_memory`; None without a GPU."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def fresh_memory() -> None:
    """Let go of what the last run left on the device, and begin to watch the peak anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


class NotMeasured(Exception):
    """Why a row has no numbers."""


class OutputsDiffer(NotMeasured):
    """The sides do not compute the same, so that no ratio of theirs means anything."""


class Budget:
    """What is left of a number of minutes."""

    def __init__(self, minutes: float) -> None:
        self._end = time.monotonic() + 60 * minutes

    def left_seconds(self) -> float:
        return self._end - time.monotonic()


@dataclass(frozen=True)
class Run:
    """One timed run: its rate (higher is better) and what else it showed."""

    rate: float
    facts: Any = None


@dataclass
class Outcome:
    """One side's best setting.

    Attributes:
        setting: its name.
        runs: its runs, one a round.
        others: median rate of the settings that were tried and left, or why they failed.
    """

    setting: str
    runs: list[Run]
    others: dict[str, float | str] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return statistics.median(run.rate for run in self.runs)


def take_turns(
    sides: Mapping[str, Mapping[str, Callable[[int], Run]]], *, budget: Budget, num_rounds: int = NUM_ROUNDS
) -> dict[str, Outcome]:
    """Round 0: every setting of every side in turn. Later rounds: each side's best; fewer where time runs out.

    Args:
        sides: side -> setting -> what runs it, given the round's number.

    Raises:
        NotMeasured: no setting of a side fits into the device's memory.
    """
    outcomes: dict[str, Outcome] = {}
    for side, settings in sides.items():
        runs: dict[str, Run] = {}
        failures: dict[str, float | str] = {}
        for name, run in settings.items():
            try:
                runs[name] = run(0)
            except torch.OutOfMemoryError:
                failures[name] = "out of memory"
        if not runs:
            raise NotMeasured(f"{side} is out of memory at {', '.join(settings)}")
        best = max(runs, key=lambda name: runs[name].rate)
        left = {name: found.rate for name, found in runs.items() if name != best}
        outcomes[side] = Outcome(best, [runs[best]], {**left, **failures})
    for number in range(1, num_rounds):
        began = time.monotonic()
        for side, outcome in outcomes.items():
            outcome.runs.append(sides[side][outcome.setting](number))
        if number + 1 < num_rounds and budget.left_seconds() < time.monotonic() - began:
            break
    return outcomes
