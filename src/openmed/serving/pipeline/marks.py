"""Which tasks are done, and what they have counted: the files that datatrove's executors leave in their log folder.

marks = Marks(out / ".openmed/logs", num_tasks=32)
marks.done(), marks.summary().documents
marks.forget(3)     # it will be done again
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from openmed.serving.pipeline.names import DOCUMENTS, DROPPED, ENTITIES, FAILED, LOST


@dataclass(frozen=True)
class PipelineSummary:
    """What the tasks that are done have come to.

    Attributes:
        tasks, tasks_done: how many there are, and how many are done.
        documents, entities: tagged and kept.
        failed: lines of the files in `errors/`.
        dropped: entities left out by the selection, by reason.
        losses: what reading and tokenising could not keep, by kind.
    """

    tasks: int
    tasks_done: int
    documents: int
    entities: int
    failed: int
    dropped: dict[str, int]
    losses: dict[str, int]


@dataclass(frozen=True)
class Marks:
    """See the module."""

    folder: Path
    num_tasks: int

    def done(self) -> set[int]:
        return {rank for rank in range(self.num_tasks) if self._mark(rank).exists()}

    def forget(self, rank: int) -> None:
        self._mark(rank).unlink(missing_ok=True)

    def summary(self) -> PipelineSummary:
        """Of the tasks done so far, whoever runs them."""
        done = self.done()
        counts: Counter[str] = Counter()
        for rank in done:
            for step in json.loads((self.folder / "stats" / f"{rank:05d}.json").read_text(encoding="utf-8")):
                for what, counted in step["stats"].items():
                    counts[what] += int(counted["total"] if isinstance(counted, dict) else counted)

        def begin_with(prefix: str) -> dict[str, int]:
            return {what.removeprefix(prefix): counts[what] for what in sorted(counts) if what.startswith(prefix)}

        return PipelineSummary(
            tasks=self.num_tasks,
            tasks_done=len(done),
            documents=counts[DOCUMENTS],
            entities=counts[ENTITIES],
            failed=counts[FAILED],
            dropped=begin_with(DROPPED),
            losses=begin_with(LOST),
        )

    def _mark(self, rank: int) -> Path:
        return self.folder / "completions" / f"{rank:05d}"
