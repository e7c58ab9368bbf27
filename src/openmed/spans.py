"""The data model: a `Document` is a text with typed character `Span`s. Everything else is a view of it.

Character offsets are the truth (Python string indices, end exclusive). Words, sentences, subwords and BIO tags are
derived. Nested, overlapping and discontinuous mentions can be held here; what tagging cannot express is counted
where it is flattened (`openmed.tagging`), not lost here.

    doc = Document("1", "Aspirin relieves headache.", spans=(Span(0, 7, "Chemical"), Span(17, 25, "Disease")))
    doc.mention(doc.spans[0])  # 'Aspirin'
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import overload

Range = tuple[int, int]
"""Start (inclusive) and end (exclusive), in characters of the document's text."""


class Ranges(Sequence[Range]):
    """Ranges of one text, in order and apart. Equal to a tuple of the same, in a fifteenth of its memory.

    Args:
        ranges: each start and end.
        length: of the text.
        what: they are, for errors.

    Attributes:
        bounds: start, end, start, end, ...

    Raises:
        ValueError: a range that is empty, out of order, overlaps the one before or leaves the text.
    """

    __slots__ = ("bounds",)

    def __init__(self, ranges: Iterable[Range], length: int, what: str = "range") -> None:
        if not isinstance(ranges, Ranges):  # else those of a document whose copy this is
            ranges = tuple(ranges)
            _check_ranges(ranges, what)
        if ranges and ranges[-1][1] > length:
            raise ValueError(f"{what} {ranges[-1]} ends outside the text")
        self.bounds = ranges.bounds if isinstance(ranges, Ranges) else array("i", chain.from_iterable(ranges))

    def __len__(self) -> int:
        return len(self.bounds) // 2

    def __iter__(self) -> Iterator[Range]:
        return zip(self.bounds[::2], self.bounds[1::2], strict=True)

    @overload
    def __getitem__(self, index: int) -> Range: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Range, ...]: ...
    def __getitem__(self, index: int | slice) -> Range | tuple[Range, ...]:
        if isinstance(index, slice):
            return tuple(self)[index]
        start = 2 * range(len(self))[index]
        return self.bounds[start], self.bounds[start + 1]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Ranges):
            return self.bounds == other.bounds
        return tuple(self) == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One mention.

    Args:
        start: first character, 0-based.
        end: one past the last character.
        label: the entity type, such as "Disease".
        fragments: for a discontinuous mention its two or more pieces, in order, from `start` to `end`; else empty.
        identifier: the concept it is normalised to ("MESH:D003110"), where the corpus says.
        score: the tagger's confidence in 0..1, None for gold. Not part of equality.
        model: the name of the model that found it, where several tag together. Not part of equality.

    Raises:
        ValueError: when the offsets are not 0 <= start < end, the label is empty, or fragments do not span
            start..end in order without overlap.
    """

    start: int
    end: int
    label: str
    fragments: tuple[Range, ...] = ()
    identifier: str | None = field(default=None, compare=False)
    score: float | None = field(default=None, compare=False)
    model: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ValueError(f"a span needs 0 <= start < end, got {self.start}..{self.end} ({self.label})")
        if not self.label:
            raise ValueError(f"span {self.start}..{self.end} has an empty label")
        if self.fragments:
            _check_ranges(self.fragments, "fragment")
            if len(self.fragments) < 2 or self.fragments[0][0] != self.start or self.fragments[-1][1] != self.end:
                raise ValueError(f"fragments {self.fragments} must be two or more, from {self.start} to {self.end}")

    @property
    def discontinuous(self) -> bool:
        return bool(self.fragments)

    def shifted(self, by: int) -> Span:
        """The same span `by` characters further on (negative: back)."""
        moved = tuple((start + by, end + by) for start, end in self.fragments)
        return replace(self, start=self.start + by, end=self.end + by, fragments=moved)

    def overlaps(self, other: Span) -> bool:
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its mentions.

    Args:
        id: unique in its split.
        text: the raw text; all offsets count its characters.
        spans: gold or predicted mentions, kept sorted by (start, end, label).
        group: what is statistically independent, such as the PMID; sentences of one abstract share it.
            Defaults to `id`.
        words: the corpus's own words as character ranges, where the corpus is tokenised; None for raw text.
        sentences: character ranges of the sentences where the corpus tells; None where it does not.

    Words and sentences are kept as `Ranges`.

    Raises:
        ValueError: an offset outside the text, or words/sentences out of order, empty or overlapping.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    group: str = ""
    words: Sequence[Range] | None = None
    sentences: Sequence[Range] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", self.group or self.id)
        object.__setattr__(self, "spans", tuple(sorted(self.spans)))
        for span in self.spans:
            if span.end > len(self.text):
                raise ValueError(
                    f"document {self.id!r}: span {span.start}..{span.end} ({span.label}) ends outside the text "
                    f"of {len(self.text)} characters"
                )
        for name, what in (("words", "word"), ("sentences", "sentence")):
            if (ranges := getattr(self, name)) is not None:
                checked = Ranges(ranges, len(self.text), f"document {self.id!r}: {what}")
                object.__setattr__(self, name, checked)

    def mention(self, span: Span) -> str:
        """The text from the span's start to its end (gaps of a discontinuous mention included)."""
        return self.text[span.start : span.end]

    def with_spans(self, spans: Iterable[Span]) -> Document:
        """The same document with other mentions, for instance predicted ones."""
        return replace(self, spans=tuple(spans))


def join_documents(documents: Sequence[Document], *, id: str, group: str = "", separator: str = " ") -> Document:
    """One document out of several, in order: offsets shifted; each part becomes a sentence unless it has its own.

    Words are kept when every part has them. Used for the `documents` view of corpora that come as sentences.

    Raises:
        ValueError: when there is nothing to join.
    """
    if not documents:
        raise ValueError(f"no documents to join into {id!r}")
    spans: list[Span] = []
    words: list[Range] = []
    sentences: list[Range] = []
    offset = 0
    for document in documents:
        spans += [span.shifted(offset) for span in document.spans]
        words += [(start + offset, end + offset) for start, end in document.words or ()]
        own = document.sentences if document.sentences is not None else ((0, len(document.text)),)
        sentences += [(start + offset, end + offset) for start, end in own if start < end]
        offset += len(document.text) + len(separator)
    return Document(
        id=id,
        text=separator.join(document.text for document in documents),
        spans=tuple(spans),
        group=group or documents[0].group,
        words=tuple(words) if all(document.words is not None for document in documents) else None,
        sentences=tuple(sentences),
    )


def _check_ranges(ranges: Sequence[Range], what: str) -> None:
    previous_end = 0
    for start, end in ranges:
        if not previous_end <= start < end:
            raise ValueError(f"{what} {start}..{end} is empty, out of order or overlaps the one before")
        previous_end = end
