"""Training: text pieces a second over the same corpus, and start-up; ours against Hugging Face Trainer with PEFT.

    rows = train_query_value(scratch, Sizes())
    rows = train_all_linear(scratch, Sizes())

Text pieces are counted, not positions: they are what both sides must read of the corpus. Ours joins neighbouring
sentences, so it has fewer [CLS] and [SEP] per piece; padding and special tokens stand in each row's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.inputs import BACKBONE, CORPUS, inputs
from benchmarks.marks import WARMUP_STEPS, Rate, measured_rate
from benchmarks.rows import LESS_IS_BETTER, Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.trainings import (
    ALL_LINEAR,
    QUERY_VALUE,
    Adapters,
    Ran,
    ours,
    ours_marks,
    trainer,
    trainer_marks,
)

PEER = "Trainer + PEFT, batch 32"
GROUPED = f"{PEER}, group_by_length"
OURS, WITH_WANDB = "ours", "ours, logged to W&B"
DROPOUT = "0.1 on hidden states and 0.05 in adapters; 0.1 on attention weights in the Trainer alone (conf/backbone)"
EQUAL_LOSS = 0.01
"""Largest difference of the two loss curves at any step: bfloat16 rounds at other places. Over 30 steps of either LoRA
setting it was 0.0014 at most."""
T = TypeVar("T")


class NotEqual(AssertionError):
    """Two sides that should compute the same do not, so that a ratio of their speeds would mean nothing."""


def train_query_value(scratch: Path, sizes: Sizes) -> list[Row]:
    """Query and value, rank 16: against the defaults, and against batches of like length; and start-up of the same."""
    settings = _settings(scratch, sizes, QUERY_VALUE)
    mine, steps = QUERY_VALUE.ours, sizes.peer_steps
    mine_until = partial(ours, stop_after_pieces=sizes.pieces)
    measurements: dict[str, Callable[[Path, int], Ran]] = {
        PEER: lambda at, seed: trainer(at, QUERY_VALUE, seed=seed, max_steps=steps),
        GROUPED: lambda at, seed: trainer(at, QUERY_VALUE, seed=seed, grouped=True, max_steps=sizes.grouped_steps),
        OURS: lambda at, seed: mine_until(at, *mine, f"seed={seed}"),
        WITH_WANDB: lambda at, seed: mine_until(at, *mine, f"seed={seed}", logger="wandb"),
    }
    runs = interleaved(scratch, _each_its_seed(measurements), num_runs=sizes.runs)
    marks = {name: [ran.marks for ran in rans] for name, rans in runs.items()}
    return [*_speeds(marks, settings, {PEER: 8.0, GROUPED: 4.0}), _with_wandb(marks, settings), *_start_ups(runs)]


def train_all_linear(scratch: Path, sizes: Sizes) -> list[Row]:
    """All linear layers, rank 8: against the same two."""
    settings = _settings(scratch, sizes, ALL_LINEAR)
    mine, steps = ALL_LINEAR.ours, sizes.peer_steps
    measurements: dict[str, Callable[[Path, int], Mapping[str, Any]]] = {
        PEER: lambda at, seed: trainer_marks(at, ALL_LINEAR, seed=seed, max_steps=steps),
        GROUPED: lambda at, seed: trainer_marks(at, ALL_LINEAR, seed=seed, grouped=True, max_steps=sizes.grouped_steps),
        OURS: lambda at, seed: ours_marks(at, *mine, f"seed={seed}", stop_after_pieces=sizes.pieces),
    }
    marks = interleaved(scratch, _each_its_seed(measurements), num_runs=sizes.runs)
    return _speeds(marks, settings, {PEER: 8.0, GROUPED: 4.0})


def _each_its_seed(measurements: Mapping[str, Callable[[Path, int], T]]) -> dict[str, Callable[[Path], T]]:
    """The same measurements, in their first run with seed 1, then 2, and so on: a few batches are no fair sample."""

    def counting(measure: Callable[[Path, int], T]) -> Callable[[Path], T]:
        seeds = count(1)
        return lambda folder: measure(folder, next(seeds))

    return {name: counting(measure) for name, measure in measurements.items()}


def _settings(scratch: Path, sizes: Sizes, adapters: Adapters) -> dict[str, Any]:
    """What the rows of these adapters have in common.

    Raises:
        NotEqual: our losses are not those of PEFT's and transformers' own forward.
    """
    difference = loss_difference(scratch / "equal", adapters, num_steps=sizes.equal_steps)
    if difference > EQUAL_LOSS:
        raise NotEqual(f"{adapters.name}: losses differ by {difference:.4f} from those of PEFT's own forward")
    return {
        "corpus": CORPUS,
        "backbone": BACKBONE,
        "lora": adapters.name,
        "arithmetic": "bfloat16" if inputs().bf16 else "float32",
        "batch": "ours 1024 tokens, the Trainer's 32 sentences",
        "dropout": DROPOUT,
        "warmup_steps": WARMUP_STEPS,
        "largest_loss_difference": difference,
    }


def _speeds(
    marks: Mapping[str, Sequence[Mapping[str, Any]]], settings: Mapping[str, Any], goals: Mapping[str, float]
) -> list[Row]:
    rates = {name: [measured_rate(run) for run in runs] for name, runs in marks.items()}
    return [
        make_row(
            f"train, {settings['lora']}{', grouped' if name == GROUPED else ''}",
            "text pieces/s",
            ours=[rate.pieces_per_second for rate in rates[OURS]],
            peer_name=name,
            peer=[rate.pieces_per_second for rate in rates[name]],
            goal=goal,
            settings={**settings, "ours": _facts(rates[OURS]), "peer": _facts(rates[name])},
        )
        for name, goal in goals.items()
    ]


def _with_wandb(marks: Mapping[str, Sequence[Mapping[str, Any]]], settings: Mapping[str, Any]) -> Row:
    """The same training, logged as a user's is if nothing else is said."""
    logged, plain = ([measured_rate(run).pieces_per_second for run in marks[name]] for name in (WITH_WANDB, OURS))
    return make_row(
        f"train, {settings['lora']}, logged to W&B",
        "text pieces/s",
        ours=logged,
        peer_name="ours, logger=none",
        peer=plain,
        goal=None,
        settings=settings,
    )


def _start_ups(runs: Mapping[str, Sequence[Ran]]) -> list[Row]:
    """Seconds from the start of the process to the end of the first optimiser step, the corpus being cached."""
    seconds = {name: [ran.first_step_seconds for ran in runs[name]] for name in (PEER, OURS, WITH_WANDB)}
    return [
        make_row(
            f"start-up, {logger}",
            "s to the first step",
            ours=seconds[name],
            peer_name=PEER,
            peer=seconds[PEER],
            goal=1.0,
            settings={"corpus": CORPUS, "backbone": BACKBONE, "lora": QUERY_VALUE.name},
            better=LESS_IS_BETTER,
        )
        for name, logger in ((OURS, "logger=none"), (WITH_WANDB, "logger=wandb, offline"))
    ]


def loss_difference(folder: Path, adapters: Adapters, *, num_steps: int) -> float:
    """Largest difference between the losses of our forward and of PEFT's and transformers' own, step by step.

    The same seed and data, no dropout (its random numbers are drawn differently).
    """
    still = (*adapters.ours, "lora.dropout=0", "backbone.dropout=0", f"trainer.max_steps={num_steps}")
    curves = [
        [
            step["loss"]
            for step in ours_marks(folder / fast, *still, f"module.fast={fast}", stop_after_steps=num_steps)["steps"]
        ]
        for fast in ("true", "false")
    ]
    return max(abs(a - b) for a, b in zip(*curves, strict=True))


def _facts(rates: Sequence[Rate]) -> dict[str, float]:
    """Of the run in the middle."""
    rate = sorted(rates, key=lambda rate: rate.pieces_per_second)[len(rates) // 2]
    return {name: value for name, value in vars(rate).items() if name != "pieces_per_second"}
