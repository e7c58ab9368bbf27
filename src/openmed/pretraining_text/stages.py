"""The stages of a build, each a pipeline over the same tasks, run by datatrove's executor.

    deletions    find the records that MEDLINE files take back (where a source is MEDLINE)
    passages     read, normalise, cut, filter, decontaminate; hash each passage
    exact        find equal passages
    unique       drop them; sign what is left by MinHash
    buckets      find passages that share a bucket of their signatures
    clusters     which of these stays
    clean        drop the others; draw each passage's chance
    pack-<name>  tokenise for a backbone

A task that is done is marked as such and never done again, unless what it wrote is damaged before it is read
(openmed.pretraining_text.done); what a killed task left is written over.

    stages = list_stages(mix, tasks, work)
    run_stage(stages[0], work, workers=2)
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import ExactDedupFilter, ExactDedupSignature, ExactFindDedups
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.dedup.minhash import (
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
)
from datatrove.pipeline.filters import GopherQualityFilter
from datatrove.pipeline.writers import JsonlWriter

from openmed.pretraining_text.done import damaged, logs, mark_done, steps_counted
from openmed.pretraining_text.evaluated import INDEX
from openmed.pretraining_text.executor import Executor
from openmed.pretraining_text.mix import Mix
from openmed.pretraining_text.sources import MEDLINE
from openmed.pretraining_text.steps import (
    CutPassages,
    Decontaminate,
    Draw,
    FindDeletions,
    Pack,
    ReadPart,
    Signatures,
    SpacedWords,
    Task,
)
from openmed.pretraining_text.words import words

DELETIONS = "deletions"
PASSAGES = "passages"
EXACT = "exact"
UNIQUE = "unique"
BUCKETS = "buckets"
CLUSTERS = "clusters"
CLEAN = "clean"
REMOVED = "contaminated"
CHANCES = "chances"
REPORTED = ("logs", REMOVED, CHANCES)
"""Folders that the manifest is made of, each time."""


@dataclass(frozen=True)
class Stage:
    """Attributes:
    pipeline: makes the steps anew.
    tasks: how many.
    weight: of one task, roughly in seconds, for a forecast.
    reads: the stages whose files it reads.
    writes: patterns of the files of a task, as `openmed.pretraining_text.done.mark_done`.
    """

    name: str
    pipeline: Callable[[], list[Any]]
    tasks: int
    weight: float
    reads: Sequence[str] = ()
    writes: Sequence[str] = ()


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

    def written(stage: str) -> _OwnFile:
        return _OwnFile(work, stage)

    def passages() -> list[Any]:
        return [
            ReadPart(tasks, work / DELETIONS),
            CutPassages(mix.backbones[0], mix.passage),
            _Quality(tasks),
            Decontaminate(work / INDEX, exclusion_writer=JsonlWriter(at(REMOVED))),
            JsonlWriter(at(PASSAGES)),
            ExactDedupSignature(at("exact"), exact),
        ]

    def unique() -> list[Any]:
        return [
            written(PASSAGES),
            ExactDedupFilter(at("equal"), exact),
            JsonlWriter(at(UNIQUE)),
            Signatures(at("signatures"), minhash),
        ]

    def clean() -> list[Any]:
        return [
            written(UNIQUE),
            MinhashDedupFilter(at("near")),
            JsonlWriter(at(CLEAN)),
            Draw(work / CHANCES, mix.seed),
        ]

    def of_task(*folders: str) -> tuple[str, ...]:
        return tuple(f"{folder}/{{rank}}.*" for folder in folders)

    deletions = Stage(DELETIONS, lambda: [FindDeletions(tasks, work / DELETIONS)], number, 1, writes=of_task(DELETIONS))
    return [
        *([deletions] if any(source.format == MEDLINE for source in mix.sources) else []),
        Stage(PASSAGES, passages, number, 6, [DELETIONS], of_task(PASSAGES, REMOVED, "exact/*")),
        Stage(EXACT, lambda: [ExactFindDedups(at("exact"), at("equal"), exact)], 1, 2, [PASSAGES], ["equal/*/*"]),
        Stage(UNIQUE, unique, number, 3, [PASSAGES, EXACT], of_task(UNIQUE, "signatures/*")),
        Stage(
            BUCKETS,
            lambda: [MinhashDedupBuckets(at("signatures"), at("buckets"), config=minhash)],
            near.buckets,
            1,
            [UNIQUE],
            ["buckets/{rank}_*"],
        ),
        Stage(
            CLUSTERS,
            lambda: [MinhashDedupCluster(at("buckets"), at("near"), config=minhash)],
            1,
            1,
            [BUCKETS],
            ["near/*"],
        ),
        Stage(CLEAN, clean, number, 1, [UNIQUE, CLUSTERS], of_task(CLEAN, CHANCES)),
    ]


def pack_stage(mix: Mix, tasks: Sequence[Task], work: Path, **settings: Any) -> Stage:
    """Tokenise clean text; `settings` are `Pack`'s."""
    name = f"pack-{settings['backbone']}"
    reader = _OwnFile(work, CLEAN)
    pack = Pack(heldout_fraction=mix.heldout_fraction, seed=mix.seed, **settings)
    return Stage(name, lambda: [reader, pack], len(tasks), 2, [CLEAN])


def run_stage(stage: Stage, work: Path, *, workers: int) -> None:
    """Run what of a stage is not done yet.

    Raises:
        ConfigError: a worker was killed.
        DataError: whatever is wrong with a source, or with what an earlier stage wrote.
    """
    Executor(
        stage.pipeline(),
        tasks=stage.tasks,
        workers=min(workers, stage.tasks),
        logging_dir=str(logs(work, stage.name)),
        preload=__name__,
        mark_done=partial(mark_done, work, stage.name, stage.writes),
    ).run()


class _OwnFile(PipelineStep):
    """The passages that the same task wrote in a stage before: all of them, as its statistics tell how many.

    Not datatrove's reader, which passes over what it cannot read, and deals files out in turn: a task without a passage
    writes none, and those behind it would get each other's.
    """

    type, name = "READER", "own file"

    def __init__(self, work: Path, stage: str) -> None:
        super().__init__()
        self.work = work
        self.stage = stage

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        path = self.work / self.stage / f"{rank:05d}.jsonl.gz"
        num_found = 0
        try:
            num_written = self._num_written(rank)
            if num_written:
                with gzip.open(path, "rt", encoding="utf-8") as lines:
                    for line in lines:
                        yield Document(**json.loads(line))
                        num_found += 1
        except (OSError, EOFError, zlib.error, ValueError, TypeError, LookupError) as error:
            raise damaged(self.work, self.stage, rank, path, str(error) or type(error).__name__) from error
        if num_found != num_written:
            raise damaged(self.work, self.stage, rank, path, f"{num_found} of {num_written} passages")

    def _num_written(self, rank: int) -> int:
        steps = steps_counted(self.work, self.stage, rank)
        (counts,) = (step["stats"] for step in steps if step["name"].startswith(JsonlWriter.type))
        return counts.get("total", 0)


class _Quality(GopherQualityFilter):
    """Gopher's rules (Rae et al. 2021, arXiv 2112.11446) without those on length, which passages have by themselves."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        super().__init__(min_doc_words=None, max_doc_words=None, language=SpacedWords())  # pyright: ignore[reportArgumentType]
        self.tasks = tasks

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        self.min_stop_words = self.tasks[rank].source.min_stop_words
        yield from super().run(data, rank, world_size)
