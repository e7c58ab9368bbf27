"""Which runs there are below some folders, and whether they may be compared: finished, and of one corpus.

found = find_runs([Path("outputs/multirun/2026-01-01_12-00-00")])
found.runs, found.left_out
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openmed.analysis.compare.run_files import FINISHED, SPLITS, TAGGER, read_config, read_result
from openmed.analysis.compare.settings import settings_of
from openmed.errors import DataError
from openmed.run_folder import PREDICTIONS, RESULT


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run of a tagger.

    Attributes:
        folder: as it was named or found.
        dataset: the corpus's name.
        seed: of the training.
        settings: dotted key -> value of what makes its setting (`settings.settings_of`).
        scores: split -> that part of result.json, of the splits that were scored.
        files: path -> digest of the corpus's files that were read.
        counts: split -> kind -> number.
        modified: when result.json was written, in ns since 1970.
        code: of the commit and the libraries that trained it.
    """

    folder: Path
    dataset: str
    seed: int
    settings: Mapping[str, Any]
    scores: Mapping[str, Mapping[str, Any]]
    files: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    modified: int
    code: str

    def predictions(self, split: str) -> Path:
        return self.folder / PREDICTIONS / f"{split}.jsonl"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A run that is not compared, and why."""

    folder: Path
    reason: str


@dataclass
class Found:
    """What stands below the folders."""

    runs: list[Run] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def find_runs(folders: Sequence[Path]) -> Found:
    """The runs in or below the folders, however deep, by path; what is not a finished tagger is left out and named.

    Raises:
        DataError: a folder that is not there or holds no run; a result.json or config.yaml that cannot be read, or
            lacks something.
    """
    found = Found()
    places: dict[Path, Path] = {}
    for folder in folders:
        below = sorted(_run_folders(folder))
        if not below:
            there = "holds no run (no result.json in it or below)" if folder.is_dir() else "is not a folder"
            raise DataError(there, path=folder, mend="name folders of runs: outputs/<date>/<time>, or one above them")
        places |= {place.resolve(): place for place in below}
    for place in places.values():
        result = read_result(place)
        if reason := _unfit(result):
            found.left_out.append(LeftOut(place, reason))
        else:
            found.runs.append(_read_run(place, result))
    return found


def choose_split(runs: Sequence[Run], wanted: str | None = None) -> str:
    """The split to compare: the one wanted, else test where all runs have it, else dev.

    Raises:
        DataError: a run that was not scored on it.
    """
    scored = [split for split in SPLITS if all(split in run.scores for run in runs)]
    split = wanted or (scored[0] if scored else SPLITS[-1])
    for run in runs:
        if split not in run.scores:
            raise DataError(
                f"the run was not scored on {split}",
                path=run.folder,
                mend="train it with test=true, or compare with --split dev" if split == "test" else "leave it out",
            )
    return split


def check_one_corpus(runs: Sequence[Run]) -> None:
    """Refuse runs of other corpora, or of another version of the corpus.

    Raises:
        DataError: with both runs, and what differs.
    """
    first = runs[0]
    digests: dict[str, tuple[str, Run]] = {}
    for run in runs:
        if run.dataset != first.dataset:
            names = ", ".join(sorted({run.dataset for run in runs}))
            raise DataError(
                f"the runs are of different corpora ({names}): {first.folder} is of {first.dataset}, "
                f"{run.folder} of {run.dataset}",
                mend="compare the runs of one corpus at a time",
            )
        for file, digest in run.files.items():
            known, other = digests.setdefault(file, (digest, run))
            if digest != known:
                raise DataError(
                    f"the runs are of different versions of {run.dataset}: {file} is {known[:15]}... in {other.folder} "
                    f"and {digest[:15]}... in {run.folder}",
                    mend="compare runs of one version, or train again on the same files",
                )


def _run_folders(folder: Path) -> Iterator[Path]:
    """Folders with a result.json; below a run there is none."""
    for place, folders, files in os.walk(folder):
        if RESULT in files:
            folders.clear()
            yield Path(place)


def _unfit(result: Mapping[str, Any]) -> str | None:
    """Why a run is not to be compared."""
    if result["status"] != FINISHED:
        return f"{result['status']}: {result['error']}" if result.get("error") else str(result["status"])
    if result["module"] != TAGGER:
        return f"a run of module={result['module']}, which tags nothing"
    return None


def _read_run(folder: Path, result: Mapping[str, Any]) -> Run:
    data = result["data"]
    return Run(
        folder=folder,
        dataset=result["dataset"],
        seed=result["seed"],
        settings=settings_of(read_config(folder)),
        scores={split: result[split] for split in SPLITS if result.get(split)},
        files=data["files"],
        counts=data["counts"],
        modified=(folder / RESULT).stat().st_mtime_ns,
        code=json.dumps([result.get("git_commit"), result.get("versions")], sort_keys=True),
    )
