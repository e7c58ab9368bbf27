"""One shape's checkpoint and corpus, and a short training of ours on them: the very `train` that `train.py` calls.

work = Work(shape, language, sizes, device="cuda", lora="paper", mixed=False, folder=scratch)
training, run_folder = train_ours(work, work.timed(num_rows=32))
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.gpu.language import Language, write_conll
from benchmarks.gpu.shapes import Shape, make_checkpoint
from benchmarks.gpu.timing import Training, fresh_memory, read_training

NEVER = 1_000_000
LEARNING_RATE = 2e-3
HEAD_LEARNING_RATE = 1e-2
"""Of the tagger for prediction, and high: a few dozen steps must make one whose mentions can be compared."""


@dataclass(frozen=True)
class Sizes:
    """How much work a measurement is.

    Attributes:
        num_pieces: pieces of a row, special tokens included.
        num_rows: rows of the training corpus.
        batches: rows per step that both sides try; each goes on with its best.
        warmup_steps, seconds: of a timed training.
        parity_steps, parity_rows: of a training whose losses are compared.
        learning_steps, learning_rows: of the training that makes the tagger for prediction.
        num_documents: texts per round of prediction.
        prediction_batches: full texts per batch that ours tries; both sides go on with their best.
        pipeline_batches: the same of the pipeline.
    """

    num_pieces: int = 256
    num_rows: int = 4096
    batches: tuple[int, ...] = (32, 64)
    warmup_steps: int = 10
    seconds: float = 3.0
    parity_steps: int = 20
    parity_rows: int = 8
    learning_steps: int = 100
    learning_rows: int = 16
    num_documents: int = 1024
    prediction_batches: tuple[int, ...] = (16, 64, 256)
    pipeline_batches: tuple[int, ...] = (16, 64, 256)


TINY = Sizes(
    num_pieces=32,
    num_rows=256,
    batches=(8, 16),
    warmup_steps=2,
    seconds=0.5,
    learning_rows=32,
    num_documents=16,
    prediction_batches=(4, 16),
    pipeline_batches=(4, 16),
)


@dataclass(frozen=True)
class Plan:
    """One training of ours: hydra overrides, and the stopwatch's settings."""

    overrides: tuple[str, ...]
    clock: dict[str, Any]


class Work:
    """One shape's checkpoint and corpus on disk.

    Args:
        lora: the name of a file of `conf/lora/`.
        mixed: sentences of natural lengths instead of rows that fill the window.
        folder: scratch; gigabytes for the large shapes.
    """

    def __init__(
        self, shape: Shape, language: Language, sizes: Sizes, *, device: str, lora: str, mixed: bool, folder: Path
    ) -> None:
        self.shape, self.language, self.sizes = shape, language, sizes
        self.device, self.lora, self.folder = device, lora, folder
        self.lengths = "mixed" if mixed else "full"
        inner = sizes.num_pieces - 2
        self.rows = language.rows(sizes.num_rows, num_pieces=inner, seed=1, mixed=mixed)
        write_conll(self.rows, folder / "train.tsv")
        write_conll(language.rows(16, num_pieces=inner, seed=2), folder / "dev.tsv")
        self.weights = make_checkpoint(
            shape, folder / "weights", tokenizer=language.tokenizer, alike=language.alike, device=device
        )

    @cached_property
    def tags(self) -> list[str]:
        return sorted({tag for row in self.rows for tag in row.tags}, key=lambda tag: (tag != "O", tag))

    def timed(self, num_rows: int) -> Plan:
        """As a user trains, in bfloat16, `num_rows` full rows a step."""
        return Plan(
            (f"batch.max_tokens={num_rows * self.sizes.num_pieces}", "trainer.precision=bf16-mixed"),
            {"warmup_steps": self.sizes.warmup_steps, "seconds": self.sizes.seconds, "max_steps": NEVER},
        )

    def learning(self) -> Plan:
        """So many steps, whatever their speed: a tagger that knows its types has few ties that bfloat16 could tip."""
        return Plan(
            (
                f"batch.max_tokens={self.sizes.learning_rows * self.sizes.num_pieces}",
                "trainer.precision=bf16-mixed",
                f"optim.head_lr={HEAD_LEARNING_RATE}",
            ),
            {"warmup_steps": 1, "seconds": float("inf"), "max_steps": self.sizes.learning_steps},
        )

    def parity(self, *, fast: bool, precision: str) -> Plan:
        """A few steps without dropout, each loss kept; `fast=False` goes through PEFT's and transformers' own code.

        The head learns slowly and the adapters fast, so that the losses tell how the adapters fare.
        """
        return Plan(
            (
                f"batch.max_tokens={self.sizes.parity_rows * self.sizes.num_pieces}",
                f"trainer.precision={precision}",
                f"module.fast={str(fast).lower()}",
                "backbone.dropout=0",
                "lora.dropout=0",
                "optim.head_lr=1e-5",
            ),
            {
                "warmup_steps": 1,
                "seconds": float("inf"),
                "max_steps": self.sizes.parity_steps,
                "keep_losses": True,
            },
        )


def train_ours(work: Work, plan: Plan) -> tuple[Training, Path]:
    """Train through `openmed.training.run.train`, as `train.py` does; what it showed, and its run folder."""
    from openmed.training.run import train

    fresh_memory()
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=work.folder))
    with _own_place(work.folder), (folder / "log.txt").open("w") as log, contextlib.redirect_stdout(log):
        train(_compose(work, plan, folder), folder / "run")
    return read_training(folder / "clock.json"), folder / "run"


def _compose(work: Work, plan: Plan, folder: Path) -> Any:
    """The configuration of `python train.py dataset=custom backbone=... lora=...`, less evaluation and checkpoints."""
    import hydra
    from omegaconf import OmegaConf

    from openmed.choices import conf_folder

    sizes = work.sizes
    overrides = [
        "dataset=custom",
        f"backbone={work.shape.backbone}",
        f"lora={work.lora}",
        "logger=none",
        *(f"callbacks.{name}=null" for name in ("early_stopping", "best", "last")),
        f"trainer.accelerator={'gpu' if work.device == 'cuda' else 'cpu'}",
        f"trainer.check_val_every_n_epoch={NEVER}",
        f"trainer.max_epochs={NEVER}",
        f"trainer.max_steps={min(plan.clock['max_steps'], NEVER)}",
        f"window.max_pieces={sizes.num_pieces}",
        f"window.overlap={min(50, sizes.num_pieces // 5)}",
        f"optim.lr={LEARNING_RATE}",
        "optim.schedule=constant",
        "optim.warmup_fraction=0",
        *plan.overrides,
    ]
    with hydra.initialize_config_dir(str(conf_folder()), version_base="1.3"):
        config = hydra.compose("train", [f"paths.run={folder / 'run'}", *overrides])
    # Files with digests are a published corpus: it is read without the first look that users' own files get.
    files = {name: {"hashes": [_sha256(work.folder / name)]} for name in ("train.tsv", "dev.tsv")}
    clock = {"_target_": "benchmarks.gpu.timing.ClockCallback", "path": str(folder / "clock.json"), **plan.clock}
    for key, value in (
        ("dataset.train", "train.tsv"),
        ("dataset.dev", "dev.tsv"),
        ("dataset.format", "conll"),
        ("dataset.files", files),
        ("backbone.weights", str(work.weights)),
        ("backbone.revision", None),
        ("callbacks.clock", clock),
    ):
        OmegaConf.update(config, key, value, force_add=True)
    return config


@contextlib.contextmanager
def _own_place(folder: Path) -> Iterator[None]:
    """Corpora are looked for, and tokenised ones kept, in this folder alone."""
    wanted = {"OPENMED_DATA": str(folder), "OPENMED_CACHE": str(folder / "cache")}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
