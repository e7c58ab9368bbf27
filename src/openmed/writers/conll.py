"""CoNLL, as `openmed.readers.conll` reads it: a word, a tab and its IOB2 tag a line, an empty line after each sentence.

    write_conll(documents, "train.tsv", words=lambda document: split_words(document.text, "punctuation"))

A mark `-DOCSTART- (<group>)` stands wherever the group changes. What the format has no place for is not kept: the
spaces between words, and, counted, ids other than the group, identifiers and scores.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from os import PathLike

from openmed.errors import DataError
from openmed.spans import Document, Range, Span
from openmed.tagging import encode_document, words_of_span
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import (
    IDENTIFIERS_NOT_WRITTEN,
    IDS_NOT_WRITTEN,
    MODELS_NOT_WRITTEN,
    SCORES_NOT_WRITTEN,
    WORDS_NOT_WRITTEN,
    count_not_written,
)

REPLACED = "character_replaced_in_word"
"""Loss, counted in characters: written as "_", as it would end the word's line or column, or make a mark of it."""
CROSSES_SENTENCE = "mention_across_sentences"
"""Loss: the mention begins in one sentence and ends in another; it gets no tags."""

_NOT_WRITTEN = (IDS_NOT_WRITTEN, IDENTIFIERS_NOT_WRITTEN, SCORES_NOT_WRITTEN, MODELS_NOT_WRITTEN)

# What some reader or other splits lines or columns at. Other white space, such as NBSP, is part of the word.
_SPLITTING = re.compile("[ \t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029\0]")
_LIKE_A_MARK = re.compile(r"(?:[-#].*)?-DOCSTART-|#+\s*(?i:MEDLINE|PMID|PMCID|PUBMED)")
_GROUP = re.compile(r"[^\s()\0](?:[^()\0]*[^\s()\0])?")


def write_conll(
    documents: Iterable[Document],
    path: str | PathLike[str],
    *,
    words: Callable[[Document], Sequence[Range]] | None = None,
    losses: Counter[str] | None = None,
) -> int:
    """Write documents one after the other; returns how many. The file appears only when whole.

    Sentences are the document's own, else the whole document is one; words outside any belong to the one before.

    Args:
        words: gives a document's words, in order; None takes its own.
        losses: counts `REPLACED`, `CROSSES_SENTENCE`, what `openmed.tagging.encode_document` counts (mentions that are
            nested, discontinuous, cut by a word or without one), ids other than the group, identifiers, scores, and
            documents whose own words gave way to those of `words`.

    Raises:
        DataError: a document without words of its own (where `words` is None), a group that a mark cannot hold, a type
            with blanks or line breaks.
    """
    losses = Counter() if losses is None else losses
    number, group = 0, None
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        for document in documents:
            if document.group != group:
                group = document.group
                file.write(_mark(document, path))
            ranges = _own_words(document, path) if words is None else words(document)
            file.writelines(f"{line}\n" for line in _lines(document, ranges, path, losses))
            count_not_written(document, losses, *_NOT_WRITTEN)
            if document.words is not None and tuple(ranges) != document.words:
                count_not_written(document, losses, WORDS_NOT_WRITTEN)
            number += 1
    return number


def _lines(
    document: Document, words: Sequence[Range], path: str | PathLike[str], losses: Counter[str]
) -> Iterator[str]:
    _check_types(document, path)
    starts = [start for start, _ in document.sentences or ()]
    sentence_of = [bisect_right(starts, start) for start, _ in words]
    tags, lost = encode_document(words, _within_sentences(document, words, sentence_of, losses))
    losses.update(lost)
    for _, positions in groupby(range(len(words)), key=sentence_of.__getitem__):
        for at in positions:
            start, end = words[at]
            yield f"{_token(document.text[start:end], losses)}\t{tags[at]}"
        yield ""


def _within_sentences(
    document: Document, words: Sequence[Range], sentence_of: Sequence[int], losses: Counter[str]
) -> Iterator[Span]:
    for span in document.spans:
        cover = None if span.discontinuous else words_of_span(span, words)
        if cover and sentence_of[cover.start] != sentence_of[cover.end - 1]:
            losses[CROSSES_SENTENCE] += 1
        else:
            yield span


def _token(word: str, losses: Counter[str]) -> str:
    token, num_replaced = _SPLITTING.subn("_", word)
    if _LIKE_A_MARK.match(token):
        token = f"_{token[1:]}"
        num_replaced += 1
    if num_replaced:
        losses[REPLACED] += num_replaced
    return token


def _own_words(document: Document, path: str | PathLike[str]) -> Sequence[Range]:
    if document.words is None:
        raise DataError(
            f"document {document.id!r} has no words of its own",
            path=path,
            mend="say how to split it: words=lambda document: split_words(document.text, 'punctuation')",
        )
    return document.words


def _mark(document: Document, path: str | PathLike[str]) -> str:
    # The reader takes an id in brackets as it stands, whatever it looks like.
    if not _GROUP.fullmatch(document.group) or len(document.group.splitlines()) > 1:
        raise DataError(
            f"a document mark cannot hold the group {document.group!r} of document {document.id!r}",
            path=path,
            mend="give it one without brackets, line breaks and spaces at its ends",
        )
    return f"-DOCSTART- ({document.group})\n\n"


def _check_types(document: Document, path: str | PathLike[str]) -> None:
    for span in document.spans:
        if _SPLITTING.search(span.label):
            raise DataError(
                f"a tag cannot hold the type {span.label!r} of document {document.id!r}",
                path=path,
                text=document.mention(span),
                mend="write '_' for its blanks and line breaks",
            )
