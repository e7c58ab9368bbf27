"""Mentions whose offsets look wrong, or that word tags cannot hold; documents without text.

finding = offset_faults(splits)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence

from openmed.analysis.audit.finding import KEPT_EXAMPLES, Finding, Splits, Weight, by_split, number, percent, quote
from openmed.analysis.leakage.passages import SPLITTER
from openmed.analysis.report.blocks import Cell, Table
from openmed.encoding.words import split_sentences, words_of
from openmed.spans import Document, Range, Span
from openmed.tagging import CUT_BY_WORD, DISCONTINUOUS, NESTED, flatten, words_of_span

SPACE = "space_at_edge"
PUNCTUATION = "punctuation_at_edge"
SENTENCE_EDGE = "crosses_sentence_edge"
EMPTY = "empty_document"
KINDS = {
    SPACE: "mentions that begin or end with white space",
    PUNCTUATION: "mentions that begin or end with stray punctuation",
    CUT_BY_WORD: "mentions that begin or end amid a word",
    SENTENCE_EDGE: "mentions that cross a sentence edge",
    NESTED: "mentions that lie in or overlap a longer one",
    DISCONTINUOUS: "mentions in several fragments",
    EMPTY: "documents without text",
}
_STRAY = ".,;:!?"
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


def offset_faults(splits: Splits) -> Finding:
    """counts: split -> kind (see `KINDS`) -> number; a mention may have several faults."""
    counts: dict[str, dict[str, int]] = {}
    rows: list[list[Cell]] = []
    mentions = 0
    for split, documents in splits.items():
        found: Counter[str] = Counter()
        for document in documents:
            mentions += len(document.spans)
            for kind, span in _faults(document):
                found[kind] += 1
                if span is not None and found[kind] == 1:
                    rows.append([split, document.id, span.start, quote(document.mention(span)), KINDS[kind]])
        counts[split] = {kind: found[kind] for kind in KINDS if found[kind]}
    lost = sum(part.get(kind, 0) for part in counts.values() for kind in (NESTED, DISCONTINUOUS))
    any_found = any(counts.values())
    columns = ("split", "document", "at character", "mention", "what")
    return Finding(
        name="offsets",
        title="Offsets, overlaps and empty documents",
        weight=Weight.TRAINING if lost else Weight.NOTE if any_found else Weight.NOTHING,
        verdict=_verdict(counts, mentions, lost),
        counts=counts,
        tables=[by_split(counts, KINDS)] if any_found else [],
        examples=[Table(columns, rows[:KEPT_EXAMPLES], "The first of each kind")] if rows else [],
    )


def _faults(document: Document) -> Iterator[tuple[str, Span | None]]:
    if not document.text.strip():
        yield EMPTY, None
    words = words_of(document, SPLITTER)
    sentences = document.sentences if document.sentences is not None else split_sentences(document.text)
    starts = [start for start, _ in sentences]
    for span in document.spans:
        mention = document.mention(span)
        if mention != mention.strip():
            yield SPACE, span
        if _stray_punctuation(mention.strip()):
            yield PUNCTUATION, span
        if _cut(span, mention, words):
            yield CUT_BY_WORD, span
        if bisect_right(starts, span.start) < bisect_left(starts, span.end):
            yield SENTENCE_EDGE, span
        if span.discontinuous:
            yield DISCONTINUOUS, span
    yield from ((NESTED, span) for span, reason in flatten(document.spans)[1] if reason == NESTED)


def _stray_punctuation(mention: str) -> bool:
    """A comma, stop or the like at an edge, or a bracket there without its partner."""
    if mention[:1] in _STRAY or mention[-1:] in _STRAY:
        return True
    return any(
        mention.count(opening) != mention.count(closing) and (mention[:1] in edges or mention[-1:] in edges)
        for opening, closing in _BRACKETS.items()
        for edges in ((opening, closing),)
    )


def _cut(span: Span, mention: str, words: Sequence[Range]) -> bool:
    """Whether an edge lies inside a word; white space at the edges is another fault."""
    start = span.start + len(mention) - len(mention.lstrip())
    end = span.end - len(mention) + len(mention.rstrip())
    cover = words_of_span(Span(start, end, span.label), words) if start < end else None
    return cover is not None and not cover.exact


def _verdict(counts: dict[str, dict[str, int]], mentions: int, lost: int) -> str:
    if not any(counts.values()):
        return f"All {number(mentions, 'mention')} begin and end with a word, lie side by side, and stay in a sentence."
    totals = {kind: sum(part.get(kind, 0) for part in counts.values()) for kind in KINDS}
    told = "; ".join(f"{KINDS[kind]} ({total:,})" for kind, total in totals.items() if total)
    verdict = f"Of {number(mentions, 'mention')}: {told}."
    if lost:
        verdict += (
            f" {number(lost, 'mention')} ({percent(lost, mentions)}) {'is' if lost == 1 else 'are'} nested, "
            "overlapping or in fragments: word tags cannot hold them, so no tagger of this kind finds them."
        )
    return verdict
