"""Which IOB2 tag may follow which: the constraint under which Viterbi cannot produce an illegal sequence.

Also what tells a sequence of tags from a mere list of them: whatever passes here decodes without an illegal tag.

    tags, may_start, may_follow = legal_transitions(["Disease"])   # tags: ['O', 'B-Disease', 'I-Disease']
    may_follow[tags.index("O")][tags.index("I-Disease")]           # False
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from openmed.tagging.schemes import parse_tag


class Transitions(NamedTuple):
    """The tags in their order, which of them may start a sequence, and `may_follow[before][tag]`."""

    tags: list[str]
    may_start: list[bool]
    may_follow: list[list[bool]]


def tag_names(types: Iterable[str]) -> list[str]:
    """["O", "B-x", "I-x", "B-y", "I-y", ...], types in the order given."""
    return ["O", *(f"{letter}-{type_}" for type_ in types for letter in "BI")]


def is_legal(before: str | None, tag: str) -> bool:
    """Whether IOB2 allows `tag` after `before` (None: at the start). Only an I- needs anything: its own type before it.

    Raises:
        DataError: when either is no tag.
    """
    letter, type_ = parse_tag(tag)
    if letter != "I":
        return True
    letter_before, type_before = parse_tag(before or "O")
    return letter_before in "BI" and type_before == type_


def legal_transitions(types: Iterable[str]) -> Transitions:
    """The whole table for these types, rows and columns in the order of `tag_names`."""
    tags = tag_names(types)
    return Transitions(
        tags=tags,
        may_start=[is_legal(None, tag) for tag in tags],
        may_follow=[[is_legal(before, tag) for tag in tags] for before in tags],
    )
