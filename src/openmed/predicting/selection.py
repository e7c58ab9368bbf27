"""Which of the entities found are kept: those sure enough, and of overlapping ones all, the longest or the surest.

selection = Selection(threshold=0.5, overlaps="longest")
document, dropped = selection(document)        # dropped: {"below_threshold": 2, "overlapping": 1}
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from openmed.errors import ConfigError
from openmed.spans import Document, Span

BELOW_THRESHOLD = "below_threshold"
OVERLAPPING = "overlapping"


def _score(span: Span) -> float:
    return 0.0 if span.score is None else span.score


_RANKS: dict[str, Callable[[Span], tuple]] = {
    "longest": lambda span: (span.start - span.end, -_score(span)),
    "score": lambda span: (-_score(span), span.start - span.end),
}
KEEP = "keep"
OVERLAPS = (KEEP, *_RANKS)


@dataclass(frozen=True)
class Selection:
    """Args:
        threshold: entities with a score below this are dropped.
        overlaps: "keep" keeps all. "longest" and "score" take one entity after the other, the longest or the surest
            first, and drop what overlaps one taken; of two alike in this the other measure decides, then the place.

    Raises:
        ConfigError: a threshold outside 0..1, another word for overlaps.
    """

    threshold: float = 0.0
    overlaps: str = KEEP

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ConfigError(f"a threshold of {self.threshold} is outside 0..1", mend="scores lie between 0 and 1")
        if self.overlaps not in OVERLAPS:
            raise ConfigError(f"overlaps is {self.overlaps!r}", mend=f"choose one of {', '.join(OVERLAPS)}")

    def __call__(self, document: Document) -> tuple[Document, Counter[str]]:
        """The document with the entities kept, and how many were dropped for which reason."""
        sure = [span for span in document.spans if _score(span) >= self.threshold]
        kept = sure if self.overlaps == KEEP else _apart(sure, _RANKS[self.overlaps])
        dropped = Counter({BELOW_THRESHOLD: len(document.spans) - len(sure), OVERLAPPING: len(sure) - len(kept)})
        return document if len(kept) == len(document.spans) else document.with_spans(kept), +dropped


def _apart(spans: Iterable[Span], rank: Callable[[Span], tuple]) -> list[Span]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (*rank(span), span.start, span.label, span.model or "")):
        # What is kept does not overlap, so only the neighbours on either side can be in the way.
        at = bisect_left(kept, span.start, key=lambda other: other.start)
        if not any(span.overlaps(neighbour) for neighbour in kept[max(at - 1, 0) : at + 1]):
            kept.insert(at, span)
    return kept
