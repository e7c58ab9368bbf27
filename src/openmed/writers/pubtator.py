"""PubTator, as `openmed.readers.pubtator` reads it: title and abstract, a line per mention, a blank line at the end.

    write_pubtator(documents, "predicted.pubtator")

What the format has no place for is not kept, and counted: groups, words, sentences, scores and models.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from os import PathLike

from openmed.errors import DataError
from openmed.spans import Document, Span
from openmed.tagging import DISCONTINUOUS
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import (
    GROUPS_NOT_WRITTEN,
    MODELS_NOT_WRITTEN,
    SCORES_NOT_WRITTEN,
    SENTENCES_NOT_WRITTEN,
    WORDS_NOT_WRITTEN,
    count_not_written,
)

WRITTEN_AS_SPACE = "character_written_as_space"
"""Loss, counted in characters: a line break, tab or NUL of the text, which would end its line or column."""

_BREAKING = "\t\n\r\0"
_TO_SPACE = str.maketrans(_BREAKING, " " * len(_BREAKING))
_ID = re.compile(rf"[^|\ufeff{_BREAKING}]+")
_FIELD = re.compile(rf"[^{_BREAKING}]*[^\s\0][^{_BREAKING}]*")
_NOT_WRITTEN = (GROUPS_NOT_WRITTEN, WORDS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN, SCORES_NOT_WRITTEN, MODELS_NOT_WRITTEN)
_SENTENCE_END = re.compile(r"[.!?]( )(?=[^\sa-z]|\Z)")


def write_pubtator(
    documents: Iterable[Document], path: str | PathLike[str], *, losses: Counter[str] | None = None
) -> int:
    """Write documents one after the other; returns how many. The file appears only when whole.

    The title ends where the first sentence does, as the document marks it or, in a document without marks, at the first
    end mark before a space; where a single space does not follow, all of the text is the title. So title, one space and
    abstract are the text again, and offsets stay as they are. A line break, tab or NUL becomes a space.

    Args:
        losses: counts `WRITTEN_AS_SPACE`, and mentions in several pieces, which are left out
            (`openmed.tagging.DISCONTINUOUS`), groups, words, sentences, scores and models. Nested and
            overlapping mentions are written.

    Raises:
        DataError: an id, type or identifier that is empty or holds a character which ends its column.
    """
    losses = Counter() if losses is None else losses
    number = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for document in documents:
            file.writelines(f"{line}\n" for line in _lines(document, path, losses))
            count_not_written(document, losses, *_NOT_WRITTEN)
            number += 1
    return number


def _lines(document: Document, path: str | PathLike[str], losses: Counter[str]) -> Iterator[str]:
    _check(_ID, "id", document.id, document, path)
    text = document.text.translate(_TO_SPACE)
    if altered := sum(map(document.text.count, _BREAKING)):
        losses[WRITTEN_AS_SPACE] += altered
    space = _end_of_title(text, document)
    yield f"{document.id}|t|{text[:space]}"
    if space is not None:
        yield f"{document.id}|a|{text[space + 1 :]}"
    for span in document.spans:
        if span.discontinuous:
            losses[DISCONTINUOUS] += 1
        else:
            yield "\t".join([document.id, *_fields(span, text, document, path)])
    yield ""


def _fields(span: Span, text: str, document: Document, path: str | PathLike[str]) -> Iterator[str]:
    yield from (str(span.start), str(span.end), text[span.start : span.end])
    yield _check(_FIELD, "type", span.label, document, path)
    if span.identifier:
        yield _check(_FIELD, "identifier", span.identifier, document, path)


def _end_of_title(text: str, document: Document) -> int | None:
    """Where the space stands that parts title and abstract, None when there is to be no abstract."""
    if document.sentences:
        end = document.sentences[0][1]
        alone = text[end : end + 1] == " " and not text[end + 1 : end + 2].isspace()
        return end if alone else None
    found = _SENTENCE_END.search(text)
    return found.start(1) if found else None


def _check(form: re.Pattern[str], what: str, value: str, document: Document, path: str | PathLike[str]) -> str:
    if form.fullmatch(value):
        return value
    raise DataError(
        f"PubTator cannot hold the {what} {value!r} of document {document.id!r}",
        path=path,
        mend="let it hold something, but no tab, line break or NUL, and an id no '|' either",
    )
