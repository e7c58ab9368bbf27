"""The seen texts of one or more splits, and what of other documents is among them.

seen = Seen(Rule())
seen.add("train", train)
seen.leaks(test)                    # per document, per sentence: a Leak or None
leaked_documents(test, seen)        # per document: a Leak or None
clean_units(units, seen, view="sentences")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from openmed.analysis.leakage.near import NearIndex
from openmed.analysis.leakage.passages import Passage, passage_of, sentences_of
from openmed.analysis.leakage.rule import EXACT, NEAR, REASONS, RESPACED, SAME_ID, SHARE, Leak, Rule
from openmed.encoding import DOCUMENTS, VIEWS
from openmed.errors import ConfigError, nearest
from openmed.spans import Document


class _Match(NamedTuple):
    reason: str
    similarity: float
    twin: Passage
    same_labels: bool


class _Index:
    """Passages of one kind and one split, by their letters and by likeness."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._by_letters: dict[str, list[Passage]] = {}
        self._near = NearIndex(rule.near)
        self._known: dict[Passage, _Match | None] = {}  # a sentence is asked about by itself and in its document

    def add(self, passage: Passage) -> None:
        self._known.clear()
        self._by_letters.setdefault(passage.letters, []).append(passage)
        if passage.num_words >= self._rule.near_min_words:
            self._near.add(passage.letters)

    def best(self, passage: Passage) -> _Match | None:
        """The most telling twin: an equal one of any length, else the nearest; with the same labels if there is one.

        The choice does not depend on the order in which passages were added.
        """
        if passage not in self._known:
            self._known[passage] = min(self._matches(passage), key=_telling, default=None)
        return self._known[passage]

    def shares_group(self, passage: Passage) -> bool:
        """Whether a twin of the passage stands in a document of the passage's own group."""
        return any(match.twin.group == passage.group for match in self._matches(passage))

    def _matches(self, passage: Passage) -> list[_Match]:
        equal = self._by_letters.get(passage.letters, ())
        if equal or passage.num_words < self._rule.near_min_words:
            return [
                _Match(EXACT if twin.text == passage.text else RESPACED, 1.0, twin, twin.labels == passage.labels)
                for twin in equal
            ]
        return [
            _Match(NEAR, similarity, twin, twin.mentions == passage.mentions)
            for similarity, letters in self._near.find(passage.letters)
            for twin in self._by_letters[letters]
        ]


class _Split(NamedTuple):
    sentences: _Index
    documents: _Index
    groups: set[str]


class Seen:
    """What a tagger was trained, or chosen, on.

    Args:
        rule: when a text counts as seen.
    """

    def __init__(self, rule: Rule | None = None) -> None:
        self.rule = rule or Rule()
        self._splits: dict[str, _Split] = {}

    @property
    def splits(self) -> tuple[str, ...]:
        return tuple(self._splits)

    def add(self, split: str, documents: Iterable[Document]) -> None:
        """Remember the sentences, documents and groups of a split (or more of one)."""
        if split not in self._splits:
            self._splits[split] = _Split(_Index(self.rule), _Index(self.rule), set())
        index = self._splits[split]
        for document in documents:
            index.groups.add(document.group)
            index.documents.add(passage_of(document))
            for sentence in sentences_of(document):
                index.sentences.add(sentence)

    def find(self, sentence: Passage, split: str) -> Leak | None:
        """The most telling twin of a sentence in one split, of any length: `Rule.counts` says if it is leakage."""
        return _leak(self._splits[split].sentences.best(sentence), split)

    def leak(self, sentence: Passage, splits: Sequence[str] | None = None) -> Leak | None:
        """Whether a sentence counts as seen, and its most telling twin, in all splits or some."""
        found = [leak for split in splits or self.splits if (leak := self.find(sentence, split))]
        return min((leak for leak in found if self.rule.counts(leak, sentence.num_words)), key=_plain, default=None)

    def leaks(self, documents: Iterable[Document]) -> list[list[Leak | None]]:
        """For each document, for each of its sentences (as `sentences_of` gives them), where it was seen."""
        return [[self.leak(sentence) for sentence in sentences_of(document)] for document in documents]

    def document_leak(self, document: Document, splits: Sequence[str] | None = None) -> Leak | None:
        """Whether a document counts as seen: as a whole, by its id, or by the share of its seen sentences."""
        splits = splits or self.splits
        whole = passage_of(document)
        copies = [_leak(self._splits[split].documents.best(whole), split) for split in splits]
        if counted := [leak for leak in copies if leak and self.rule.counts(leak, whole.num_words)]:
            return min(counted, key=_plain)
        sentences = list(sentences_of(document))
        leaks = [self.leak(sentence, splits) for sentence in sentences]
        for split in splits:
            if self._same_document(sentences, leaks, split):
                return Leak(SAME_ID, split, document.group, None, 1.0, _same_labels(leaks))
        return self._share(sentences, leaks)

    def same_group(self, document: Document, split: str) -> bool:
        """Whether a document of the same group stands in a split: evidence to look at, no proof."""
        return document.group in self._splits[split].groups

    def _same_document(self, sentences: Sequence[Passage], leaks: Sequence[Leak | None], split: str) -> bool:
        index = self._splits[split]
        return any(
            leak is not None and sentence.group in index.groups and index.sentences.shares_group(sentence)
            for sentence, leak in zip(sentences, leaks, strict=True)
        )

    def _share(self, sentences: Sequence[Passage], leaks: Sequence[Leak | None]) -> Leak | None:
        num_words = sum(sentence.num_words for sentence in sentences)
        pairs = [(sentence, leak) for sentence, leak in zip(sentences, leaks, strict=True) if leak]
        if not pairs:
            return None
        share = sum(sentence.num_words for sentence, _ in pairs) / num_words
        if share < self.rule.document_share:
            return None
        _, longest = max(pairs, key=lambda pair: pair[0].num_words)
        return Leak(SHARE, longest.split, longest.document_id, None, share, _same_labels(leaks))


def leaked_documents(documents: Iterable[Document], seen: Seen) -> list[Leak | None]:
    """For each document, where it was seen as a whole, or None."""
    return [seen.document_leak(document) for document in documents]


def clean_units(units: Sequence[Document], seen: Seen, *, view: str) -> list[bool]:
    """Which units were not seen (True: keep), as `openmed.encoding.Units` makes them.

    Args:
        view: "sentences": each unit is taken as one sentence; "documents": as a document with its sentences.

    Raises:
        ConfigError: another view.
    """
    if view not in VIEWS:
        raise ConfigError(f"unknown view {view!r}", mend=nearest(view, VIEWS))
    if view == DOCUMENTS:
        return [leak is None for leak in leaked_documents(units, seen)]
    return [seen.leak(passage_of(unit)) is None for unit in units]


def _telling(match: _Match) -> tuple[int, float, bool, str, int]:
    twin = match.twin
    return (
        REASONS.index(match.reason),
        -match.similarity,
        not match.same_labels,
        twin.document_id,
        -1 if twin.index is None else twin.index,
    )


def _plain(leak: Leak) -> tuple[int, float, bool]:
    return REASONS.index(leak.reason), -leak.similarity, not leak.same_labels


def _leak(match: _Match | None, split: str) -> Leak | None:
    if match is None:
        return None
    return Leak(match.reason, split, match.twin.document_id, match.twin.index, match.similarity, match.same_labels)


def _same_labels(leaks: Iterable[Leak | None]) -> bool:
    return all(leak.same_labels for leak in leaks if leak)
