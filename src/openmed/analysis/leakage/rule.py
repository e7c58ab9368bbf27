"""What counts as seen, and how a find is told.

Rule(near=0.9).counts(leak, num_words=12)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from openmed.errors import ConfigError

EXACT = "exact"
"""The same words, one for one."""
RESPACED = "respaced"
"""The same letters, white space aside, cut into other words (a token file and its raw twin)."""
NEAR = "near"
"""Most of the same character 5-grams."""
SAME_ID = "same_id"
"""A document of the same group (PMID) that shares a sentence, too."""
SHARE = "sentences"
"""A document much of which stands in seen sentences."""
REASONS = (EXACT, RESPACED, NEAR, SAME_ID, SHARE)
"""From the plainest to the weakest."""

LOWEST_NEAR = 0.7
"""Below this the index would miss pairs: it overlooks 1 in 6,000 pairs of similarity 0.7, 1 in 20 million of 0.8."""


@dataclass(frozen=True)
class Rule:
    """When a text counts as seen.

    Args:
        min_words: an equal sentence counts from this length on; shorter ones ("RESULTS", "Case report.") come back by
            themselves and prove nothing.
        near_min_words: a similar sentence counts from this length on, on both sides.
        near: Jaccard index of character 5-grams (lower case, no white space) from which two texts are near copies.
        document_share: a document counts as seen when this share of its words stands in seen sentences.

    Raises:
        ConfigError: a value out of range.
    """

    min_words: int = 5
    near_min_words: int = 10
    near: float = 0.8
    document_share: float = 0.5

    def __post_init__(self) -> None:
        for name in ("min_words", "near_min_words"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} is no number of words", mend="give 1 or more")
        if self.near_min_words < self.min_words:
            raise ConfigError(
                f"near_min_words={self.near_min_words} is below min_words={self.min_words}",
                mend="a near copy proves less than an equal one: ask at least as many words of it",
            )
        if not LOWEST_NEAR <= self.near <= 1:
            raise ConfigError(f"near={self.near} is outside {LOWEST_NEAR}..1")
        if not 0 < self.document_share <= 1:
            raise ConfigError(f"document_share={self.document_share} is outside 0..1", mend="give more than 0, up to 1")

    def counts(self, leak: Leak | None, num_words: int) -> bool:
        """Whether a find in a sentence of so many words is leakage, rather than a short text that returns."""
        return leak is not None and num_words >= (self.near_min_words if leak.reason == NEAR else self.min_words)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Leak:
    """Where a text was seen.

    Attributes:
        reason: one of `REASONS`.
        split: where the twin stands.
        document_id: of the twin's document (for `SAME_ID` its group).
        sentence_index: the twin's place in its document, from 0; None for a whole document.
        similarity: Jaccard index for `NEAR`, the share of seen words for `SHARE`, else 1.
        same_labels: whether the mentions agree: their places and types where the letters are equal, else their texts
            and types.
    """

    reason: str
    split: str
    document_id: str
    sentence_index: int | None
    similarity: float
    same_labels: bool
