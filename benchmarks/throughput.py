"""Training: text pieces a second over the same corpus, and start-up; ours against Hugging Face Trainer with PEFT.

    rows = train_query_value(scratch, Sizes())
    rows = start_up(scratch, Sizes())

Text pieces are counted, not positions: they are what both sides must read of the corpus. Ours joins neighbouring
sentences, so it has fewer [CLS] and [SEP] per piece; padding and special tokens stand in each row's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.inputs import BACKBONE, CORPUS, inputs
from benchmarks.marks import WARMUP_STEPS, Rate, measured_rate
from benchmarks.rows import LESS_IS_BETTER, Row, interleaved, make_row
from benchmarks.sizes import Sizes
from benchmarks.trainings import ALL_LINEAR, QUERY_VALUE, Adapters, Ran, ours, trainer

PEER = "Trainer + PEFT, batch 32"
GROUPED = f"{PEER}, group_by_length"
LOGGERS = {"logger=none": "none", "logger=wandb, offline": "wandb"}
EQUAL_LOSS = 0.01
"""Largest difference of the two loss curves at any step: bfloat16 rounds at other places. Over 30 steps of either LoRA
setting it was 0.0014 at most."""


class NotEqual(AssertionError):
    """Two sides that should compute the same do not, so that a ratio of their speeds would mean nothing."""


def train_query_value(scratch: Path, sizes: Sizes) -> list[Row]:
    """Query and value, rank 16: against the defaults, and against batches of like length."""
    return _train(scratch, sizes, QUERY_VALUE, {PEER: 8.0, GROUPED: 4.0})


def train_all_linear(scratch: Path, sizes: Sizes) -> list[Row]:
    """All linear layers, rank 8: against the defaults."""
    return _train(scratch, sizes, ALL_LINEAR, {PEER: 8.0})


def _train(scratch: Path, sizes: Sizes, adapters: Adapters, goals: dict[str, float]) -> list[Row]:
    difference = loss_difference(scratch / "equal", adapters, num_steps=sizes.equal_steps)
    if difference > EQUAL_LOSS:
        raise NotEqual(f"{adapters.name}: losses differ by {difference:.4f} from those of PEFT's own forward")
    measurements: dict[str, Callable[[Path], Ran]] = {
        PEER: partial(trainer, adapters=adapters, max_steps=sizes.peer_steps),
        GROUPED: partial(trainer, adapters=adapters, grouped=True, max_steps=sizes.grouped_steps),
    }
    measurements = {name: measurements[name] for name in goals}
    measurements["ours"] = lambda folder: ours(folder, *adapters.ours, stop_after_pieces=sizes.pieces)
    runs = interleaved(scratch, measurements, num_runs=sizes.runs)
    rates = {name: [measured_rate(ran.marks) for ran in rans] for name, rans in runs.items()}
    settings = {
        "corpus": CORPUS,
        "backbone": BACKBONE,
        "lora": adapters.name,
        "arithmetic": "bfloat16" if inputs().bf16 else "float32",
        "warmup_steps": WARMUP_STEPS,
        "largest_loss_difference": difference,
    }
    return [
        make_row(
            f"train, {adapters.name}{', grouped' if name == GROUPED else ''}",
            "text pieces/s",
            ours=[rate.pieces_per_second for rate in rates["ours"]],
            peer_name=name,
            peer=[rate.pieces_per_second for rate in rates[name]],
            goal=goal,
            settings={**settings, "ours": _facts(rates["ours"]), "peer": _facts(rates[name])},
        )
        for name, goal in goals.items()
    ]


def loss_difference(folder: Path, adapters: Adapters, *, num_steps: int) -> float:
    """Largest difference between the losses of our forward and of PEFT's and transformers' own, step by step.

    The same seed and data, no dropout (its random numbers are drawn differently).
    """
    still = (*adapters.ours, "lora.dropout=0", "backbone.dropout=0", f"trainer.max_steps={num_steps}")
    curves = [
        [
            step["loss"]
            for step in ours(folder / fast, *still, f"module.fast={fast}", stop_after_steps=num_steps).marks["steps"]
        ]
        for fast in ("true", "false")
    ]
    return max(abs(a - b) for a, b in zip(*curves, strict=True))


def start_up(scratch: Path, sizes: Sizes) -> list[Row]:
    """Seconds from the start of the process to the end of the first optimiser step, the corpus being cached."""

    def ours_with(logger: str) -> Callable[[Path], Ran]:
        return lambda folder: ours(folder, *QUERY_VALUE.ours, logger=logger, stop_after_steps=1)

    measurements: dict[str, Callable[[Path], Ran]] = {
        PEER: partial(trainer, adapters=QUERY_VALUE, max_steps=1),
        **{name: ours_with(logger) for name, logger in LOGGERS.items()},
    }
    interleaved(scratch / "first", measurements, num_runs=1)  # fills the caches of files, byte code, tokenised corpus
    runs = interleaved(scratch, measurements, num_runs=sizes.runs)
    seconds = {name: [ran.first_step_seconds for ran in rans] for name, rans in runs.items()}
    return [
        make_row(
            f"start-up, {name}",
            "s to the first step",
            ours=seconds[name],
            peer_name=PEER,
            peer=seconds[PEER],
            goal=1.0,
            settings={"corpus": CORPUS, "backbone": BACKBONE, "lora": QUERY_VALUE.name},
            better=LESS_IS_BETTER,
        )
        for name in LOGGERS
    ]


def _facts(rates: Sequence[Rate]) -> dict[str, float]:
    """Of the run in the middle."""
    rate = sorted(rates, key=lambda rate: rate.pieces_per_second)[len(rates) // 2]
    return {name: value for name, value in vars(rate).items() if name != "pieces_per_second"}
