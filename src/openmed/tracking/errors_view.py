"""A tagger's errors as rows a person can read, and documents marked up with their entities (HTML or terminal).

Every gold mention that was not found exactly and every predicted one that is not gold stands in exactly one row, so
the rows but the spurious are the misses, and the rows but the missed the false alarms.

    rows = error_rows(gold_document, predicted_document)
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openmed.metrics.mistakes import Kind, mention_of, wrong_pairs
from openmed.spans import Document, Span
from openmed.writers.markup import label_colour, segments

if TYPE_CHECKING:
    from rich.text import Text


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One error in its context.

    Args:
        document_id: the document it stands in.
        kind: missed has no `predicted`, spurious no `gold`; the others have both.
        text: the window of the document around the error.
        offset: where the window starts in the document; the spans count the document's characters.
        gold: the mention as annotated.
        predicted: the mention as tagged.
    """

    document_id: str
    kind: Kind
    text: str
    offset: int
    gold: Span | None
    predicted: Span | None

    def mention(self, span: Span | None) -> str:
        """The text of `gold` or `predicted`; empty for None."""
        return "" if span is None else self.text[span.start - self.offset : span.end - self.offset]

    def html(self) -> str:
        """The window with the gold mention underlined and the predicted one shaded; everything escaped."""
        marks = [
            *_marks(self.gold, self.offset, style="gold", badge="gold: "),
            *_marks(self.predicted, self.offset, style="predicted", badge="predicted: "),
        ]
        return _wrap_html(self.text, marks, _ERROR_STYLES.__getitem__)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A contiguous piece to paint. `badge` is written after it, empty for all but a mention's last fragment."""

    start: int
    end: int
    style: str
    badge: str


_BADGE = '<sub style="font-size:70%;opacity:.75"> {}</sub>'

# A shade brings its own dark text, so that it can be read on a dark page too.
_SHADE = "color:#111;background:"
_ERROR_STYLES = {
    "gold": "border-bottom:3px solid #2e9e4f",
    "predicted": _SHADE + "#ffd9b8",
}


def error_rows(gold: Document, predicted: Document, *, context: int = 60) -> list[ErrorRow]:
    """The differences between two taggings of one text, in order of position, paired as by `wrong_pairs`.

    Args:
        gold: the document with annotated mentions.
        predicted: the same text with tagged mentions.
        context: characters shown on either side.

    Raises:
        ValueError: when the texts differ.
    """
    if gold.text != predicted.text:
        raise ValueError(f"documents {gold.id!r} and {predicted.id!r} have different texts")
    wanted, found = ({mention_of(span): span for span in document.spans} for document in (gold, predicted))
    rows = [
        _row(gold, kind, None if one is None else wanted[one], None if other is None else found[other], context)
        for kind, one, other in wrong_pairs(wanted.keys(), found.keys())
    ]
    return sorted(rows, key=lambda row: _extent(row.gold, row.predicted))


def render_html(document: Document) -> str:
    """The document as one HTML element with shaded, labelled entities; nested and split ones included, all escaped."""
    marks = [mark for span in document.spans for mark in _marks(span, 0, style=span.label)]
    return _wrap_html(document.text, marks, lambda label: f"{_SHADE}{label_colour(label)};border-radius:3px")


def render_rich(document: Document) -> Text:
    """The document for `rich.print`: shaded entities, each followed by its label.

    A `Text`, not a string of console mark-up, since that has no sound way to escape backslashes and `:emoji:` codes.
    Control characters are shown as symbols, so that a text cannot steer the terminal.
    """
    from rich.text import Text

    marked = Text()
    marks = [mark for span in document.spans for mark in _marks(span, 0, style=span.label)]
    for start, end, covering in segments(len(document.text), marks):
        style = f"black on {label_colour(_innermost(covering).style)}" if covering else None
        marked.append(_visible(document.text[start:end]), style)
        for mark in _ending(covering, end):
            marked.append(f" {_visible(mark.badge)}", f"bold black on {label_colour(mark.style)}")
    return marked


def _row(document: Document, kind: Kind, gold: Span | None, predicted: Span | None, context: int) -> ErrorRow:
    start, end = _extent(gold, predicted)
    start, end = max(0, start - context), min(len(document.text), end + context)
    return ErrorRow(document.id, kind, document.text[start:end], start, gold, predicted)


def _extent(*spans: Span | None) -> tuple[int, int]:
    present = [span for span in spans if span is not None]
    return min(span.start for span in present), max(span.end for span in present)


def _marks(span: Span | None, offset: int, *, style: str, badge: str = "") -> list[_Mark]:
    if span is None:
        return []
    pieces = span.fragments or ((span.start, span.end),)
    return [
        _Mark(start - offset, end - offset, style, f"{badge}{span.label}" if end == span.end else "")
        for start, end in pieces
    ]


def _innermost(marks: Sequence[_Mark]) -> _Mark:
    return min(marks, key=lambda mark: mark.end - mark.start)


def _ending(marks: Sequence[_Mark], end: int) -> list[_Mark]:
    return [mark for mark in marks if mark.end == end and mark.badge]


def _wrap_html(text: str, marks: Sequence[_Mark], style_of: Callable[[str], str]) -> str:
    parts = []
    for start, end, covering in segments(len(text), marks):
        piece = html.escape(text[start:end])
        if covering:
            styles = dict.fromkeys(style_of(mark.style) for mark in sorted(covering, key=lambda m: m.start - m.end))
            piece = f'<span style="{";".join(styles)}">{piece}</span>'
        parts.append(piece + "".join(_BADGE.format(html.escape(mark.badge)) for mark in _ending(covering, end)))
    return f'<div style="font-family:sans-serif;line-height:1.7;white-space:pre-wrap">{"".join(parts)}</div>'


def _visible(text: str) -> str:
    """Control characters other than newline and tab as their pictures (U+2400...), C1 and DEL as U+FFFD."""
    pictures = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
    return text.translate(pictures | dict.fromkeys(range(0x7F, 0xA0), 0xFFFD))
