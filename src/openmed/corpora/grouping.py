"""Give sentences their document back. Token files often hold bare sentences; scores and statistics need abstracts.

Two ways: by the corpus's native file, which has the documents (sentences are found in them character by character,
white space aside), or, where there is none, runs of neighbouring sentences of up to so many words.

    documents = group_by_native(sentences, native_documents, losses, max_words=250)
    documents = group_in_runs(sentences, max_words=250)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from openmed.spans import Document, join_documents

NOT_IN_NATIVE = "sentence_not_in_native_file"
_MIN_LETTERS_AFTER_GAP = 20  # fewer could stand anywhere by chance
_MIN_LETTERS = 3  # of a longer document; one of which no more was found could be any


class _Place(NamedTuple):
    """A native document, and which of its letters are still to come."""

    id: str
    rest: str


def group_in_runs(sentences: Iterable[Document], *, max_words: int) -> Iterator[Document]:
    """Join neighbours up to `max_words` words. A change of `group` (a document mark in the file) always ends a run.

    So does the end of a file, where ids are `<file stem>#<n>`. A sentence longer than `max_words` is a document of its
    own; a document that the file marks stays whole.
    """
    run: list[Document] = []
    length = 0
    marked = False
    for sentence in sentences:
        own_mark = sentence.group != sentence.id
        num_words = _num_words(sentence)
        new_group = bool(run) and (own_mark or marked) and sentence.group != run[-1].group
        too_long = bool(run) and not own_mark and length + num_words > max_words
        new_file = bool(run) and not own_mark and _file_of(sentence) != _file_of(run[-1])
        if new_group or too_long or new_file:
            yield _join(run, marked)
            run, length = [], 0
        run.append(sentence)
        marked = own_mark
        length += num_words
    if run:
        yield _join(run, marked)


def group_by_native(
    sentences: Iterable[Document], native: Iterable[Document], losses: Counter[str], *, max_words: int
) -> Iterator[Document]:
    """Join the sentences that stand one after the other in one native document; `group` becomes that document's id.

    A native document that opens twice keeps its id as group both times and gets distinct document ids. Sentences found
    nowhere are counted in `losses`; between two of one document they stay in it, else they make runs of their own.
    """
    used: Counter[str] = Counter()
    for places, members in _stretches(sentences, native, losses):
        if places and places[0].rest and sum(len(squeeze(member.text)) for member in members) < _MIN_LETTERS:
            losses[NOT_IN_NATIVE] += len(members)
            places = []
        if not places:
            yield from group_in_runs(members, max_words=max_words)
            continue
        group = places[0].id  # of several the one that ends here, if any: sorted texts put it first
        used[group] += 1
        yield join_documents(members, id=group if used[group] == 1 else f"{group}/{used[group]}", group=group)


def squeeze(text: str) -> str:
    """The text without white space: what tokenisation leaves unchanged."""
    return "".join(text.split())


def _stretches(
    sentences: Iterable[Document], native: Iterable[Document], losses: Counter[str]
) -> Iterator[tuple[list[_Place], list[Document]]]:
    """Neighbours with the native documents that hold them all: several while a shared title leaves it open, or none."""
    openings = _Openings(native)
    places: list[_Place] = []
    members: list[Document] = []
    lost: list[Document] = []
    for sentence in sentences:
        letters = squeeze(sentence.text)
        further = [_Place(id, rest[len(letters) :]) for id, rest in places if rest.startswith(letters)]
        opened = [] if further else openings.find(letters)
        if not further and not opened:
            further = _after_gap(places, letters)
        if further:
            places = further
            members += [*lost, sentence]
            lost = []
        elif opened:
            yield from ((places, members), ([], lost))
            places, members, lost = opened, [sentence], []
        else:
            losses[NOT_IN_NATIVE] += 1
            lost.append(sentence)
    yield from ((places, members), ([], lost))


def _after_gap(places: list[_Place], letters: str) -> list[_Place]:
    """Where the sentence stands further on in the same documents, past letters that the token file lacks or altered."""
    if len(letters) < _MIN_LETTERS_AFTER_GAP:
        return []
    return [_Place(id, rest.partition(letters)[2]) for id, rest in places if letters in rest]


class _Openings:
    """Finds the native documents that begin with some letters: neighbours in sorted order."""

    def __init__(self, native: Iterable[Document]) -> None:
        self._places = sorted((_Place(document.id, squeeze(document.text)) for document in native), key=_rest)

    def find(self, letters: str) -> list[_Place]:
        if not letters:
            return []
        first = bisect_left(self._places, letters, key=_rest)
        at_or_after = (self._places[at] for at in range(first, len(self._places)))
        found = takewhile(lambda place: place.rest.startswith(letters), at_or_after)
        return [_Place(id, rest[len(letters) :]) for id, rest in found]


def _rest(place: _Place) -> str:
    return place.rest


def _file_of(sentence: Document) -> str:
    """The file stem of an id `<file stem>#<n>`; empty for other ids."""
    return sentence.id.rpartition("#")[0]


def _num_words(sentence: Document) -> int:
    return len(sentence.text.split()) if sentence.words is None else len(sentence.words)


def _join(run: list[Document], marked: bool) -> Document:
    return join_documents(run, id=run[0].group if marked else run[0].id)
