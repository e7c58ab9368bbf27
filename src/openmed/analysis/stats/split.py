"""One split in numbers that add up: exact histograms of its lengths, and every surface form of its mentions.

profile_documents("train", documents, splitter="punctuation")
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from openmed.corpora.load import count
from openmed.encoding.words import split_sentences, words_of
from openmed.spans import Document, Range, Span
from openmed.tagging.codec import encode_document, words_of_span

SENTENCE_WORDS = "sentence_words"
DOCUMENT_WORDS = "document_words"
SENTENCE_ENTITIES = "sentence_entities"
MENTION_WORDS = "mention_words"
MENTION_CHARACTERS = "mention_characters"
LENGTHS = (SENTENCE_WORDS, DOCUMENT_WORDS, SENTENCE_ENTITIES, MENTION_WORDS, MENTION_CHARACTERS)
"""The distributions of a split. A mention's gaps count neither as its words nor as its characters."""

GAP = " … "
"""Stands for what lies between the fragments of a discontinuous mention."""

COUNTS = ("documents", "sentences", "words", "entities")


@dataclass(frozen=True)
class SplitProfile:
    """What one split holds. Two of them, profiled with the same splitter, add up with `+`.

    Attributes:
        name: of the split.
        counts: documents, sentences, words (both as the corpus marks them: 0 for raw text), entities, each type.
        losses: what reading left out, by kind.
        untagged: mentions that no word tags can say (or only changed), by the kinds of `openmed.tagging`.
        lengths: for each of `LENGTHS` the exact histogram. Where the corpus marks no words or sentences, these are
            made by rule, so there are as many items here as sentences, documents or mentions were found.
        mentions: type -> surface form (white space made single, case kept) -> how often it is annotated.
    """

    name: str
    counts: Mapping[str, int]
    losses: Counter[str]
    untagged: Counter[str]
    lengths: Mapping[str, Counter[int]]
    mentions: Mapping[str, Counter[str]]

    def __add__(self, other: SplitProfile) -> SplitProfile:
        return SplitProfile(
            name=self.name if self.name == other.name else f"{self.name}+{other.name}",
            counts=_added(self.counts, other.counts),
            losses=self.losses + other.losses,
            untagged=self.untagged + other.untagged,
            lengths={key: self.lengths[key] + other.lengths[key] for key in LENGTHS},
            mentions={
                label: self.mentions.get(label, Counter()) + other.mentions.get(label, Counter())
                for label in sorted({*self.mentions, *other.mentions})
            },
        )

    @property
    def per_type(self) -> dict[str, int]:
        """Mentions of each type."""
        return {key: value for key, value in self.counts.items() if key not in COUNTS}

    @property
    def num_sentences(self) -> int:
        """As the corpus marks them, or made by rule."""
        return self.lengths[SENTENCE_WORDS].total()

    @property
    def num_words(self) -> int:
        """As the corpus marks them, or made by rule."""
        return sum(length * number for length, number in self.lengths[DOCUMENT_WORDS].items())

    @property
    def num_bare_sentences(self) -> int:
        """Sentences in which no mention starts."""
        return self.lengths[SENTENCE_ENTITIES][0]

    @property
    def num_forms(self) -> int:
        """Different mentions: two with the same type and surface form are one."""
        return sum(len(forms) for forms in self.mentions.values())


def profile_documents(
    name: str,
    documents: Iterable[Document],
    *,
    splitter: str,
    counts: Mapping[str, int] | None = None,
    losses: Mapping[str, int] | None = None,
) -> SplitProfile:
    """Go through the documents once.

    Args:
        name: of the split.
        splitter: makes the words of documents that have none.
        counts: as `openmed.corpora` counted them; None counts here.
        losses: what reading them left out.
    """
    documents = list(documents) if counts is None else documents
    counts = count(documents) if counts is None else counts
    lengths: dict[str, Counter[int]] = {key: Counter() for key in LENGTHS}
    mentions: dict[str, Counter[str]] = {}
    untagged: Counter[str] = Counter()
    for document in documents:
        words = words_of(document, splitter)
        starts = [start for start, _ in _sentences(document)]
        lengths[DOCUMENT_WORDS][len(words)] += 1
        lengths[SENTENCE_WORDS].update(_sizes(starts, [start for start, _ in words]))
        lengths[SENTENCE_ENTITIES].update(_sizes(starts, [span.start for span in document.spans]))
        for span in document.spans:
            lengths[MENTION_WORDS][_num_words(span, words)] += 1
            lengths[MENTION_CHARACTERS][sum(end - start for start, end in _fragments(span))] += 1
            mentions.setdefault(span.label, Counter())[surface_form(document, span)] += 1
        untagged.update(encode_document(words, document.spans)[1])
    return SplitProfile(name, counts, Counter(losses or {}), untagged, lengths, dict(sorted(mentions.items())))


def surface_form(document: Document, span: Span) -> str:
    """The mention as it is written, white space made single; fragments are joined by `GAP`."""
    return GAP.join(" ".join(document.text[start:end].split()) for start, end in _fragments(span))


def _sentences(document: Document) -> Sequence[Range]:
    return document.sentences if document.sentences is not None else split_sentences(document.text)


def _sizes(starts: Sequence[int], positions: Sequence[int]) -> list[int]:
    """How many positions belong to each sentence: those from its start to the next one's; the first has all before.

    Without any start all are one sentence, as in training.
    """
    edges = [0, *(bisect_left(positions, start) for start in starts[1:]), len(positions)]
    return [end - first for first, end in pairwise(edges)]


def _num_words(span: Span, words: Sequence[Range]) -> int:
    """Words that share a character with the mention; one with two fragments in it counts once."""
    touched: set[int] = set()
    for start, end in _fragments(span):
        if cover := words_of_span(Span(start, end, span.label), words):
            touched.update(range(cover.start, cover.end))
    return len(touched)


def _fragments(span: Span) -> Sequence[Range]:
    return span.fragments or ((span.start, span.end),)


def _added(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    # Not Counter's +, which forgets what is 0.
    types = sorted({*first, *second} - {*COUNTS})
    return {key: first.get(key, 0) + second.get(key, 0) for key in (*COUNTS, *types)}
