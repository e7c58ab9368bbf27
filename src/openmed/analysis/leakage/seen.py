"""The seen texts of one or more splits, and what of other documents is among them.

seen = Seen(Rule())
seen.add("train", train)
seen.leaks(test)                    # per document, per sentence: a Leak or None
leaked_documents(test, seen)        # per document: a Leak or None
clean_units(units, seen, view="sentences")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from openmed.analysis.leakage.near import NearIndex
from openmed.analysis.leakage.passages import Labels, Passage, known_group, mentions_of, passage_of, sentences_of
from openmed.analysis.leakage.rule import EXACT, NEAR, REASONS, RESPACED, SAME_ID, SHARE, Leak, Rule
from openmed.encoding import DOCUMENTS, VIEWS
from openmed.errors import ConfigError, nearest
from openmed.spans import Document


class _Match(NamedTuple):
    reason: str
    similarity: float
    document_id: str
    sentence_index: int | None
    same_labels: bool


@dataclass(slots=True)
class _Twins:
    """All passages with the same words and labels: the first by name, and the groups that are known."""

    document_id: str
    index: int | None
    groups: set[str] = field(default_factory=set)

    def add(self, passage: Passage) -> None:
        other = (passage.document_id, passage.index)
        if _by_name(*other) < _by_name(self.document_id, self.index):
            self.document_id, self.index = other
        if group := passage.known_group:
            self.groups.add(group)


class _Index:
    """Passages of one kind and one split, by their letters and by likeness.

    Equal passages are kept, and asked about, once: a sentence that returns a thousand times costs what one costs.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._by_letters: dict[str, dict[tuple[str, Labels], _Twins]] = {}
        self._near = NearIndex(rule.near)
        # A sentence is asked about by itself and in its document.
        self._known: dict[tuple[str, str, Labels, bool], _Match | None] = {}
        self._copies: dict[str, list[tuple[float, str]]] = {}

    def add(self, passage: Passage) -> None:
        self._known.clear()
        self._copies.clear()
        twins = self._by_letters.setdefault(passage.letters, {})
        twins.setdefault((passage.text, passage.labels), _Twins(passage.document_id, passage.index)).add(passage)
        if self._is_long(passage):
            self._near.add(passage.letters)

    def best(self, passage: Passage) -> _Match | None:
        """The most telling twin: an equal one of any length, else the nearest; with the same labels if there is one.

        The choice does not depend on the order in which passages were added.
        """
        key = (passage.letters, passage.text, passage.labels, self._is_long(passage))
        if key not in self._known:
            self._known[key] = min(self._matches(passage), key=_telling, default=None)
        return self._known[key]

    def shares_group(self, passage: Passage) -> bool:
        """Whether a twin of the passage stands in a document of the passage's own group."""
        return any(
            passage.known_group in twins.groups
            for letters in (passage.letters, *(letters for _, letters in self._near_copies(passage)))
            for twins in self._by_letters.get(letters, {}).values()
        )

    def _matches(self, passage: Passage) -> Iterator[_Match]:
        """The equal twins, else the nearest ones."""
        for (text, labels), twins in self._by_letters.get(passage.letters, {}).items():
            reason = EXACT if text == passage.text else RESPACED
            yield _Match(reason, 1.0, twins.document_id, twins.index, labels == passage.labels)
        copies = self._near_copies(passage)
        mentions = mentions_of(passage.letters, passage.labels)
        for similarity, letters in takewhile(lambda copy: copy[0] == copies[0][0], copies):
            for (_, labels), twins in self._by_letters[letters].items():
                agree = mentions_of(letters, labels) == mentions
                yield _Match(NEAR, similarity, twins.document_id, twins.index, agree)

    def _near_copies(self, passage: Passage) -> list[tuple[float, str]]:
        """(similarity, letters), the most similar first; none where there is an equal one."""
        if passage.letters in self._by_letters or not self._is_long(passage):
            return []
        if passage.letters not in self._copies:
            self._copies[passage.letters] = self._near.find(passage.letters)
        return self._copies[passage.letters]

    def _is_long(self, passage: Passage) -> bool:
        return passage.num_words >= self._rule.near_min_words


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
            index.groups.add(known_group(document.id, document.group))
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
            if self._same_document(document, sentences, leaks, split):
                return Leak(SAME_ID, split, document.group, None, 1.0, _same_labels(leaks))
        return self._share(sentences, leaks)

    def same_group(self, document: Document, split: str) -> bool:
        """Whether a document of the same group stands in a split: evidence to look at, no proof.

        Groups that were made up are no evidence: see `openmed.analysis.leakage.passages.known_group`.
        """
        group = known_group(document.id, document.group)
        return bool(group) and group in self._splits[split].groups

    def _same_document(
        self, document: Document, sentences: Sequence[Passage], leaks: Sequence[Leak | None], split: str
    ) -> bool:
        return self.same_group(document, split) and any(
            leak is not None and self._splits[split].sentences.shares_group(sentence)
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


def _telling(match: _Match) -> tuple[int, float, bool, tuple[str, int]]:
    name = _by_name(match.document_id, match.sentence_index)
    return REASONS.index(match.reason), -match.similarity, not match.same_labels, name


def _by_name(document_id: str, index: int | None) -> tuple[str, int]:
    return document_id, -1 if index is None else index


def _plain(leak: Leak) -> tuple[int, float, bool]:
    return REASONS.index(leak.reason), -leak.similarity, not leak.same_labels


def _leak(match: _Match | None, split: str) -> Leak | None:
    if match is None:
        return None
    return Leak(match.reason, split, match.document_id, match.sentence_index, match.similarity, match.same_labels)


def _same_labels(leaks: Iterable[Leak | None]) -> bool:
    return all(leak.same_labels for leak in leaks if leak)
