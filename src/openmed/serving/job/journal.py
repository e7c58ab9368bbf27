"""What a folder of results belongs to, and what of it is done: `.openmed/` in it.

    with Journal.claim(out, settings) as journal:
        journal.begin(target, source)
        journal.finish(target, {...})

`job.json` holds the settings of the job, `journal.jsonl` a line when an input is begun and another when its
results are written. A killed job leaves at most the last line cut off.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from openmed.errors import ConfigError, DataError
from openmed.writers.atomic import atomic_path, remove_left

FOLDER = ".openmed"
_SETTINGS = "job.json"
_LINES = "journal.jsonl"
_SCHEMA_VERSION = 1
Entry = dict[str, Any]


class Journal:
    """See `claim`.

    Attributes:
        entries: the last line of each target, by its name.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _LINES
        self.entries: dict[str, Entry] = {}
        if self._path.exists():
            # The last line, if a kill cut it, is not one.
            whole = self._path.read_bytes().rpartition(b"\n")[0].splitlines()
            self.entries = {entry["target"]: entry for entry in map(json.loads, whole)}
        with atomic_path(self._path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(entry, ensure_ascii=False)}\n" for entry in self.entries.values())

    @classmethod
    @contextmanager
    def claim(cls, out: Path, settings: Mapping[str, Any]) -> Iterator[Journal]:
        """The journal of a folder. Args, Raises: as `claimed`."""
        with claimed(out, settings) as folder:
            yield cls(folder)

    def parts(self, target: Path) -> Path:
        """The folder of an input's parts."""
        return self._folder / "parts" / target.name

    def is_done(self, target: Path, source: Path) -> bool:
        """Whether nothing is left to do for an input. What is stale of a file that was mended since is removed.

        Raises:
            DataError: the input has changed since its results were begun; results that no job of this folder wrote are
                in its place.
        """
        entry = self.entries.get(target.name)
        if entry is None:
            return False
        changed = entry["input"] != fingerprint(source)
        failed = bool(entry.get("errors"))
        if changed and not failed and (entry["done"] or self.parts(target).exists()):
            raise DataError(
                "the input has changed since the job read it", path=source, mend="choose another --out, or put it back"
            )
        if changed:
            shutil.rmtree(self.parts(target), ignore_errors=True)
        # Of a file that could not be read at all, the reason may be gone; to try again costs nothing.
        return entry["done"] and not changed and not (failed and not entry["counts"]["documents"])

    def is_ours(self, target: Path) -> bool:
        """Whether results at this place are those of this job."""
        return target.name in self.entries

    def begin(self, target: Path, source: Path) -> None:
        """The input will be read as it is now: what then lies in its result's place is this job's."""
        begun = {"target": target.name, "input": fingerprint(source), "done": False}
        if self.entries.get(target.name) != begun:
            self._append(begun)

    def finish(self, target: Path, facts: Mapping[str, Any]) -> Entry:
        """Its results are written. Returns the line."""
        self._append({**self.entries[target.name], "done": True, **facts})
        return self.entries[target.name]

    def _append(self, entry: Entry) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self.entries[entry["target"]] = entry


@contextmanager
def claimed(out: Path, settings: Mapping[str, Any]) -> Iterator[Path]:
    """The hidden folder in a folder of results, which is this process's while inside.

    Args:
        settings: JSON-like, whatever decides on the results beside the inputs.

    Raises:
        ConfigError: the folder holds results of other settings, or another process writes to it.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(f"another process writes to {out}", mend="wait for it, or choose another --out") from None
    try:
        remove_left(folder, {_SETTINGS, _LINES})
        _check_settings(out, folder / _SETTINGS, settings)
        yield folder
    finally:
        lock.release()


def fingerprint(source: Path) -> list[int]:
    """What an input is known by; nothing of one that is not there. Not its path: all may be moved together."""
    try:
        stat = source.stat()
    except OSError:  # told when it is read
        return []
    return [stat.st_size, stat.st_mtime_ns]


def _check_settings(out: Path, path: Path, settings: Mapping[str, Any]) -> None:
    mine = json.loads(json.dumps({"schema_version": _SCHEMA_VERSION, **settings}))
    there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if there is None:
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(mine, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    elif there != mine:
        differing = [
            f"{key}: {json.dumps(there.get(key))} there, {json.dumps(mine.get(key))} now"
            for key in sorted({*there, *mine})
            if there.get(key) != mine.get(key)
        ]
        raise ConfigError(
            f"{out} holds results of other settings ({'; '.join(differing)})",
            mend="choose another --out, or delete the folder",
        )
