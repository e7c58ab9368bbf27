"""Which tasks of a stage are done, what they counted, and whether what they wrote is as they wrote it.

A mark says that a task is done. It holds size and checksum of each file that the task wrote: what was damaged or lost
since is noticed before it is read, and made anew.

    mark_done(work, "near", ("near/*",), 0)
    forget_damaged(work, "near")        # tasks whose files are not as they were count as not done
    done_tasks(work, "near")            # {0}
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from openmed.errors import DataError
from openmed.writers.atomic import atomic_path


def logs(work: Path, stage: str) -> Path:
    """Where datatrove keeps a stage's marks and statistics."""
    return work / "logs" / stage


def mark_of(work: Path, stage: str, rank: int) -> Path:
    """The file that says that a task is done."""
    return logs(work, stage) / "completions" / f"{rank:05d}"


def done_tasks(work: Path, stage: str) -> set[int]:
    """Tasks of the stage that are done."""
    folder = logs(work, stage) / "completions"
    marks = folder.iterdir() if folder.is_dir() else ()
    return {int(mark.name) for mark in marks if mark.name.isdecimal()}  # others are marks being written


def mark_done(work: Path, stage: str, writes: Sequence[str], rank: int) -> None:
    """Args:
    writes: patterns of the files that a task of the stage writes, below `work`, with `{rank}` for its number.
    """
    patterns = (f"logs/{stage}/stats/{{rank}}.json", *writes)
    files = (file for pattern in patterns for file in work.glob(pattern.format(rank=f"{rank:05d}")))
    write_record(mark_of(work, stage, rank), work, files)


def forget_damaged(work: Path, stage: str, folders: Collection[str] | None = None) -> None:
    """Unmark tasks of which a file was damaged or lost since.

    Args:
        folders: of `work`, of which files are looked at; None: all. What no later stage reads need not be there.
    """
    for rank in done_tasks(work, stage):
        mark = mark_of(work, stage, rank)
        if mark.stat().st_size and not is_as_recorded(mark, work, folders):  # an empty one is of an earlier version
            mark.unlink()


def write_record(place: Path, root: Path, files: Iterable[Path]) -> None:
    """Keep size and checksum of files by their paths below `root`. The record is on the disk before it has its name."""
    content = {file.relative_to(root).as_posix(): [file.stat().st_size, _checksum(file)] for file in files}
    with atomic_path(place) as temporary, temporary.open("w", encoding="utf-8") as record:
        json.dump(content, record)
        record.flush()
        os.fsync(record.fileno())


def is_as_recorded(place: Path, root: Path, folders: Collection[str] | None = None) -> bool:
    """Whether files are as they were when `write_record` looked at them, and the record is.

    Args:
        folders: below `root`, of which files are looked at; None: all.
    """
    try:
        record = json.loads(place.read_bytes())
        return all(
            _is(root / name, size, checksum)
            for name, (size, checksum) in record.items()
            if folders is None or name.split("/")[0] in folders
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def statistics(work: Path, stage: str) -> Iterator[tuple[int, str, str, int]]:
    """(task, step, what, total) of all that the steps of tasks that are done counted.

    Raises:
        DataError: the counts of a task are damaged or lost.
    """
    for rank in sorted(done_tasks(work, stage)):
        for step in steps_counted(work, stage, rank):
            for what, counted in step["stats"].items():
                total = counted["total"] if isinstance(counted, dict) else counted
                yield rank, step["name"], what, int(total)


def steps_counted(work: Path, stage: str, rank: int) -> list[dict[str, Any]]:
    """What each step of a task that is done counted: {name, stats, ...}.

    Raises:
        DataError: it is damaged or lost.
    """
    file = logs(work, stage) / "stats" / f"{rank:05d}.json"
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise damaged(work, stage, rank, file, str(error)) from error


def damaged(work: Path, stage: str, rank: int, path: Path, what: str) -> DataError:
    """That a file of a task which is done is damaged, and how it is made anew."""
    backbone = f" with --backbone {stage.removeprefix('pack-')}" if stage.startswith("pack-") else ""
    mend = f"delete {mark_of(work, stage, rank)} and give the same command again{backbone}: the file is made anew"
    return DataError(f"what an earlier stage wrote is damaged ({what})", path=path, mend=mend)


def _is(file: Path, size: int, checksum: int) -> bool:
    return file.is_file() and file.stat().st_size == size and _checksum(file) == checksum


def _checksum(file: Path) -> int:
    """CRC-32: what is looked for is damage, not forgery."""
    checksum = 0
    with file.open("rb") as content:
        while block := content.read(2**20):
            checksum = zlib.crc32(block, checksum)
    return checksum
