"""What reading a corpus had to leave out or to decide, in plain words.

finding = reading_losses({"train": {"illegal_tag": 3}})
"""

from __future__ import annotations

from collections.abc import Mapping

from openmed.analysis.audit.finding import Finding, Weight
from openmed.analysis.report.blocks import Table
from openmed.corpora.entity_types import DROPPED_TYPE
from openmed.corpora.grouping import NOT_IN_NATIVE
from openmed.corpora.load import DUPLICATE_ID, ID_NOT_FOUND
from openmed.encoding.corpus import LONG_WORD, MENTION_CUT, SENTENCE_CUT
from openmed.encoding.pieces import EMPTY_WORD, SHARED_PIECE
from openmed.readers.bioc_document import BYTE_OFFSETS, COMPOSITE_PART, UNPLACED
from openmed.readers.brat import BOM_COUNTED, CRLF_TEXT, MISSING_ANNOTATIONS
from openmed.readers.brat_lines import ATTRIBUTE, IDENTIFIER_OF_NO_MENTION, NOTE
from openmed.readers.losses import FILE_PASSED_OVER, MENTION_DIFFERS, RELATION, TEXT_NOT_IN_FILE
from openmed.tagging import CUT_BY_WORD, DISCONTINUOUS, ILLEGAL_TAG, NESTED, NO_WORD

EXPLAINED = {
    ILLEGAL_TAG: "tags that break the file's own scheme; they open no entity and are read as O",
    MENTION_DIFFERS: "mentions whose text is not the one at their offsets; the offsets are believed",
    RELATION: "relations, which are passed over: mentions are what is read here",
    FILE_PASSED_OVER: "files that by their names (README and the like) stand beside the data; they are not read",
    TEXT_NOT_IN_FILE: "documents of a table of mentions, which has no text between them; blanks stand for it",
    ATTRIBUTE: "attributes of mentions (negated, speculated), which are passed over",
    NOTE: "notes of annotators, which are passed over",
    IDENTIFIER_OF_NO_MENTION: "identifiers given to what is no mention, such as an event; they are passed over",
    CRLF_TEXT: "documents whose offsets count a Windows line end as one character; they are read so",
    BOM_COUNTED: "documents whose offsets count the byte order mark; it stays as their first character",
    MISSING_ANNOTATIONS: "texts without a file of annotations among those that have one; they are left out",
    BYTE_OFFSETS: "documents whose offsets count bytes; they become offsets of characters",
    UNPLACED: "annotations of a document as a whole, which are no mentions",
    COMPOSITE_PART: "parts of composite mentions, left out on demand: the whole mention stands",
    DUPLICATE_ID: "documents whose id another one has; a number is added",
    ID_NOT_FOUND: "ids that the split's list names and the corpus does not hold",
    DROPPED_TYPE: "mentions of a type that the corpus's YAML leaves out on purpose",
    NOT_IN_NATIVE: "sentences that the native files do not hold; they stay with their neighbours",
    DISCONTINUOUS: "mentions in several fragments, which word tags cannot hold",
    NESTED: "mentions that lie in or overlap a longer one, which word tags cannot hold",
    CUT_BY_WORD: "mentions that begin or end amid a word; they are tagged by whole words",
    NO_WORD: "mentions that touch no word",
    SHARED_PIECE: "places where a piece would belong to two words; those words are tokenised one by one",
    EMPTY_WORD: "words of which the tokenizer leaves nothing; they get its unknown piece",
    LONG_WORD: "words with more pieces than are kept; the rest of them is left out",
    SENTENCE_CUT: "sentence edges inside a word; they move to its end",
    MENTION_CUT: "sentence edges inside a mention; sentence by sentence its first part alone can be tagged",
}
"""Name of a loss -> what it is."""

HARMLESS = {
    FILE_PASSED_OVER,
    RELATION,
    ATTRIBUTE,
    NOTE,
    IDENTIFIER_OF_NO_MENTION,
    CRLF_TEXT,
    BOM_COUNTED,
    BYTE_OFFSETS,
    UNPLACED,
    COMPOSITE_PART,
    DROPPED_TYPE,
    SHARED_PIECE,
}
"""Losses that keep nothing from the tagger that it was meant to learn."""


def explained(kind: str) -> str:
    """A loss in plain words; one that is not listed above, by its name."""
    return EXPLAINED.get(kind, kind.replace("_", " "))


def noted(losses: Mapping[str, int]) -> str:
    """Losses in plain words, each with its number."""
    return "; ".join(f"{explained(kind)} ({count:,})" for kind, count in losses.items())


def reading_losses(losses: Mapping[str, Mapping[str, int]]) -> Finding:
    """What the reader counted. `losses`: split -> kind -> number."""
    kinds = sorted({kind for part in losses.values() for kind in part})
    harmful = [kind for kind in kinds if kind not in HARMLESS]
    verdict = "Nothing was lost in reading."
    if kinds:
        totals = {kind: sum(part.get(kind, 0) for part in losses.values()) for kind in kinds}
        verdict = f"What was met, and how often: {noted(totals)}."
    rows = [[explained(kind), *(part.get(kind, 0) for part in losses.values())] for kind in kinds]
    return Finding(
        name="reading_losses",
        title="What reading had to leave out",
        weight=Weight.TRAINING if harmful else Weight.NOTE if kinds else Weight.NOTHING,
        verdict=verdict,
        counts={split: dict(part) for split, part in losses.items()},
        tables=[Table(["what", *losses], rows)] if rows else [],
    )
