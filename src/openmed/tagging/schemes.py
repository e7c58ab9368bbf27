"""Tag schemes: what a sequence of tags says, in word positions, under IOB1, IOB2, IOBES (BIOES, BILOU) or
leniently.

The same tags mean different entities under different schemes, and scorers disagree about illegal ones, so the
scheme is always named, or detected by one stated rule (`detect_scheme`). Here an entity is `(start, end, type)` in
words.

    spans_from_tags(["B-Gene", "I-Gene", "O", "I-Gene"])                   # [(0, 2, 'Gene')]: the last tag is illegal
    spans_from_tags(["B-Gene", "I-Gene", "O", "I-Gene"], "iob2-lenient")   # [(0, 2, 'Gene'), (3, 4, 'Gene')]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from openmed.errors import ConfigError, DataError, nearest

WordSpan = tuple[int, int, str]
"""First word, one past the last word, entity type."""

DETECT = "detect"
"""Where a scheme is asked for: find it from the tags, by the rule of `detect_scheme`."""

SCHEMES = ("iob1", "iob2", "iob2-lenient", "iobes")
"""iob2 and iobes are strict: what breaks the scheme opens no entity (seqeval's `mode="strict"`).

iob1 and iob2-lenient open the same entities (those of conlleval and of seqeval's default: an I- that continues nothing
opens one), and no tag is illegal in them. They differ in what they claim: in iob1 such an I- is the rule, in
iob2-lenient it is forgiven. iobes is also read from BILOU's letters (L for E, U for S), even mixed.
"""

_ALIASES = {"bio": "iob2", "bioes": "iobes", "bilou": "iobes"}
_LETTERS = {"B": "B", "I": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
_MEND_BARE = (
    "Say which: train.py 'dataset.options={default_type: Disease}', openmed score --default-type Disease, from Python "
    'default_type="Disease"'
)
_TAG = re.compile(r"O|[BIESLU](?:-.+)?", re.DOTALL)


class Tag(NamedTuple):
    """A tag taken apart: `letter` is O, B, I, E or S (L and U are read as E and S); `type` is empty when bare or O."""

    letter: str
    type: str


def scheme_named(name: str) -> str:
    """The scheme's canonical name: any letter case, and "bio", "bioes", "bilou" as other names.

    Raises:
        ConfigError: an unknown name ("iob" too, since it may mean iob1 or iob2).
    """
    scheme = _ALIASES.get(name.lower(), name.lower())
    if scheme not in SCHEMES:
        raise ConfigError(f"unknown tag scheme {name!r}", mend=nearest(name.lower(), [*SCHEMES, *_ALIASES]))
    return scheme


def looks_like_tag(text: str) -> bool:
    """Whether it is a tag of some known scheme, typed or bare."""
    return _TAG.fullmatch(text) is not None


@lru_cache(maxsize=1 << 16)
def parse_tag(tag: str) -> Tag:
    """Takes a tag apart at its first hyphen, so that a type may hold hyphens ("B-Multi-tissue_structure").

    Raises:
        DataError: when it is no tag of any known scheme.
    """
    if not looks_like_tag(tag):
        raise DataError(
            f"tag {tag!r} is not understood",
            mend="Write O, B-type or I-type (in IOBES also E- and S-, in BILOU L- and U-), or bare O, B and I",
        )
    letter, _, type_ = tag.partition("-")
    return Tag(_LETTERS.get(letter, "O"), type_)


def spans_from_tags(tags: Sequence[str], scheme: str = "iob2", default_type: str | None = None) -> list[WordSpan]:
    """The entities, in order.

    Args:
        tags: one per word.
        scheme: one of `SCHEMES` or another name of it.
        default_type: the type of bare tags (`B`, `I`).

    Raises:
        ConfigError: an unknown scheme.
        DataError: a tag that is no tag, is of another scheme, or is bare without a `default_type`.
    """
    return parse_tags(tags, scheme, default_type)[0]


def parse_tags(
    tags: Sequence[str], scheme: str = "iob2", default_type: str | None = None
) -> tuple[list[WordSpan], int]:
    """As `spans_from_tags`, with the number of illegal tags: those that are not O and yet belong to no entity."""
    scheme = scheme if scheme in SCHEMES else scheme_named(scheme)
    lenient = scheme in ("iob1", "iob2-lenient")
    closing = scheme == "iobes"
    spans: list[WordSpan] = []
    num_tagged = 0
    start, open_type = -1, ""  # start -1: no entity is open
    for position, tag in enumerate(chain(tags, ("O",))):
        if tag == "O" and start < 0:
            continue
        letter, type_ = _typed(tag, scheme, default_type)
        num_tagged += letter != "O"
        if start < 0 or letter not in "IE" or type_ != open_type:
            if start >= 0 and not closing:
                spans.append((start, position, open_type))
            opens = letter in "BS" or (lenient and letter == "I")
            start, open_type = (position, type_) if opens else (-1, "")
        if start >= 0 and letter in "ES":
            spans.append((start, position + 1, open_type))
            start = -1
    return spans, num_tagged - sum(end - start for start, end, _ in spans)


def tags_from_spans(spans: Iterable[WordSpan], num_words: int) -> list[str]:
    """IOB2 tags of entities given in words.

    Raises:
        ValueError: a span outside the words, or two that overlap (see `openmed.tagging.flatten`).
    """
    tags = ["O"] * num_words
    for start, end, type_ in spans:
        if not 0 <= start < end <= num_words:
            raise ValueError(f"span {start}..{end} ({type_}) is not within {num_words} words")
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"span {start}..{end} ({type_}) overlaps another")
        tags[start:end] = [f"B-{type_}"] + [f"I-{type_}"] * (end - start - 1)
    return tags


def count_transitions(sequences: Iterable[Sequence[str]]) -> Counter[tuple[str | None, str]]:
    """How often each tag follows each other (None: starts its sequence). All that `detect_scheme` needs, and small."""
    transitions: Counter[tuple[str | None, str]] = Counter()
    for tags in sequences:
        transitions.update(zip((None, *tags), tags, strict=False))
    return transitions


def detect_scheme(transitions: Mapping[tuple[str | None, str], int]) -> str:
    """The scheme a whole file is written in, from its `count_transitions`. The rule, first match first:

    1. any E-, S-, L- or U- : iobes;
    2. some I-X continues nothing (no B-X or I-X before it), and every B-X there is directly follows a B-X or I-X,
       which is the only place IOB1 has for it (files with no B- at all included): iob1;
    3. else iob2. An I-X that continues nothing is then illegal: it opens no entity, and the reader counts it.

    One sentence is weak evidence: count the whole file. Predicted tags are no evidence of a scheme at all: tell it.

    Raises:
        DataError: a tag of no known scheme.
    """
    pairs = [(parse_tag(before or "O"), parse_tag(tag)) for before, tag in transitions]
    if any(tag.letter in "ES" for _, tag in pairs):
        return "iobes"
    opening = {tag.letter for before, tag in pairs if before.letter == "O" or before.type != tag.type}
    return "iob1" if "I" in opening and "B" not in opening else "iob2"


def _typed(tag: str, scheme: str, default_type: str | None) -> Tag:
    parsed = parse_tag(tag)
    if parsed.letter in "ES" and scheme != "iobes":
        raise DataError(f"tag {tag!r} is not in scheme {scheme}", mend="Say scheme=iobes, or let it be detected")
    if parsed.type or parsed.letter == "O":
        return parsed
    if not default_type:
        raise DataError(f"tag {tag!r} has no type", mend=_MEND_BARE)
    return Tag(parsed.letter, default_type)
