"""One input on its way through a job: its documents tagged so far, and what failed.

work = Work(source, target, Parts(folder))
work.fail(error)
work.untagged(document, "cannot be tagged (...)")
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from openmed.errors import DataError, OpenMedError
from openmed.serving.job.journal import Entry
from openmed.serving.job.parts import Parts
from openmed.spans import Document


@dataclass
class Work:
    """One file on its way; an earlier run has read `num_before` of its documents."""

    source: Path
    target: Path
    parts: Parts
    errors: list[Entry] = field(default_factory=list)
    losses: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.num_before = self.parts.num_read
        for id, why in self.parts.failed:
            self._untagged(id, why)

    def fail(self, error: OpenMedError, document: str | None = None) -> None:
        line = error.line if isinstance(error, DataError) else None
        self.errors.append({"file": str(self.source), "document": document, "line": line, "error": str(error)})

    def untagged(self, document: Document, why: str) -> None:
        """The tagger stumbles on it. No later run needs to try it again."""
        self.parts.fail(document.id, why)
        self._untagged(document.id, why)

    def _untagged(self, id: str, why: str) -> None:
        self.fail(DataError(why, path=self.source, mend="change its text, or take it out of the file"), id)

    def leave_out(self, document: Document, error: DataError) -> None:
        """The format cannot hold it. What the error names as its file is a scratch one, gone by now."""
        self.parts.leave_out(document)
        mend = "choose another --to (jsonl holds every character), or take it out of the text"
        self.fail(DataError(error.problem, path=self.source, text=error.text, mend=mend), document.id)
