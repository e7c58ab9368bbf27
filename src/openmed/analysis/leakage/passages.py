"""What is compared: a sentence or a document, freed of what tokenisation changes.

Texts are compared without white space, mentions by their places among what is left: so a token file agrees with the
raw text that it was made from.

    for sentence in sentences_of(document): sentence.letters, sentence.labels
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from openmed.corpora.grouping import squeeze
from openmed.encoding.words import split_sentences, words_of
from openmed.readers.conll import made_up_id
from openmed.spans import Document, Range

SPLITTER = "punctuation"
_LINE_DIGITS = 5

Labels = tuple[tuple[int, int, str], ...]
"""(start, end, label) of mentions, in letters."""


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
    labels: Labels

    @property
    def known_group(self) -> str:
        """The group where it says which text this is; empty where it was made up: see `known_group`."""
        return known_group(self.document_id, self.group)

    def words_at(self, start: int, end: int) -> str:
        """What stands at letters start..end, with the spaces of `text`."""
        places = [place for place, character in enumerate(self.text) if not character.isspace()][start:end]
        return self.text[places[0] : places[-1] + 1] if places else ""


def mentions_of(letters: str, labels: Labels) -> list[tuple[str, str]]:
    """Text (without white space) and label of each mention, sorted: what near copies can be compared by."""
    return sorted((letters[start:end], label) for start, end, label in labels)


def known_group(document_id: str, group: str) -> str:
    """The group of a document, such as its PMID; empty where it proves nothing, for any other file may have it too.

    That is what the reader of token files makes of a file's name, and a number of up to five digits that is the
    document's own id: JSONL without ids is numbered by its lines.
    """
    numbered = group == document_id and len(group) <= _LINE_DIGITS and group.isdecimal()
    return "" if numbered or made_up_id(group) else group


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
    edges = _letters_before(text, start, [edge for span in spans[first:last] for edge in (span.start, span.end)])
    return Passage(
        document_id=document.id,
        group=document.group,
        index=index,
        text=" ".join(text[a:b] for a, b in own),
        letters=squeeze(text[start:end]),
        num_words=len(own),
        labels=tuple((edges[span.start], edges[span.end], span.label) for span in spans[first:last]),
    )


def _letters_before(text: str, start: int, edges: Iterable[int]) -> dict[int, int]:
    """For each edge how many characters that are no white space stand from `start` to it; each is looked at once."""
    letters: dict[int, int] = {}
    count = 0
    for edge in sorted(set(edges)):
        count += len(squeeze(text[start:edge]))
        letters[edge] = count
        start = edge
    return letters
