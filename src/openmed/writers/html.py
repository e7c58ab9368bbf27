"""One HTML page to look at: each document's text with its entities shaded and labelled, overlapping ones too.

    write_html(documents, "tagged.html")

The page needs nothing else and runs nothing: no scripts, and a policy that forbids them. All text is escaped. Every
entity's label carries its offsets, score and model as attributes (`data-start` and so on), so that none is lost.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from os import PathLike

from openmed.spans import Document, Span
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import (
    GROUPS_NOT_WRITTEN,
    IDENTIFIERS_NOT_WRITTEN,
    SENTENCES_NOT_WRITTEN,
    WORDS_NOT_WRITTEN,
    count_not_written,
)
from openmed.writers.markup import label_colour, segments

SHOWN_AS_PICTURE = "character_shown_as_picture"
"""Loss, in characters: a control character or half a surrogate pair, which HTML cannot hold: a symbol stands there."""

_NOT_WRITTEN = (GROUPS_NOT_WRITTEN, WORDS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN, IDENTIFIERS_NOT_WRITTEN)
_UNHELD = re.compile("[\0-\b\v\f\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_HEAD = """<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>openmed</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #111; background: #fff }
p { line-height: 1.8; white-space: pre-wrap; overflow-wrap: anywhere }
h2 { font-size: 1em; margin-top: 2em; border-top: 1px solid #ccc; padding-top: 1em }
mark { color: #111; border-radius: 3px; padding: .1em 0 }
sub { font-size: 70%; opacity: .75; unicode-bidi: isolate }
</style></head><body>
"""
_TAIL = "</body></html>\n"


@dataclass(frozen=True)
class _Mark:
    """One piece of a mention to shade; `ends` where it is the last."""

    start: int
    end: int
    span: Span
    ends: bool


def write_html(documents: Iterable[Document], path: str | PathLike[str], *, losses: Counter[str] | None = None) -> int:
    """Write the page; returns how many documents. The file appears only when whole.

    Args:
        losses: counts `SHOWN_AS_PICTURE`, and groups, words, sentences and identifiers, which are not shown.
    """
    losses = Counter() if losses is None else losses
    number = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(_HEAD)
        for document in documents:
            file.write(_article(document))
            count_not_written(document, losses, *_NOT_WRITTEN)
            if num_pictures := len(_UNHELD.findall(document.text)):
                losses[SHOWN_AS_PICTURE] += num_pictures
            number += 1
        file.write(_TAIL)
    return number


def _article(document: Document) -> str:
    marks = [
        _Mark(start, end, span, end == span.end)
        for span in document.spans
        for start, end in span.fragments or ((span.start, span.end),)
    ]
    parts = []
    for start, end, covering in segments(len(document.text), marks):
        piece = _escape(document.text[start:end])
        if covering:
            innermost = min(covering, key=lambda mark: mark.end - mark.start)
            piece = f'<mark style="background:{label_colour(innermost.span.label)}">{piece}</mark>'
        parts.append(piece + "".join(_label(mark.span) for mark in covering if mark.end == end and mark.ends))
    return f'<article><h2>{_escape(document.id)}</h2><p dir="auto">{"".join(parts)}</p></article>\n'


def _label(span: Span) -> str:
    facts = {"start": span.start, "end": span.end, "label": span.label, "model": span.model}
    facts |= {"score": None if span.score is None else round(span.score, 6)}
    if span.fragments:
        facts["fragments"] = ";".join(f"{start}-{end}" for start, end in span.fragments)
    data = "".join(f' data-{key}="{_escape(str(value))}"' for key, value in facts.items() if value is not None)
    title = " ".join(str(value) for value in (span.label, facts["score"], span.model) if value is not None)
    return f'<sub title="{_escape(title)}"{data}> {_escape(span.label)}</sub>'


def _escape(text: str) -> str:
    # A parser makes a line feed of a carriage return that stands as it is.
    return html.escape(_UNHELD.sub(_picture, text)).replace("\r", "&#13;")


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
