"""What is compared: a sentence or a document, freed of what tokenisation changes.

Texts are compared without white space, mentions by their places among what is left: so a token file agrees with the
raw text that it was made from.

    for sentence in sentences_of(document): sentence.letters, sentence.labels
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from openmed.corpora.grouping import squeeze
from openmed.encoding.words import split_sentences, words_of
from openmed.spans import Document, Range

SPLITTER = "punctuation"


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, or a whole document.

    Attributes:
        document_id, group: of its document.
        index: its place among the document's sentences, from 0; None for a whole document.
        text: its words, joined by single spaces.
        letters: its text without white space.
        num_words: the corpus's own words, else those of the punctuation splitter.
        labels: (start, end, label) of each mention that starts in it, in characters of `letters`.
    """

    document_id: str
    group: str
    index: int | None
    text: str
    letters: str
    num_words: int
    labels: tuple[tuple[int, int, str], ...]

    @property
    def mentions(self) -> list[tuple[str, str]]:
        """Text (without white space) and label of each mention, sorted: what near copies can be compared by."""
        return sorted((self.letters[start:end], label) for start, end, label in self.labels)

    def words_at(self, start: int, end: int) -> str:
        """What stands at letters start..end, with the spaces of `text`."""
        places = [place for place, character in enumerate(self.text) if not character.isspace()][start:end]
        return self.text[places[0] : places[-1] + 1] if places else ""


def sentences_of(document: Document) -> Iterator[Passage]:
    """The sentences of a document: those it marks, else those that the rule for raw text finds.

    Sentences without a letter are passed over; the others keep their index among all.
    """
    words = words_of(document, SPLITTER)
    ranges = document.sentences if document.sentences is not None else split_sentences(document.text)
    for index, range_ in enumerate(ranges):
        if document.text[slice(*range_)].strip():
            yield _passage(document, words, range_, index)


def passage_of(document: Document) -> Passage:
    """The whole document, as one."""
    return _passage(document, words_of(document, SPLITTER), (0, len(document.text)), None)


def _passage(document: Document, words: Sequence[Range], range_: Range, index: int | None) -> Passage:
    start, end = range_
    text, spans = document.text, document.spans
    own = words[bisect_left(words, start, key=lambda word: word[0]) : bisect_left(words, end, key=lambda word: word[0])]
    first = bisect_left(spans, start, key=lambda span: span.start)
    last = bisect_left(spans, end, key=lambda span: span.start)
    return Passage(
        document_id=document.id,
        group=document.group,
        index=index,
        text=" ".join(text[a:b] for a, b in own),
        letters=squeeze(text[start:end]),
        num_words=len(own),
        labels=tuple(
            (len(squeeze(text[start : span.start])), len(squeeze(text[start : span.end])), span.label)
            for span in spans[first:last]
        ),
    )
