"""One annotation of BioC: where it is, whether its text agrees with the document's, what its infons tell.

mention = Mention(annotation, "ocular toxicity", [(0, 6), (20, 8)])
mention.ranges(layout)  # [(0, 6), (20, 28)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openmed.readers.bioc_entry import Entry, Place
from openmed.readers.bioc_layout import Layout
from openmed.spans import Range

VOCABULARIES = ("MESH", "OMIM", "NCBI Gene", "NCBI Taxonomy")
"""Infons of PubTator's files that hold identifiers without saying of which vocabulary."""
_NO_CONCEPT = ("", "-", "-1")


class Mention(NamedTuple):
    """An annotation with a place: its text where given, and its locations (offset, length) in the file's units."""

    entry: Entry
    text: str | None
    locations: list[tuple[int, int]]

    def ranges(self, layout: Layout) -> list[Range] | None:
        """The characters of each location, None when one is outside the text."""
        found = [layout.find(offset, length) for offset, length in self.locations]
        ranges = [range_ for range_ in found if range_]
        return ranges if len(ranges) == len(found) else None

    def agrees(self, layout: Layout) -> bool:
        """Whether the mention's text is what stands at its locations: joined by a space, by nothing, or with gaps."""
        ranges = self.ranges(layout)
        if ranges is None or self.text is None:
            return ranges is not None
        parts = [layout.text[start:end] for start, end in ranges]
        whole = layout.text[min(ranges)[0] : max(end for _, end in ranges)]
        return self.text in (" ".join(parts), "".join(parts), whole)


def merge(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """Sorted, those that touch or overlap made one."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def is_part(annotation: Entry, place: Place) -> bool:
    """BC5CDR marks "ocular and auditory toxicity" as a composite mention, "ocular ... toxicity" as a part of it."""
    return place.infons(annotation).get("CompositeRole") == "IndividualMention"


def identifier(infons: Entry) -> str | None:
    """The infon `identifier` (however its capitals) as it is, else the first of a vocabulary, with its name.

    MESH "D014786|D006311" is "MESH:D014786|MESH:D006311"; what stands for "none" ("-1", "-") is None.
    """
    for key, value in infons.items():
        if key.lower() == "identifier":
            return None if value is None or str(value) in _NO_CONCEPT else str(value)
    for name in VOCABULARIES:
        value = infons.get(name)
        if value is not None and str(value) not in _NO_CONCEPT:
            return "|".join(part if part in _NO_CONCEPT else f"{name}:{part}" for part in str(value).split("|"))
    return None


def score(value: object) -> float | None:
    """A confidence, None for what is not a number from 0 to 1."""
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None
