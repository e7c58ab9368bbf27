"""What kind each mistake of a tagger is: one of five, and each mention stands in one pair only.

    wrong_pairs({(0, 7, "Disease")}, {(0, 9, "Disease")})     # [(Kind.BOUNDARY, (0, 7, ...), (0, 9, ...))]

The kinds are nervaluate's (after SemEval-2013 task 9). So correct + type + boundary + type and boundary + missed is the
number of gold mentions, and with spurious in place of missed that of predicted ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from enum import StrEnum
from typing import Any

from openmed.spans import Span

Mention = tuple[Any, ...]
"""Start, end (exclusive), type, and of a mention in pieces these too: what makes two mentions the same."""


class Kind(StrEnum):
    """How a gold and a predicted mention stand to each other; a missed one has no predicted, a spurious no gold."""

    CORRECT = "correct"
    TYPE = "type"
    """The same bounds, another type."""
    BOUNDARY = "boundary"
    """The same type, bounds that overlap (or the same bounds, and other pieces between them)."""
    BOTH = "type and boundary"
    """Another type, bounds that overlap."""
    MISSED = "missed"
    SPURIOUS = "spurious"


MISTAKES = (Kind.TYPE, Kind.BOUNDARY, Kind.BOTH, Kind.MISSED, Kind.SPURIOUS)
PAIRED = (Kind.TYPE, Kind.BOUNDARY, Kind.BOTH)
"""Mistakes with a mention on either side, in the order in which they are looked for."""

Pair = tuple[Kind, Mention | None, Mention | None]


def mention_of(span: Span) -> Mention:
    """A span's."""
    return (span.start, span.end, span.label, *span.fragments)


def read_mention(item: Mapping[str, Any]) -> Mention:
    """That of an entry of a run's `predictions/<split>.jsonl`.

    Raises:
        KeyError: it has no start, end or label.
    """
    bounds = item["start"], item["end"], item["label"]
    return (*bounds, *map(tuple, item["fragments"])) if "fragments" in item else bounds


def wrong_pairs(gold: Set[Mention], found: Set[Mention]) -> list[Pair]:
    """All that is in one of two taggings of a text alone, in pairs (kind, gold, predicted) and each in one pair.

    Where a mention could be paired with several: first with one of the same bounds, then with one of the same type,
    then with any that it overlaps; among those with the longest overlap.
    """
    left, spare = gold - found, found - gold
    pairs: list[Pair] = []
    if left and spare:
        for _, _, one, other in sorted(_candidates(left, spare)):
            if one in left and other in spare:
                left, spare = left - {one}, spare - {other}
                pairs.append((_kind(one, other), one, other))
    pairs += [(Kind.MISSED, mention, None) for mention in sorted(left)]
    return pairs + [(Kind.SPURIOUS, None, mention) for mention in sorted(spare)]


def _candidates(left: Set[Mention], spare: Set[Mention]) -> list[tuple[int, int, Mention, Mention]]:
    """(place of the kind, overlap less than zero, gold, predicted) of all that overlap: the best sorts first."""
    return [
        (PAIRED.index(_kind(one, other)), -overlap, one, other)
        for one in left
        for other in spare
        if (overlap := min(one[1], other[1]) - max(one[0], other[0])) > 0
    ]


def _kind(one: Mention, other: Mention) -> Kind:
    if one[2] == other[2]:
        return Kind.BOUNDARY
    return Kind.TYPE if one[:2] == other[:2] else Kind.BOTH
