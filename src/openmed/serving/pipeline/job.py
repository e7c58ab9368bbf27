"""A folder of inputs to a folder of results, in tasks that any of datatrove's executors runs.

    job = PipelineJob([MODEL], expand_inputs(["pubmed/"]), Path("tagged"))
    job.run(workers=8)                                                     # processes of this machine
    SlurmPipelineExecutor(**job.begin(threads=8), cpus_per_task=8, time="04:00:00", partition="cpu").run()
    job.summary()

A task is an input, or several. One that is done is marked and never done again; one that was killed is done anew, and
its results appear only when whole: so whatever breaks a job off, the same lines of code go on with it, and nothing is
lost or doubled. `out/.openmed/` says what the folder belongs to, as with `openmed predict --out`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

from openmed.artefact import Manifest, model_digest
from openmed.errors import ConfigError, DataError
from openmed.predicting import Selection
from openmed.pretraining_text.progress import watched
from openmed.serving.inputs import Reading
from openmed.serving.job.estimate import estimate_documents
from openmed.serving.job.journal import FOLDER, claimed, fingerprint
from openmed.serving.job.progress import shown
from openmed.serving.job.run import full_disk_told
from openmed.serving.job.targets import refuse_others, targets_of
from openmed.serving.pipeline.marks import Marks, PipelineSummary
from openmed.serving.pipeline.names import errors_of
from openmed.writers.atomic import atomic_path

_INPUTS = "inputs.json"
_LOGS = "logs"
_PRELOAD = f"{__package__}.preload"
_SECONDS_BETWEEN_LOOKS = 5.0


@dataclass(frozen=True)
class PipelineJob:
    """Args:
        models: folders, as for `openmed.load`.
        files: from `expand_inputs`.
        out: for the results: JSON lines, a file for each input, named after it; what failed in `errors/`.
        tasks: how many the files are dealt to; None: one for each. Each loads the models, so a task of a small file
            costs more than the file.
        selection, reading: as of `openmed predict`.
        device, dtype: as for `openmed.load`.

    Raises:
        ConfigError: a number of tasks that is below 1 or above that of the files.
    """

    models: Sequence[str | PathLike[str]]
    files: Sequence[Path]
    out: Path
    tasks: int | None = None
    selection: Selection = field(default_factory=Selection)
    reading: Reading = field(default_factory=Reading)
    device: str | None = None
    dtype: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.num_tasks <= len(self.files):
            raise ConfigError(
                f"{self.num_tasks} tasks for {len(self.files)} files", mend="give at least one, and no more than files"
            )

    @property
    def num_tasks(self) -> int:
        return len(self.files) if self.tasks is None else self.tasks

    def begin(self, *, threads: int | None = None) -> dict[str, Any]:
        """Claim the folder, or go on in it.

        Args:
            threads: that a task computes with; None leaves torch's own number, which is all cores that it sees.

        Returns:
            {pipeline, tasks, logging_dir}: what one of datatrove's executors needs beside its own settings.

        Raises:
            ConfigError: results of other settings or inputs in the folder, another process that works in it, datatrove
                not installed.
            DataError: two files that would have one result; results that are not this job's; an input that has changed
                since it was tagged.
            ArtefactError: a model folder cannot be used.
        """
        settings = self._settings()
        with claimed(self.out, settings) as state:
            return self._begin(state, threads)

    def run(self, *, workers: int = 1) -> PipelineSummary:
        """Do what is not done yet, in so many processes of this machine, which share torch's threads.

        The folder is this process's meanwhile. Progress goes to standard error.

        Raises:
            ConfigError: fewer workers than one, a worker that was killed, and as `begin`.
            DataError, ArtefactError: as `begin`.
            RunError: the disk is full. All that was done stays.
        """
        if workers < 1:
            raise ConfigError(f"{workers} workers", mend="give at least one")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # each task loads the models
        settings = self._settings()
        workers = min(workers, self.num_tasks)
        with full_disk_told(self.out), claimed(self.out, settings) as state:
            begun = self._begin(state, _share_of_threads(workers))
            from openmed.pretraining_text.executor import Executor

            before, done = self.summary().documents, self._marks.done()
            left = [file for number, file in enumerate(self.files) if number % self.num_tasks not in done]
            with shown(estimate_documents(left, self.reading)) as progress:

                def look() -> None:
                    progress.add(self.summary().documents - before - progress.documents)

                with watched(look, seconds=_SECONDS_BETWEEN_LOOKS):
                    Executor(**begun, workers=workers, preload=_PRELOAD).run()
        return self.summary()

    def summary(self) -> PipelineSummary:
        """Of the tasks done so far, whoever runs them."""
        return self._marks.summary()

    def _settings(self) -> dict[str, Any]:
        """What decides on the results, and on which task has which files."""
        _check_engine()
        names = [place.name for place in self._places.values()]
        if not (self.out / FOLDER).exists():  # before anything is written into a folder that is another's
            refuse_others(self._places)
        return {
            "engine": "datatrove",
            "models": [_digest_of(Path(model)) for model in self.models],
            "threshold": self.selection.threshold,
            "overlaps": self.selection.overlaps,
            "format": self.reading.format,
            "text_column": self.reading.text_column,
            "id_column": self.reading.id_column,
            "dtype": self.dtype,
            "tasks": self.num_tasks,
            "inputs": f"{len(names)}, {hashlib.sha256(json.dumps(names).encode()).hexdigest()[:12]}",
        }

    def _begin(self, state: Path, threads: int | None) -> dict[str, Any]:
        from openmed.serving.pipeline.steps import ReadInputs, TagDocuments, WriteResults

        places = [(str(file.absolute()), str(place.absolute())) for file, place in self._places.items()]
        self._look_at_inputs(state / _INPUTS)
        models = [str(Path(model).absolute()) for model in self.models]
        chosen = {"selection": self.selection, "device": self.device, "dtype": self.dtype, "threads": threads}
        return {
            "pipeline": [
                ReadInputs([file for file, _ in places], self.reading),
                TagDocuments(models, **chosen),
                WriteResults(places),
            ],
            "tasks": self.num_tasks,
            "logging_dir": str(self._marks.folder.absolute()),
        }

    def _look_at_inputs(self, known: Path) -> None:
        """Tasks in which something failed are to be done again, since it may have been mended. The inputs of the others
        are those that they were."""
        ranks = {file: number % self.num_tasks for number, file in enumerate(self.files)}
        for file, place in self._places.items():
            if errors_of(place).exists():
                self._marks.forget(ranks[file])
        before = json.loads(known.read_text(encoding="utf-8")) if known.exists() else {}
        now = {place.name: fingerprint(file) for file, place in self._places.items()}
        done = self._marks.done()
        for file, place in self._places.items():
            if ranks[file] in done and before.get(place.name) != now[place.name]:
                raise DataError(
                    "the input has changed since the job read it",
                    path=file,
                    mend="choose another folder for the results, or put it back",
                )
        with atomic_path(known) as temporary:
            temporary.write_text(json.dumps(now), encoding="utf-8")

    @cached_property
    def _places(self) -> dict[Path, Path]:
        """Each input's result."""
        return targets_of(self.files, self.out, "jsonl", self.reading)

    @property
    def _marks(self) -> Marks:
        return Marks(self.out / FOLDER / _LOGS, self.num_tasks)


def _check_engine() -> None:
    try:
        import datatrove  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "tagging in many processes needs datatrove, which is not installed", mend="pip install 'openmed-ner[text]'"
        ) from error


def _digest_of(model: Path) -> str:
    """Raises:
    ArtefactError: it is no model folder.
    """
    Manifest.read(model)
    return model_digest(model)


def _share_of_threads(workers: int) -> int | None:
    """For each worker; None for a single one, which is this process and has torch's threads already."""
    import torch

    return None if workers == 1 else max(1, torch.get_num_threads() // workers)
