"""The stages of a build, each a pipeline over the same tasks, run by datatrove's executor.

    passages     read, normalise, cut, filter, decontaminate; hash each passage
    exact        find equal passages
    unique       drop them; sign what is left by MinHash
    buckets      find passages that share a bucket of their signatures
    clusters     which of these stays
    clean        drop the others; draw each passage's chance
    pack-<name>  tokenise for a backbone

A task that is done is marked as such by datatrove and never done again; what a killed task left is written over.

    stages = list_stages(mix, tasks, work)
    run_stage(stages[0], work, workers=2)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import multiprocess
from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import ExactDedupFilter, ExactDedupSignature, ExactFindDedups
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.filters import GopherQualityFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from loguru import logger

from openmed.pretraining_text.mix import Mix
from openmed.pretraining_text.steps import (
    CutPassages,
    Decontaminate,
    Draw,
    Pack,
    ReadPart,
    Signatures,
    SpacedWords,
    Task,
)
from openmed.pretraining_text.words import words

CLEAN = "clean"
REMOVED = "contaminated"
INDEX = "evaluated"
CHANCES = "chances"


@dataclass(frozen=True)
class Stage:
    """Attributes:
    pipeline: makes the steps anew.
    tasks: how many.
    weight: of one task, roughly in seconds, for a forecast.
    """

    name: str
    pipeline: Callable[[], list[Any]]
    tasks: int
    weight: float


def text_key(document: Document) -> str:
    """What equal passages have in common: their words."""
    return " ".join(words(document.text))


def list_stages(mix: Mix, tasks: Sequence[Task], work: Path) -> list[Stage]:
    """All stages up to clean text, in order."""
    number = len(tasks)
    near = mix.near_duplicates
    minhash = MinhashConfig(n_grams=near.ngram, num_buckets=near.buckets, hashes_per_bucket=near.hashes_per_bucket)
    exact = ExactDedupConfig(content_getter=text_key)

    def at(name: str) -> str:
        return str(work / name)

    def written(name: str) -> JsonlReader:
        return _OwnFile(at(name), add_file_path=False)

    def passages() -> list[Any]:
        return [
            ReadPart(tasks),
            CutPassages(mix.backbones[0], mix.passage),
            _Quality(tasks),
            Decontaminate(work / INDEX, exclusion_writer=JsonlWriter(at(REMOVED))),
            JsonlWriter(at("passages")),
            ExactDedupSignature(at("exact"), exact),
        ]

    return [
        Stage("passages", passages, number, 6),
        Stage("exact", lambda: [ExactFindDedups(at("exact"), at("equal"), exact)], 1, 2),
        Stage(
            "unique",
            lambda: [
                written("passages"),
                ExactDedupFilter(at("equal"), exact),
                JsonlWriter(at("unique")),
                Signatures(at("signatures"), minhash),
            ],
            number,
            3,
        ),
        Stage(
            "buckets",
            lambda: [MinhashDedupBuckets(at("signatures"), at("buckets"), config=minhash)],
            near.buckets,
            1,
        ),
        Stage("clusters", lambda: [MinhashDedupCluster(at("buckets"), at("near"), config=minhash)], 1, 1),
        Stage(
            "clean",
            lambda: [
                written("unique"),
                MinhashDedupFilter(at("near")),
                JsonlWriter(at(CLEAN)),
                Draw(work / CHANCES, mix.seed),
            ],
            number,
            1,
        ),
    ]


def pack_stage(mix: Mix, tasks: Sequence[Task], work: Path, **settings: Any) -> Stage:
    """Tokenise clean text; `settings` are `Pack`'s."""
    name = f"pack-{settings['backbone']}"
    reader = _OwnFile(str(work / CLEAN), add_file_path=False)
    pack = Pack(heldout_fraction=mix.heldout_fraction, seed=mix.seed, **settings)
    return Stage(name, lambda: [reader, pack], len(tasks), 2)


def run_stage(stage: Stage, work: Path, *, workers: int) -> None:
    """Run what of a stage is not done yet."""
    logger.disable("datatrove")
    # The server that processes are forked from imports all this once, not each process in each stage.
    multiprocess.get_context("forkserver").set_forkserver_preload([__name__])  # pyright: ignore
    _Executor(
        stage.pipeline(),
        tasks=stage.tasks,
        workers=min(workers, stage.tasks),
        logging_dir=str(logs(work, stage.name)),
    ).run()


def logs(work: Path, stage: str) -> Path:
    """Where datatrove keeps a stage's marks and statistics."""
    return work / "logs" / stage


def num_done(work: Path, stage: str) -> int:
    """Tasks of the stage that are done."""
    folder = logs(work, stage) / "completions"
    return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0


def statistics(work: Path, stage: str) -> Iterator[tuple[int, str, str, int]]:
    """(task, step, what, total) of all that a stage's steps counted."""
    for file in sorted((logs(work, stage) / "stats").glob("*.json")):
        for step in json.loads(file.read_text(encoding="utf-8")):
            for what, counted in step["stats"].items():
                total = counted["total"] if isinstance(counted, dict) else counted
                yield int(file.stem), step["name"], what, int(total)


class _OwnFile(JsonlReader):
    """What the same task wrote in the stage before. datatrove deals files out in turn, and a task without a passage
    writes none: those behind it would get each other's."""

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        name = f"{rank:05d}.jsonl.gz"
        yield from self.read_files_shard([name] if self.data_folder.exists(name) else [])


class _Quality(GopherQualityFilter):
    """Gopher's rules (Rae et al. 2021, arXiv 2112.11446) without those on length, which passages have by themselves."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(min_doc_words=None, max_doc_words=None, language=SpacedWords())  # pyright: ignore[reportArgumentType]
        self.tasks = tasks

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.min_stop_words = self.tasks[rank].source.min_stop_words
        yield from super().run(data, rank, world_size)


class _Executor(LocalPipelineExecutor):
    """datatrove's, silent: progress and errors are told by whoever builds."""

    def _launch_run_for_rank(self, rank: int, ranks_q: Any, completed: Any = None, completed_lock: Any = None) -> Any:
        logger.disable("datatrove")
        return super()._launch_run_for_rank(rank, ranks_q, completed, completed_lock)
