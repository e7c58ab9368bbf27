"""The lines of a BRAT annotation file, read as mentions whose places in the text are still to be checked.

    T1<tab>Disease 0 5;11 16<tab>colon tumor           a mention, here of two fragments
    N1<tab>Reference T1 MESH:D003110<tab>colon tumor   the concept it is normalised to

All other lines (relations, events, attributes, notes) are counted by kind and passed over.

    for mention in read_mentions("1.ann", losses): ...
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from os import PathLike

from openmed.errors import DataError
from openmed.readers.lines import numbered_lines
from openmed.readers.losses import RELATION
from openmed.spans import Range, Span

ATTRIBUTE = "attribute_line"
"""Loss: a line that says more of an annotation (negated, speculated); passed over."""
NOTE = "note_line"
"""Loss: an annotator's note; passed over."""
IDENTIFIER_OF_NO_MENTION = "identifier_of_no_mention"
"""Loss: a normalisation of what is no mention of the file, such as an event."""

_OTHERS = {"R": RELATION, "E": RELATION, "*": RELATION, "A": ATTRIBUTE, "M": ATTRIBUTE, "#": NOTE}
_LINE = re.compile(r"([TNREAM])\d\S*\t|([*#])\S*\t")
_MENTION = re.compile(r"(\S+) ([0-9]{1,15} [0-9]{1,15}(?:;[0-9]{1,15} [0-9]{1,15})*)")
_MEND = (
    "a mention is 'T1<tab>Disease 0 12<tab>colon cancer' (two fragments: '0 5;11 16'), a normalisation "
    "'N1<tab>Reference T1 MESH:D003110<tab>colon cancer'"
)


@dataclass(slots=True)
class Mention:
    """A T line.

    Args:
        id: "T1".
        label: the type.
        pieces: its character ranges in the order of the file.
        words: the text given for it.
        number: of the line, from 1.
        line: as it stands in the file.
        identifiers: of the N lines that name it.
    """

    id: str
    label: str
    pieces: tuple[Range, ...]
    words: str
    number: int
    line: str
    identifiers: list[str] = field(default_factory=list)

    @property
    def end(self) -> int:
        return max(end for _, end in self.pieces)

    @property
    def fragments(self) -> list[Range]:
        """The pieces in the order of the text, those that touch made one."""
        merged: list[Range] = []
        for start, end in sorted(self.pieces):
            if merged and merged[-1][1] == start:
                start = merged.pop()[0]
            merged.append((start, end))
        return merged

    def differs(self, text: str) -> bool:
        """Whether the words given are not those at the offsets; BRAT writes line ends and tabs as spaces."""
        said = _one_line(self.words)
        return all(
            said != _one_line(" ".join(text[start:end] for start, end in pieces))
            for pieces in (self.pieces, self.fragments)
        )

    def span(self) -> Span:
        fragments = self.fragments
        return Span(
            fragments[0][0],
            fragments[-1][1],
            self.label,
            fragments=tuple(fragments) if len(fragments) > 1 else (),
            identifier="|".join(self.identifiers) or None,
        )


def read_mentions(path: str | PathLike[str], losses: Counter[str]) -> list[Mention]:
    """The mentions of one annotation file, in its order.

    Raises:
        DataError: a line of another form, an empty range, fragments that overlap, an id given twice.
    """
    mentions: dict[str, Mention] = {}
    normalisations: list[tuple[str, str]] = []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        try:
            kind = _kind(line)
            if kind == "T":
                mention = _mention(line, number)
                if mention.id in mentions:
                    raise ValueError(f"the id {mention.id} was given on line {mentions[mention.id].number} already")
                mentions[mention.id] = mention
            elif kind == "N":
                normalisations.append(_normalisation(line))
            else:
                losses[_OTHERS[kind]] += 1
        except ValueError as error:
            raise DataError(str(error), path=path, line=number, text=line, mend=_MEND) from error
    for target, identifier in normalisations:
        if target in mentions:
            mentions[target].identifiers.append(identifier)
        else:
            losses[IDENTIFIER_OF_NO_MENTION] += 1
    return list(mentions.values())


def _kind(line: str) -> str:
    match = _LINE.match(line)
    if not match:
        raise ValueError("not a line of BRAT")
    return match[1] or match[2]


def _mention(line: str, number: int) -> Mention:
    fields = line.split("\t", 2)
    match = _MENTION.fullmatch(fields[1])
    if len(fields) < 3 or not match:
        raise ValueError("not a mention")
    offsets = [piece.split(" ") for piece in match[2].split(";")]
    mention = Mention(
        fields[0], match[1], tuple((int(start), int(end)) for start, end in offsets), fields[2], number, line
    )
    previous_end = 0
    for start, end in sorted(mention.pieces):
        if start >= end:
            raise ValueError(f"the range {start}..{end} holds no character")
        if start < previous_end:
            raise ValueError(f"the fragment {start}..{end} overlaps the one before, which ends at {previous_end}")
        previous_end = end
    return mention


def _normalisation(line: str) -> tuple[str, str]:
    """What is normalised, and the concept's identifier."""
    reference = line.split("\t", 2)[1].split(" ", 2)
    if len(reference) < 3 or reference[0] != "Reference" or not reference[2].strip():
        raise ValueError("not a normalisation")
    return reference[1], reference[2]


def _one_line(words: str) -> str:
    return re.sub(r"\s", " ", words)
