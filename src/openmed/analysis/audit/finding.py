"""What an audit finds: a verdict in plain words, the numbers behind it, some examples, and how much it matters.

Finding("repeats", "Repeated sentences", Weight.NOTE, "24 sentences of train repeat another.", counts={"train": 24})
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

from openmed.analysis.report.blocks import Cell, Prose, Section, Table
from openmed.spans import Document

Splits = Mapping[str, Sequence[Document]]
"""Split name -> its documents, in the order train, dev, test; splits that are not at hand are absent."""

QUOTED_WORDS = 12
"""No longer piece of a corpus's text is quoted: licences differ."""
QUOTED_LETTERS = 90
KEPT_EXAMPLES = 20


class Weight(IntEnum):
    """What a finding touches; findings are told in this order, the highest first."""

    NOTHING = 0
    """Looked for and not found."""
    NOTE = 1
    """Good to know; costs little or nothing here."""
    TRAINING = 2
    """Teaches the tagger contradictions, or keeps gold from it."""
    SCORES = 3
    """Changes what the scores mean."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: for machines.
        title: for people.
        weight: how much it matters.
        verdict: what was found and what follows from it, in a few plain sentences.
        counts: the numbers, as JSON can hold them.
        tables: what is shown whole.
        examples: what is shown in part.
    """

    name: str
    title: str
    weight: Weight
    verdict: str
    counts: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[Table] = ()
    examples: Sequence[Table] = ()

    def as_dict(self) -> dict[str, Any]:
        examples = {
            table.title: [dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in self.examples
        }
        return {
            "name": self.name,
            "title": self.title,
            "weight": self.weight.name.lower(),
            "verdict": self.verdict,
            "counts": dict(self.counts),
            "examples": examples,
        }

    @property
    def sentence(self) -> str:
        """The verdict with what it is about."""
        return f"{self.title}: {self.verdict}"

    def section(self, max_examples: int) -> Section:
        """The finding for people, with at most so many rows of each table of examples."""
        shown = [replace(table, rows=table.rows[:max_examples]) for table in self.examples if table.rows]
        return Section(self.title, [Prose(self.verdict), *self.tables, *shown])


def by_split(counts: Mapping[str, Mapping[str, int]], words: Mapping[str, str], title: str = "") -> Table:
    """A row per kind that was found anywhere, a column per split. `counts`: split -> kind -> number."""
    kinds = [kind for kind in words if any(part.get(kind) for part in counts.values())]
    rows: list[list[Cell]] = [[words[kind], *(part.get(kind, 0) for part in counts.values())] for kind in kinds]
    return Table(["", *counts], rows, title)


def number(count: int, noun: str, plural: str = "") -> str:
    """`1 sentence`, `1,234 sentences`."""
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def percent(part: int, whole: int) -> str:
    """`2.9 %`; `0 %` of nothing."""
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f} %" if share >= 10 or not part else f"{share:.1f} %" if share >= 0.1 else "under 0.1 %"


def quote(text: str) -> str:
    """The beginning of a text, short enough to quote."""
    words = text.split()
    kept = words[:QUOTED_WORDS]
    while len(kept) > 1 and len(" ".join(kept)) > QUOTED_LETTERS:
        kept.pop()
    shown = " ".join(kept)[:QUOTED_LETTERS]
    return shown if shown == " ".join(words) else f"{shown} …"


def joined(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *head, last = parts
    return f"{', '.join(head)} and {last}" if head else last
