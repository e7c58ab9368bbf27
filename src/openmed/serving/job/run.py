"""The job itself: documents of all inputs through one tagger, back to the inputs they came from, to one result each.

    summary = run_job(tagger, files, Path("tagged"), to="brat")

Documents of many small files are tagged together; of a long one they are put on disk in parts. So a job holds a block
of documents at a time, and one that was killed goes on where it was: finished inputs are not read again, and of one in
the middle no document is tagged again that stands in a part.
"""

from __future__ import annotations

import errno
import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from openmed.encoding import split_words
from openmed.errors import DataError, RunError
from openmed.predicting import EntityTagger, Selection
from openmed.serving.annotate import annotate_each
from openmed.serving.inputs import Reading, read_sound
from openmed.serving.job.estimate import estimate_documents
from openmed.serving.job.journal import FOLDER, Entry, Journal
from openmed.serving.job.parts import DOCUMENTS, ENTITIES, Parts, num_in_parts
from openmed.serving.job.progress import shown
from openmed.serving.job.targets import Words, files_of, put, refuse_others, remove, targets_of, writable
from openmed.serving.job.work import Work
from openmed.spans import Document
from openmed.writers.atomic import atomic_path, remove_left

ERRORS = "errors.jsonl"
"""In the folder of results, where something failed: a line {file, document, line, error} for each thing."""


@dataclass(frozen=True)
class JobSummary:
    """What a folder of results holds after a run.

    Attributes:
        files, documents, entities: of all inputs given, those done by earlier runs of the job included.
        failed: what could not be tagged or written: lines of errors.jsonl.
        dropped: entities left out by the selection, by reason.
        losses: what reading and the format of the results could not keep, by kind; what tokenising could not, of
            this run.
        seconds, documents_per_second: of this run.
        tagged: documents tagged in this run.
    """

    files: int
    documents: int
    entities: int
    failed: int
    dropped: Mapping[str, int]
    losses: Mapping[str, int]
    seconds: float
    tagged: int
    documents_per_second: float


def run_job(
    tagger: EntityTagger,
    files: Sequence[Path],
    out: Path,
    *,
    to: str = "jsonl",
    selection: Selection | None = None,
    reading: Reading | None = None,
    settings: Mapping[str, Any] | None = None,
    told: Callable[[Path, Path, Entry], None] | None = None,
) -> JobSummary:
    """Tag the files into the folder, or go on with it.

    Args:
        files: from `expand_inputs`.
        out: for the results, one for each file, named after it.
        to: one of `openmed.serving.job.TO`.
        settings: what else decides on the results, JSON-like: a folder keeps to those it was begun with.
        told: is given each input as it is done: file, result, the journal's line.

    Raises:
        ConfigError: the folder holds results of other settings, or another process writes to it.
        DataError: two files that would have one result, or one a name that the folder needs; results that are not this
            job's; an input that has changed.
        RunError: the disk is full, or a file may not grow further. All that was done stays.
    """
    return _Job(tagger, to, selection or Selection(), reading or Reading(), told).run(files, out, settings or {})


class _Job:
    def __init__(
        self,
        tagger: EntityTagger,
        to: str,
        selection: Selection,
        reading: Reading,
        told: Callable[[Path, Path, Entry], None] | None,
    ) -> None:
        self.tagger, self.to, self.selection, self.reading, self.told = tagger, to, selection, reading, told
        self.words: Words = lambda document: split_words(document.text, tagger.models[0].info.splitter)

    def run(self, files: Sequence[Path], out: Path, settings: Mapping[str, Any]) -> JobSummary:
        began, lost_before = time.monotonic(), self.tagger.losses.copy()
        targets = targets_of(files, out, self.to, self.reading)
        _refuse_own(targets, out)
        if not (out / FOLDER).exists():  # before anything is written into a folder that is another's
            refuse_others(targets)
        with full_disk_told(out), Journal.claim(out, {**self._settings(), **settings}) as journal:
            ours = (target for target in targets.values() if journal.is_ours(target))
            remove_left(out, {ERRORS, *(file.name for target in ours for file in files_of(target))})
            pending = {source: target for source, target in targets.items() if not journal.is_done(target, source)}
            refuse_others({source: target for source, target in pending.items() if not journal.is_ours(target)})
            try:
                with shown(self._estimate_left(pending, journal)) as progress:
                    for _ in self._tagged(pending, journal):
                        progress.add(1)
            finally:
                entries = [journal.entries[target.name] for target in targets.values() if journal.is_ours(target)]
                _write_errors(entries, out / ERRORS)
        lost = self.tagger.losses - lost_before
        return self._summary(entries, lost, time.monotonic() - began, progress.documents)

    def _estimate_left(self, pending: Mapping[Path, Path], journal: Journal) -> float | None:
        """About how many documents are still to be tagged."""
        total = estimate_documents(list(pending), self.reading)
        done = sum(num_in_parts(journal.parts(target)) for target in pending.values())
        return None if total is None else max(total - done, 0.0)

    def _settings(self) -> dict[str, Any]:
        return {
            "models": [{"name": model.name, "digest": model.digest} for model in self.tagger.models],
            "to": self.to,
            "threshold": self.selection.threshold,
            "overlaps": self.selection.overlaps,
            "format": self.reading.format,
            "text_column": self.reading.text_column,
            "id_column": self.reading.id_column,
        }

    def _tagged(self, pending: Mapping[Path, Path], journal: Journal) -> Iterator[Document]:
        """Each document when it is tagged and kept; inputs are finished on the way, what cannot be tagged noted."""
        order: deque[tuple[Work, bool]] = deque()
        """Of each document that the tagger has taken its input, and after an input's last one (input, True)."""

        def documents() -> Iterator[Document]:
            for source, target in pending.items():
                journal.begin(target, source)
                work = Work(source, target, Parts(journal.parts(target)))
                for document in self._read(work):
                    order.append((work, False))
                    yield document
                order.append((work, True))

        for given, tagged in annotate_each(self.tagger, documents()):
            self._finish_ended(order, journal)
            work, _ = order.popleft()
            if isinstance(tagged, str):
                work.untagged(given, tagged)
            else:
                work.parts.add(*self.selection(tagged))
                yield tagged
        self._finish_ended(order, journal)

    def _read(self, work: Work) -> Iterator[Document]:
        """The input's documents that no earlier run has read. What is wrong is noted, and ends at most this input."""
        documents = read_sound(work.source, self.reading, refused=work.fail, losses=work.losses)
        return islice(documents, work.num_before, None)

    def _finish_ended(self, order: deque[tuple[Work, bool]], journal: Journal) -> None:
        while order and order[0][1]:
            work, _ = order.popleft()
            entry = self._finish(work, journal)
            if self.told is not None:
                self.told(work.source, work.target, entry)

    def _finish(self, work: Work, journal: Journal) -> Entry:
        """Write an input's result from its parts."""
        if work.parts.num_documents or not work.errors:
            work.losses += self._put(work)
        if work.errors and not work.parts.num_documents:  # nor anything that it gave before it went bad
            remove(work.target)
        counts = {DOCUMENTS: 0, ENTITIES: 0, **work.parts.counts}
        facts = {"file": str(work.source), "counts": counts, "losses": work.losses, "errors": work.errors}
        entry = journal.finish(work.target, facts)
        work.parts.remove()
        return entry

    def _put(self, work: Work) -> Counter[str]:
        try:
            return put(work.parts.documents(), work.target, self.to, self.words)
        except DataError:
            # Some document has what the format cannot hold. Which one, only trying tells; the others are written.
            holdable = writable(work.parts.documents(), self.to, self.words, work.leave_out)
            return put(holdable, work.target, self.to, self.words)

    def _summary(self, entries: Sequence[Entry], lost: Counter[str], seconds: float, tagged: int) -> JobSummary:
        counts = sum((Counter(entry["counts"]) for entry in entries if entry["done"]), Counter())
        losses = sum((Counter(entry["losses"]) for entry in entries if entry["done"]), lost)
        documents, entities = counts.pop(DOCUMENTS, 0), counts.pop(ENTITIES, 0)
        return JobSummary(
            files=len(entries),
            documents=documents,
            entities=entities,
            failed=sum(len(entry.get("errors", ())) for entry in entries),
            dropped=dict(counts),
            losses=dict(sorted(losses.items())),
            seconds=seconds,
            tagged=tagged,
            documents_per_second=tagged / seconds if seconds else 0.0,
        )


def _refuse_own(targets: Mapping[Path, Path], out: Path) -> None:
    """A result may not have the place of what the job keeps in the folder for itself: errors.txt would lose its own."""
    for source, target in targets.items():
        if target in (out / ERRORS, out / FOLDER):
            problem = f"its result would be {target}, where the job keeps something of its own"
            raise DataError(problem, path=source, mend="rename it, or choose another --to")


def _write_errors(entries: Sequence[Entry], path: Path) -> None:
    errors = [error for entry in entries for error in entry.get("errors", ())]
    if not errors:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(error, ensure_ascii=False)}\n" for error in errors)


@contextmanager
def full_disk_told(out: Path) -> Iterator[None]:
    """Raises:
    RunError: inside, the disk was full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise RunError(
            f"no space is left for the results in {out} ({error.strerror or 'the disk is full'})",
            mend="free some space and run the same command again: what is done stays done",
        ) from error
