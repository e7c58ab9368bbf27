"""One training by either side, as its users start it, in a process of its own, with the marks it made.

ran = ours(folder, *QUERY_VALUE.ours, stop_after_pieces=60_000)
ran = trainer(folder, QUERY_VALUE, max_steps=45)
measured_rate(ran.marks).pieces_per_second, ran.first_step_seconds
marks = ours_marks(folder, *QUERY_VALUE.ours, stop_after_steps=20)    # without the start of a process
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.inputs import BACKBONE, CORPUS, inputs
from benchmarks.marks import read_marks
from benchmarks.process import Finished, run_command, run_ready

CLOCK = "+callbacks.clock._target_=benchmarks.clock.StepClock"
MARKS = "marks.json"


@dataclass(frozen=True)
class Adapters:
    """The same LoRA, said to both sides.

    Attributes:
        ours: overrides of `train.py`.
        targets: names of layers, as a user of PEFT gives them.
    """

    name: str
    ours: tuple[str, ...]
    targets: tuple[str, ...]
    rank: int


QUERY_VALUE = Adapters(
    "query+value r16", ("lora=paper", "lora.rank=16", "lora.alpha=32", "lora.dropout=0.05"), ("query", "value"), 16
)
ALL_LINEAR = Adapters(
    "all-linear r8",
    ("lora=all_linear", "lora.rank=8", "lora.alpha=16", "lora.dropout=0.05"),
    ("query", "key", "value", "dense"),
    8,
)


@dataclass(frozen=True)
class Ran:
    """A training that has ended, and its marks (`benchmarks.marks.read_marks`)."""

    process: Finished
    marks: Mapping[str, Any]

    @property
    def first_step_seconds(self) -> float:
        """From the start of the process to the end of its first optimiser step."""
        return self.marks["steps"][0]["at"] - self.process.began


def ours(
    folder: Path,
    *overrides: str,
    dataset: str = CORPUS,
    logger: str = "none",
    environment: Mapping[str, str] | None = None,
    **stop: int,
) -> Ran:
    """`python train.py dataset=ncbi backbone=minilm OVERRIDES`.

    Args:
        folder: a new one; the run folder and the log go there.
        environment: further variables.
        stop: arguments of `benchmarks.clock.StepClock`: when to leave; none of them runs to the end.
    """
    arguments = _our_arguments(folder, overrides, dataset=dataset, logger=logger, stop=stop)
    done = run_command(arguments, log=folder / "train.log", environment=environment)
    return Ran(done, read_marks(folder / MARKS))


def ours_marks(folder: Path, *overrides: str, dataset: str = CORPUS, **stop: int) -> Mapping[str, Any]:
    """The marks of the same training in a process that need not start (`benchmarks.process.run_ready`)."""
    run_ready(_our_arguments(folder, overrides, dataset=dataset, stop=stop), log=folder / "train.log")
    return read_marks(folder / MARKS)


def trainer(
    folder: Path, adapters: Adapters, *, grouped: bool = False, max_steps: int | None = None, seed: int = 1
) -> Ran:
    """`benchmarks.peers.trainer`: Hugging Face Trainer and PEFT.

    Args:
        grouped: batches of like length (`train_sampling_strategy="group_by_length"`).
        max_steps: stop there; None trains 3 epochs and scores dev after each.
    """
    arguments = _trainer_arguments(folder, adapters, grouped=grouped, max_steps=max_steps, seed=seed)
    done = run_command(arguments, log=folder / "trainer.log")
    return Ran(done, read_marks(folder / MARKS))


def trainer_marks(
    folder: Path, adapters: Adapters, *, grouped: bool = False, max_steps: int, seed: int
) -> Mapping[str, Any]:
    """The marks of the same training in a process that need not start."""
    arguments = _trainer_arguments(folder, adapters, grouped=grouped, max_steps=max_steps, seed=seed)
    run_ready(arguments, log=folder / "trainer.log")
    return read_marks(folder / MARKS)


def spacy_cnn(folder: Path, *, seed: int = 1) -> Ran:
    """`benchmarks.peers.spacy_cnn`: spaCy's CNN from nothing, dev scored after each of its epochs."""
    given, marks = inputs(), folder / MARKS
    arguments = [
        *("-m", "benchmarks.peers.spacy_cnn", "--train", str(given.train), "--dev", str(given.dev)),
        *("--seed", str(seed), "--marks", str(marks)),
    ]
    done = run_command(arguments, log=folder / "spacy.log")
    return Ran(done, read_marks(marks))


def _our_arguments(
    folder: Path, overrides: Sequence[str], *, dataset: str, logger: str = "none", stop: Mapping[str, int]
) -> list[str]:
    return [
        "train.py",
        f"dataset={dataset}",
        f"backbone={BACKBONE}",
        f"logger={logger}",
        *overrides,
        f"hydra.run.dir={folder / 'run'}",
        CLOCK,
        f"+callbacks.clock.path={folder / MARKS}",
        *(f"+callbacks.clock.{name}={value}" for name, value in stop.items()),
    ]


def _trainer_arguments(
    folder: Path, adapters: Adapters, *, grouped: bool, max_steps: int | None, seed: int
) -> list[str]:
    given = inputs()
    return [
        *("-m", "benchmarks.peers.trainer", "--train", str(given.train), "--dev", str(given.dev)),
        *("--backbone", str(given.backbone), "--targets", *adapters.targets, "--rank", str(adapters.rank)),
        *("--seed", str(seed), "--out", str(folder / "out"), "--marks", str(folder / MARKS)),
        *(["--group-by-length"] if grouped else []),
        *([] if given.bf16 else ["--float32"]),
        *(["--max-steps", str(max_steps)] if max_steps is not None else []),
    ]
