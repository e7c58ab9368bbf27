"""The same words tagged here and not there, or with one type here and another there.

Word forms are compared as they are written (case counts), word by word, over all splits at once: every place where the
text of some mention stands is either that mention, part of another one, or untagged.

    finding_untagged, finding_types = mention_conflicts(splits)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, number, percent, quote
from openmed.analysis.leakage.passages import SPLITTER
from openmed.analysis.report.blocks import Cell, Table
from openmed.encoding.words import words_of
from openmed.spans import Document, Range, Span
from openmed.tagging import words_of_span

MIN_LETTERS = 2
"""Shorter forms are letters, digits and signs: they stand for too much."""


@dataclass
class Form:
    """A text that is a mention somewhere.

    Attributes:
        text: as written, its words joined by single spaces.
        tagged: type -> how often it is a mention.
        untagged: how often it stands outside any mention.
        inside: how often it stands in, or across the edge of, another mention.
    """

    text: str
    tagged: Counter[str] = field(default_factory=Counter)
    untagged: int = 0
    inside: int = 0

    @property
    def total(self) -> int:
        return sum(self.tagged.values())

    @property
    def in_doubt(self) -> int:
        """The lesser of tagged and untagged: so many places would have to change for all to agree, at most."""
        return min(self.total, self.untagged)

    @property
    def other_types(self) -> int:
        """Mentions that bear another type than most."""
        return self.total - max(self.tagged.values())


class _Words(NamedTuple):
    ranges: Sequence[Range]
    texts: Sequence[str]
    spans: Sequence[Span]


_Node = dict[Any, Any]
"""A tree of words: word -> the node of what may follow it; None -> the form that ends here."""


def forms_of(splits: Splits) -> list[Form]:
    """Every mention text of two or more characters that is made of whole words, with the places where it stands."""
    texts = [_words(document) for documents in splits.values() for document in documents]
    forms: dict[tuple[str, ...], Form] = {}
    for words in texts:
        for first, end, span in _whole(words):
            key = tuple(words.texts[first:end])
            if len("".join(key)) >= MIN_LETTERS:
                forms.setdefault(key, Form(" ".join(key))).tagged[span.label] += 1
    tree = _tree(forms)
    for words in texts:
        _count_others(words, tree)
    return list(forms.values())


def mention_conflicts(splits: Splits) -> list[Finding]:
    """Two findings: forms that are tagged here and not there, and forms of several types."""
    forms = forms_of(splits)
    mentions = sum(form.total for form in forms)
    return [_untagged(forms, mentions), _types(forms, mentions)]


def _words(document: Document) -> _Words:
    ranges = words_of(document, SPLITTER)
    return _Words(ranges, [document.text[start:end] for start, end in ranges], document.spans)


def _whole(words: _Words) -> Iterator[tuple[int, int, Span]]:
    """The mentions made of whole words: first word, one past the last, the mention."""
    for span in words.spans:
        cover = None if span.discontinuous else words_of_span(span, words.ranges)
        if cover is not None and cover.exact:
            yield cover.start, cover.end, span


def _tree(forms: dict[tuple[str, ...], Form]) -> _Node:
    root: _Node = {}
    for key, form in forms.items():
        node = root
        for word in key:
            node = node.setdefault(word, {})
        node[None] = form
    return root


def _count_others(words: _Words, tree: _Node) -> None:
    """Count the places where a form stands and is no mention. One walk down the tree from each word."""
    mentions = {(first, end) for first, end, _ in _whole(words)}
    covered = _covered(words)
    for first in range(len(words.texts)):
        node: _Node | None = tree
        for end in range(first, len(words.texts)):
            node = node.get(words.texts[end])
            if node is None:
                break
            form = node.get(None)
            if form is None or (first, end + 1) in mentions:
                continue
            if any(covered[first : end + 1]):
                form.inside += 1
            else:
                form.untagged += 1


def _covered(words: _Words) -> bytearray:
    """For each word whether a mention touches it."""
    covered = bytearray(len(words.ranges))
    for span in words.spans:
        if cover := words_of_span(span, words.ranges):
            covered[cover.start : cover.end] = b"\1" * (cover.end - cover.start)
    return covered


def _untagged(forms: Sequence[Form], mentions: int) -> Finding:
    found = sorted((form for form in forms if form.in_doubt), key=lambda form: (-form.in_doubt, form.text))
    in_doubt = sum(form.in_doubt for form in found)
    if found:
        verdict = (
            f"{number(len(found), 'mention text')} of {len(forms):,} {'stands' if len(found) == 1 else 'stand'} tagged "
            f"in one place and untagged in another. At most {number(in_doubt, 'place')} would have to change for all "
            f"to agree ({percent(in_doubt, mentions)} of {mentions:,} mentions). Some differ for good reason, such as "
            "a word with two meanings; the others cap the score that any tagger can reach."
        )
    else:
        verdict = "No mention text stands untagged anywhere."
    rows: list[list[Cell]] = [
        [quote(form.text), _most(form), form.total, form.untagged, form.inside] for form in found[:KEPT_EXAMPLES]
    ]
    columns = ("text", "type", "tagged", "untagged", "in another mention")
    return Finding(
        name="untagged_mentions",
        title="The same text tagged here and not there",
        weight=Weight.TRAINING if found else Weight.NOTHING,
        verdict=verdict,
        counts={"texts": len(forms), "mentions": mentions, "conflicting_texts": len(found), "in_doubt": in_doubt},
        examples=[Table(columns, rows, "Most in doubt")] if rows else [],
    )


def _types(forms: Sequence[Form], mentions: int) -> Finding:
    found = sorted((form for form in forms if form.other_types), key=lambda form: (-form.other_types, form.text))
    others = sum(form.other_types for form in found)
    if found:
        verdict = (
            f"{number(len(found), 'mention text')} of {len(forms):,} {'bears' if len(found) == 1 else 'bear'} more "
            f"than one type; {number(others, 'mention')} of {mentions:,} ({percent(others, mentions)}) "
            f"{'has' if others == 1 else 'have'} another type than most of their text. Context may tell them apart."
        )
    else:
        verdict = "No mention text bears more than one type."
    rows: list[list[Cell]] = [
        [quote(form.text), ", ".join(f"{label} {count}" for label, count in _by_count(form)), form.other_types]
        for form in found[:KEPT_EXAMPLES]
    ]
    return Finding(
        name="mention_types",
        title="The same text with several types",
        weight=Weight.TRAINING if found else Weight.NOTHING,
        verdict=verdict,
        counts={"texts": len(forms), "mentions": mentions, "conflicting_texts": len(found), "other_types": others},
        examples=[Table(("text", "types", "other than most"), rows, "Most divided")] if rows else [],
    )


def _by_count(form: Form) -> list[tuple[str, int]]:
    return sorted(form.tagged.items(), key=lambda pair: (-pair[1], pair[0]))


def _most(form: Form) -> str:
    return _by_count(form)[0][0]
