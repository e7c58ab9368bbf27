"""Names under which writers count what of a document their format has no place for.

count_not_written(document, losses, WORDS_NOT_WRITTEN, SCORES_NOT_WRITTEN)
"""

from __future__ import annotations

from collections import Counter

from openmed.spans import Document

IDS_NOT_WRITTEN = "ids_not_written"
"""Loss, in documents: an id other than the group, in a format that holds groups only."""
GROUPS_NOT_WRITTEN = "groups_not_written"
"""Loss, in documents: a group other than the id."""
WORDS_NOT_WRITTEN = "words_not_written"
"""Loss, in documents: the corpus's own words."""
SENTENCES_NOT_WRITTEN = "sentences_not_written"
"""Loss, in documents: the corpus's own sentences."""
IDENTIFIERS_NOT_WRITTEN = "identifiers_not_written"
"""Loss, in mentions: the concept that one is normalised to."""
SCORES_NOT_WRITTEN = "scores_not_written"
"""Loss, in mentions: the tagger's confidence."""
MODELS_NOT_WRITTEN = "models_not_written"
"""Loss, in mentions: the name of the model that found it."""


def count_not_written(document: Document, losses: Counter[str], *kinds: str) -> None:
    """Add to `losses` what the document holds of these kinds, names of this module."""
    held = {
        IDS_NOT_WRITTEN: int(document.id != document.group),
        GROUPS_NOT_WRITTEN: int(document.group != document.id),
        WORDS_NOT_WRITTEN: int(document.words is not None),
        SENTENCES_NOT_WRITTEN: int(document.sentences is not None),
        IDENTIFIERS_NOT_WRITTEN: sum(bool(span.identifier) for span in document.spans),
        SCORES_NOT_WRITTEN: sum(span.score is not None for span in document.spans),
        MODELS_NOT_WRITTEN: sum(span.model is not None for span in document.spans),
    }
    for kind in kinds:
        if held[kind]:
            losses[kind] += held[kind]
