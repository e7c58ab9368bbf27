"""Build a text to pre-train on: from raw sources to packed shards. Broken off, it goes on where it was.

build(Mix.read("conf/pretrain_text/at_hand.yaml"), Path("outputs/pretrain_text"), workers=2)

OUT/manifest.json       what it was made of, and what became of it at each step
OUT/packed/<backbone>/  shards (openmed.pretraining_text.packed)
OUT/work/               stages, clean text, what was found contaminated
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from openmed.errors import ConfigError, DataError
from openmed.networks import BackboneSpec, load_tokenizer
from openmed.pretraining_text.at_hand import bytes_at, check_at_hand, unpacked_bytes
from openmed.pretraining_text.claim import claim
from openmed.pretraining_text.done import done_tasks, forget_damaged, mark_of
from openmed.pretraining_text.evaluated import came_later, index_evaluated
from openmed.pretraining_text.mix import MAX_TASKS, Mix, Source
from openmed.pretraining_text.packs import PACKED, BackbonePack
from openmed.pretraining_text.shards import Packing
from openmed.pretraining_text.sources import options_of
from openmed.writers.atomic import atomic_path

if TYPE_CHECKING:
    from openmed.pretraining_text.stages import Stage
    from openmed.pretraining_text.steps import Task

MANIFEST = "manifest.json"
WORK = "work"
SPACE_NEEDED = 3
"""Times the size of the sources unpacked: passages, twice, and packed text. at_hand takes 151 MB, of 64."""
ALL = 2**64 - 1
PACK_WEIGHT = 2
"""Of one task of packing, as `Stage.weight`."""
Progress = Callable[[float, str], None]
"""Told now and then: the share that is done, and the stage at work."""


def build(mix: Mix, out: Path, *, workers: int = 1, progress: Progress | None = None) -> dict[str, Any]:
    """Build, or go on building. Returns the manifest, which is in the folder too.

    Raises:
        ConfigError: another mix in the folder, a build at work in it, a source that changed after it was read, a dev or
            test split that came after texts were compared with those at hand, a worker that was killed, datatrove not
            installed.
        DataError: a source that is not there, is empty or damaged, or a disk too small. What is done stays.
    """
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else they would take all cores in each worker
    _check_engine()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / ".lock", timeout=0):
            return _Build(mix, out, workers, progress or (lambda share, stage: None)).run()
    except Timeout:
        raise ConfigError(f"another build is at work in {out}", mend="wait for it, or give another --out") from None


def _check_engine() -> None:
    try:
        import datatrove  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "building text needs datatrove, which is not installed", mend="pip install 'openmed-ner[text]'"
        ) from error


class _Build:
    def __init__(self, mix: Mix, out: Path, workers: int, progress: Progress) -> None:
        if workers < 1:
            raise ConfigError(f"--workers {workers} must be at least 1")
        self.mix = mix
        self.out = out
        self.work = out / WORK
        self.workers = workers
        self.progress = progress
        packings = {name: Packing.of(load_tokenizer(BackboneSpec.named(name))) for name in mix.backbones}
        self.packs = [BackbonePack(name, it, out / PACKED / name, self.work) for name, it in packings.items()]
        self._check_sources()

    def run(self) -> dict[str, Any]:
        from openmed.pretraining_text.manifest import make_manifest
        from openmed.pretraining_text.stages import PASSAGES, list_stages, pack_stage

        has_work = self.work.is_dir()
        self.tasks, begun = self._claim()
        if not has_work and (manifest := self._finished()) is not None:
            return self._write(manifest)
        self.work.mkdir(exist_ok=True)
        stages = list_stages(self.mix, self.tasks, self.work)
        number = len(self.tasks)
        open_packs = self._forget_damaged(stages)
        self.plan = [(stage.name, stage.tasks, stage.weight) for stage in stages]
        self.plan += [(pack.stage, number, PACK_WEIGHT) for pack in open_packs]
        finished = not open_packs and self._share() == 1 and (self.out / MANIFEST).is_file()
        later = index_evaluated(
            self.out,
            self.work,
            ngram=self.mix.decontaminate_ngram,
            begun=begun,
            finished=finished,
            say=lambda what: self.progress(self._share(), what),
        )
        for pack in open_packs:
            pack.forget_lost()
        for stage in stages:
            self._run(stage)
            if stage.name == PASSAGES:
                self._check_texts()
        self._check_not_empty()
        limits, short = self._limits()
        for pack in open_packs:
            self._run(
                pack_stage(self.mix, self.tasks, self.work, folder=pack.folder, backbone=pack.backbone, limits=limits)
            )
            pack.write_index(number)
        names = [task.source.name for task in self.tasks]
        return self._write(make_manifest(self.mix, self.out, self.work, names, short=short, later=later))

    def _write(self, manifest: dict[str, Any]) -> dict[str, Any]:
        with atomic_path(self.out / MANIFEST) as temporary:
            temporary.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return manifest

    def _finished(self) -> dict[str, Any] | None:
        """The manifest of a build of which all that was asked for is packed: it needs no work/. Else None."""
        try:
            manifest: dict[str, Any] = json.loads((self.out / MANIFEST).read_bytes())
        except (OSError, ValueError):
            return None
        if all(pack.backbone in manifest["packed"] and pack.is_done() for pack in self.packs):
            return manifest | {"came_later": came_later(self.out, self.work)}
        return None

    def _forget_damaged(self, stages: Sequence[Stage]) -> list[BackbonePack]:
        """Unmark tasks of which a file was damaged that is yet to be read. Returns the packs with something to do."""
        from openmed.pretraining_text.stages import CLEAN, REPORTED

        open_packs: list[BackbonePack] = []
        for pack in self.packs:
            forget_damaged(self.work, pack.stage, REPORTED)
            if len(done_tasks(self.work, pack.stage)) < len(self.tasks) or not pack.is_done():
                open_packs.append(pack)
        read = {CLEAN} if open_packs else set[str]()
        for stage in reversed(stages):
            forget_damaged(self.work, stage.name, None if stage.name in read else REPORTED)
            if len(done_tasks(self.work, stage.name)) < stage.tasks:
                read.update(stage.reads)
        return open_packs

    def _run(self, stage: Any) -> None:
        from openmed.pretraining_text.progress import watched
        from openmed.pretraining_text.stages import run_stage

        self.progress(self._share(), stage.name)
        with watched(lambda: self.progress(self._share(), stage.name)):
            run_stage(stage, self.work, workers=self.workers)

    def _share(self) -> float:
        """How much of all there is to do is done, whenever it was done."""
        done = sum(min(len(done_tasks(self.work, name)), number) * weight for name, number, weight in self.plan)
        return done / sum(number * weight for _, number, weight in self.plan)

    def _check_sources(self) -> None:
        for source in self.mix.sources:
            check_at_hand(source)
        size = sum(unpacked_bytes(source) for source in self.mix.sources)
        free = shutil.disk_usage(self.out).free + bytes_at(self.out)  # what a broken-off build wrote counts as there
        if not (self.out / MANIFEST).is_file() and free < SPACE_NEEDED * size:
            raise DataError(
                f"{free / 2**30:.1f} GiB are free, and {SPACE_NEEDED * size / 2**30:.1f} may be needed "
                f"({SPACE_NEEDED} times the sources unpacked)",
                path=self.out,
                mend="free some space, or give --out on another disk",
            )

    def _claim(self) -> tuple[list[Task], bool]:
        """The tasks of the first stage; whether any is done. Those not done leave nothing of what they once read."""
        from openmed.pretraining_text.stages import DELETIONS, EXACT, PASSAGES, REMOVED
        from openmed.pretraining_text.steps import Task

        done = done_tasks(self.work, PASSAGES)
        # Where more was made of what was read, it may be read again (work/ was deleted), but only the same.
        built_on = bool(done_tasks(self.work, EXACT)) or (self.out / PACKED).exists()
        parts = claim(self.mix, self.out, range(MAX_TASKS) if built_on else done)
        tasks = [
            Task(source, part, number)
            for source, number in zip(self.mix.sources, parts, strict=True)
            for part in range(number)
        ]
        for rank in set(range(len(tasks))) - done:
            for folder in (PASSAGES, REMOVED):  # a task without passages writes no file
                (self.work / folder / f"{rank:05d}.jsonl.gz").unlink(missing_ok=True)
        for rank in done_tasks(self.work, DELETIONS) - done:  # its file may have been mended since
            mark_of(self.work, DELETIONS, rank).unlink()
        return tasks, built_on or bool(done)

    def _check_texts(self) -> None:
        """After reading: each source has texts. One that has none is read again when it is there."""
        from openmed.pretraining_text.stages import PASSAGES

        counts = self._counts()
        for source in self.mix.sources:
            if counts[source.name]["texts"]:
                continue
            for rank, task in enumerate(self.tasks):
                if task.source == source:
                    mark_of(self.work, PASSAGES, rank).unlink(missing_ok=True)
            raise _no_texts(source, counts[source.name]["left_out"])

    def _check_not_empty(self) -> None:
        if not sum(found["clean"] for found in self._counts().values()):
            raise DataError("no passage is left of all sources", path=self.out, mend=f"see {self.out / WORK}")

    def _limits(self) -> tuple[list[int], dict[str, int]]:
        """For each task the highest chance that is taken; sources with fewer passages than wanted, and how many."""
        from openmed.pretraining_text.stages import CHANCES

        limits: dict[str, int] = {}
        short: dict[str, int] = {}
        for source in self.mix.sources:
            limits[source.name] = ALL
            if source.passages is None:
                continue
            mine = [rank for rank, task in enumerate(self.tasks) if task.source.name == source.name]
            drawn = np.concatenate([np.load(self.work / CHANCES / f"{rank:05d}.npy") for rank in mine])
            if len(drawn) > source.passages:
                limits[source.name] = int(np.partition(drawn, source.passages - 1)[source.passages - 1])
            elif len(drawn) < source.passages:
                short[source.name] = len(drawn)
        return [limits[task.source.name] for task in self.tasks], short

    def _counts(self) -> dict[str, dict[str, Any]]:
        from openmed.pretraining_text.report import source_counts

        return source_counts(self.work, [task.source.name for task in self.tasks], [])


def _no_texts(source: Source, left_out: Mapping[str, int]) -> DataError:
    """Args:
    left_out: what was not taken, by reason.
    """
    again = "get it again and give the same command, or leave it out and give another --out"
    if not left_out:
        return DataError(f"source {source.name!r} is empty", path=source.place, mend=again)
    reasons = ", ".join(f"{reason} {number:,}" for reason, number in left_out.items())
    options = ", ".join(options_of(source.format))
    chosen = f"mend its options in the mix ({options}) and give another --out, or " if options else ""
    problem = f"source {source.name!r} gives no text, all of it is left out: {reasons}"
    return DataError(problem, path=source.place, mend=chosen + again)
