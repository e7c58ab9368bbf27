"""`sweep.json`: what a sweep is made of and how far it is, so that a killed one goes on. Written whole or not at all.

sweep = Sweep.read(folder)
job = sweep.look(sweep.jobs[0])     # as its result.json says
"""

from __future__ import annotations

import json
import secrets
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from openmed.errors import RunError
from openmed.training.result import read_result
from openmed.writers.atomic import atomic_path

SWEEP = "sweep.json"
LOCKS = ".locks"
SCHEMA_VERSION = 1
WAITING = "waiting"
DONE = ("finished", "pruned")


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        number: also its folder's name.
        overrides: what it was given; a job is known by them.
        status: "waiting", or that of its result.json.
        f1: on dev, of the best epoch so far. seconds: of training.
    """

    number: int
    overrides: tuple[str, ...]
    status: str = WAITING
    f1: float | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass
class Sweep:
    """A sweep's folder.

    Attributes:
        arguments: of the command line, those of Hydra and `search.resume` left out.
        search: kind, axes, seed and the like, plain; `id` is drawn when the sweep begins.
        hydra: Hydra's own arguments, such as the launcher; not where the sweep goes.
    """

    folder: Path
    arguments: list[str]
    search: dict[str, Any]
    jobs: list[Job] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)

    @property
    def task_arguments(self) -> list[str]:
        """What the jobs are given, sorted: the arguments without `search`, which stands in `search`."""
        return sorted(argument for argument in self.arguments if not is_of_search(argument))

    @property
    def locks(self) -> Path:
        """The folder of the locks by which workers keep out of each other's way."""
        place = self.folder / LOCKS
        place.mkdir(parents=True, exist_ok=True)
        return place

    def place(self, job: Job) -> Path:
        """The job's run folder."""
        return self.folder / str(job.number)

    def look(self, job: Job) -> Job:
        """The job as its result.json says that it stands."""
        result = read_result(self.place(job))
        if result is None:
            return job
        dev, train = result["dev"] or {}, result["train"] or {}
        return replace(
            job,
            status=result["status"],
            f1=dev.get("f1"),
            seconds=train.get("seconds"),
            error=result["error"],
        )

    def hold(self, number: int, held: ExitStack) -> bool:
        """Take a job for as long as `held` is open, or this process lives; False where another process has it."""
        try:
            held.enter_context(FileLock(self.locks / f"trial-{number}", timeout=0))
        except Timeout:
            return False
        return True

    def keep(self, *jobs: Job) -> None:
        """Put jobs in their places, and write all down with what other workers have written."""
        with FileLock(self.locks / "sweep"):
            written = Sweep.read(self.folder).jobs if (self.folder / SWEEP).is_file() else []
            known = {entry.number: entry for entry in [*self.jobs, *written, *jobs]}
            self.jobs = [known[number] for number in sorted(known)]
            self.write()

    def begin(self) -> None:
        """Claim the folder for this sweep, and give it an id.

        Raises:
            RunError: it holds one already.
        """
        with FileLock(self.locks / "sweep"):
            if (self.folder / SWEEP).exists() or (self.folder / "0").exists():
                mend = f"python train.py -m search.resume={self.folder} goes on with it"
                raise RunError(f"{self.folder} holds a sweep already", mend=mend)
            self.search["id"] = secrets.token_hex(4)
            self.write()

    def write(self) -> None:
        content = {
            "schema_version": SCHEMA_VERSION,
            "arguments": self.arguments,
            "hydra": self.hydra,
            "search": self.search,
            "jobs": [asdict(job) for job in self.jobs],
        }
        with atomic_path(self.folder / SWEEP) as temporary:
            temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Sweep:
        """
        Raises:
            RunError: the folder holds no sweep, or a damaged one.
        """
        try:
            content = json.loads((folder / SWEEP).read_text(encoding="utf-8"))
            jobs = [Job(**{**job, "overrides": tuple(job["overrides"])}) for job in content["jobs"]]
            return cls(folder, content["arguments"], content["search"], jobs, content.get("hydra", []))
        except FileNotFoundError:
            mend = "give a folder under outputs/multirun/"
            raise RunError(f"{folder} is no sweep: it has no {SWEEP}", mend=mend) from None
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder / SWEEP} is damaged ({error})", mend="start a new sweep") from error


def is_of_search(argument: str) -> bool:
    """Whether an argument of the command line is about the search, such as `search=tpe` or `search.trials=40`."""
    return argument.partition("=")[0].lstrip("+~").split(".")[0] == "search"


def check_same(before: Sweep, now: Sweep) -> None:
    """Refuse to go on with something else: only `search.trials` and `search.jobs` may change.

    Raises:
        RunError: names what differs.
    """
    old, new = before.search, now.search
    for name in ("kind", "seed", "pruner", "storage"):
        if old[name] != new[name]:
            raise _changed(f"search.{name} was {old[name]} and is now {new[name]}")
    for key in dict.fromkeys([*old["space"], *new["space"]]):
        if old["space"].get(key) != new["space"].get(key):
            was, has = (_shown(space.get(key)) for space in (old["space"], new["space"]))
            raise _changed(f"the space of {key} was {was} and is now {has}")
    gone = [argument for argument in before.task_arguments if argument not in now.task_arguments]
    added = [argument for argument in now.task_arguments if argument not in before.task_arguments]
    if gone or added:
        parts = [f"{word} {' '.join(names)}" for word, names in (("without", gone), ("with", added)) if names]
        raise _changed(f"the command line came {' and '.join(parts)}")


def _shown(axis: dict[str, Any] | None) -> str:
    if axis is None:
        return "not searched"
    return ", ".join(axis["choices"]) if "choices" in axis else f"{axis['low']} to {axis['high']} ({json.dumps(axis)})"


def _changed(what: str) -> RunError:
    return RunError(
        f"a sweep goes on as it began: {what}",
        mend="python train.py -m search.resume=<folder> alone goes on with what was asked for, or start a new sweep",
    )
