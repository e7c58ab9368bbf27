"""Character spans to word tags and back, for one document.

Tags hold flat, contiguous spans made of whole words. `encode_document` brings any spans to that form by stated rules
and counts every span that does not come back exactly; `decode_tags` is its inverse on all the others.

    tags, losses = encode_document(((0, 7), (8, 16)), [Span(0, 7, "Chemical")])   # ['B-Chemical', 'O'], Counter()
    decode_tags(((0, 7), (8, 16)), tags)                                          # (Span(0, 7, 'Chemical'),)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from openmed.spans import Range, Span
from openmed.tagging.schemes import WordSpan, spans_from_tags, tags_from_spans

DISCONTINUOUS = "discontinuous"
"""Loss: the mention has several fragments; it gets no tags."""
NESTED = "nested"
"""Loss: the mention lies in, equals or overlaps a kept one; it gets no tags."""
CUT_BY_WORD = "cut_by_word"
"""Loss: an edge of the mention is not the edge of a word. It is tagged widened (or shrunk, where the edge lies in the
space between words) to the words it touches, unless another mention took one of these words before."""
NO_WORD = "no_word"
"""Loss: the mention touches no word; it gets no tags."""
ILLEGAL_TAG = "illegal_tag"
"""Loss, counted in tags: a tag of a file that breaks the file's scheme and so belongs to no entity."""


class Cover(NamedTuple):
    """The words a span touches: the first, one past the last, and whether its edges are just theirs."""

    start: int
    end: int
    exact: bool


_NO_WORDS = Cover(0, 0, False)


def words_of_span(span: Span, words: Sequence[Range]) -> Cover | None:
    """The words that share a character with the span (`exact` is False when it is "cut by a word"), None if none do.

    A discontinuous span is taken from its start to its end, gaps included.
    """
    first = bisect_left(words, (span.start, 0))
    if first and words[first - 1][1] > span.start:
        first -= 1
    end = bisect_left(words, (span.end, 0), lo=first)
    if first == end:
        return None
    return Cover(first, end, words[first][0] == span.start and words[end - 1][1] == span.end)


def flatten(spans: Iterable[Span]) -> tuple[list[Span], list[tuple[Span, str]]]:
    """Splits spans into those BIO can hold side by side and those it cannot. "Outermost, longest":

    discontinuous spans are dropped; of the others the longest is kept first, and whatever overlaps a kept one is
    dropped. Ties go to the earlier start, then to the label that comes first in the alphabet.

    Returns:
        kept, in document order; dropped, each with `DISCONTINUOUS` or `NESTED`.
    """
    spans = list(spans)
    if not any(span.fragments for span in spans) and all(a.end <= b.start for a, b in pairwise(spans)):
        return spans, []  # as nearly always: in order, and side by side
    kept: list[Span] = []
    dropped: list[tuple[Span, str]] = []
    for span in sorted(spans, key=lambda span: (span.start - span.end, span.start, span.label)):
        if span.discontinuous:
            dropped.append((span, DISCONTINUOUS))
            continue
        # Kept spans do not overlap, so only the neighbours on either side can be in the way.
        at = bisect_left(kept, span.start, key=lambda other: other.start)
        if any(span.overlaps(neighbour) for neighbour in kept[max(at - 1, 0) : at + 1]):
            dropped.append((span, NESTED))
        else:
            kept.insert(at, span)
    return kept, dropped


def claim_words(covers: Iterable[tuple[int, int, bool]], labels: Iterable[str]) -> tuple[list[WordSpan], Counter[str]]:
    """Which words mentions get that do not overlap, and how many mentions will not come back exactly, by reason.

    Args:
        covers: of each mention, in document order; one that touches no word starts where it ends.
        labels: of each mention.
    """
    losses: Counter[str] = Counter()
    claimed: list[WordSpan] = []
    free = 0  # the first word behind all that are claimed
    for (start, end, exact), label in zip(covers, labels, strict=True):
        if start == end:
            losses[NO_WORD] += 1
            continue
        if not exact:
            losses[CUT_BY_WORD] += 1
        # Two mentions within one word: the first has it. Only cut ones can meet so, and both are counted above.
        if free <= start:
            claimed.append((start, end, label))
            free = end
    return claimed, losses


def encode_document(words: Sequence[Range], spans: Iterable[Span]) -> tuple[list[str], Counter[str]]:
    """IOB2 tags, one per word, and how many spans do not come back exactly, by reason.

    Every span is either returned unchanged by `decode_tags` or counted once: `DISCONTINUOUS`, `NESTED`,
    `CUT_BY_WORD` or `NO_WORD`.
    """
    kept, dropped = flatten(spans)
    covers = [words_of_span(span, words) or _NO_WORDS for span in kept]
    claimed, losses = claim_words(covers, [span.label for span in kept])
    losses.update(reason for _, reason in dropped)
    return tags_from_spans(claimed, len(words)), losses


def decode_tags(words: Sequence[Range], tags: Sequence[str], scores: Sequence[float] | None = None) -> tuple[Span, ...]:
    """Character spans of IOB2 tags (strict: an I- that continues nothing opens no span).

    Args:
        words: character ranges, in order.
        tags: one per word.
        scores: the tagger's confidence per word; a span's is the mean over its words.

    Raises:
        ValueError: when tags or scores are not as many as the words.
        DataError: a tag that is not IOB2 or has no type.
    """
    if len(tags) != len(words) or (scores is not None and len(scores) != len(words)):
        raise ValueError(f"{len(words)} words, {len(tags)} tags, {0 if scores is None else len(scores)} scores")
    return tuple(
        Span(
            words[start][0],
            words[end - 1][1],
            type_,
            score=None if scores is None else sum(scores[start:end]) / (end - start),
        )
        for start, end, type_ in spans_from_tags(tags)
    )
