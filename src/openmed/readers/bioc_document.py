"""One BioC document, whichever form it came in, as a `Document`.

    document = DocumentReader(path, losses=losses).document(entry, number=1)

Passages and sentences are put at their offsets (`bioc_layout`); of each annotation the locations, the type, the
identifier, the score and the model are kept. What has no place in a `Document` is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike

from openmed.errors import ConfigError
from openmed.readers.bioc_entry import Entry, Place
from openmed.readers.bioc_layout import Layout, Piece, in_bytes, in_characters
from openmed.readers.bioc_mention import Mention, identifier, is_part, merge, score
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.spans import Document, Range, Span

BYTE_OFFSETS = "document_with_offsets_in_bytes"
"""Its offsets are taken to count bytes of UTF-8, for more mentions agree with the text so; nothing is lost."""
UNPLACED = "annotation_without_location"
"""The annotation is of the document as a whole; it is no mention."""
COMPOSITE_PART = "part_of_composite_mention"
"""Dropped on demand (`composite="mention"`): the whole mention stands beside it."""

COMPOSITES = ("keep", "mention")
# What our own writer adds for what BioC has no element for.
_GROUP = "openmed.group"
_SENTENCES = "openmed.sentences"


class DocumentReader:
    """Turns entries into documents.

    Args:
        path: for errors.
        types_from: the infon that holds the entity type.
        composite: "keep" or "mention" (drop the parts of composite mentions).
        losses: what cannot be kept is counted here.

    Raises:
        ConfigError: `composite` is something else.
    """

    def __init__(
        self, path: str | PathLike[str], *, types_from: str = "type", composite: str = "keep", losses: Counter[str]
    ) -> None:
        if composite not in COMPOSITES:
            raise ConfigError(f"unknown composite {composite!r}", mend=f"one of {', '.join(COMPOSITES)}")
        self.path = path
        self.types_from = types_from
        self.composite = composite
        self.losses = losses

    def document(self, entry: Entry, number: int) -> Document:
        """The entry's document, named by its number in the file where it has no id.

        Raises:
            DataError: no text, offsets that cannot be, an annotation without type, a value of another kind.
        """
        place = Place(self.path, str(entry.get("id") or number))
        infons = place.infons(entry)
        pieces, marked = _texts(entry, place)
        mentions = self._mentions(entry, place)
        layout = self._layout(pieces, mentions, place)
        spans = tuple(self._span(mention, layout, place) for mention in mentions)
        try:
            sentences = _own_sentences(infons[_SENTENCES]) if _SENTENCES in infons else _sentences(marked, layout)
            return Document(
                place.document, layout.text, spans, group=str(infons.get(_GROUP) or ""), sentences=sentences
            )
        except ValueError as error:
            raise place.error(str(error), at=entry, mend="sentences must follow each other inside the text") from error

    def _mentions(self, entry: Entry, place: Place) -> list[Mention]:
        mentions = []
        for holder in _holders(entry, place):
            if relations := len(place.entries(holder, "relations")):
                self.losses[RELATION] += relations
            for annotation in place.entries(holder, "annotations"):
                locations = [
                    (place.number(location, "offset"), place.number(location, "length"))
                    for location in place.entries(annotation, "locations")
                ]
                if self.composite == "mention" and is_part(annotation, place):
                    self.losses[COMPOSITE_PART] += 1
                elif not locations:
                    self.losses[UNPLACED] += 1
                else:
                    mentions.append(Mention(annotation, place.text(annotation), locations))
        return mentions

    def _layout(self, pieces: Sequence[Piece], mentions: Sequence[Mention], place: Place) -> Layout:
        """Offsets count characters, unless more mentions agree with the text when they count bytes."""
        layout = in_characters(pieces, place)
        differing = sum(not mention.agrees(layout) for mention in mentions)
        if differing and not layout.text.isascii() and (other := in_bytes(pieces)):
            differing_in_bytes = sum(not mention.agrees(other) for mention in mentions)
            if differing_in_bytes < differing:
                self.losses[BYTE_OFFSETS] += 1
                return other
        return layout

    def _span(self, mention: Mention, layout: Layout, place: Place) -> Span:
        ranges = mention.ranges(layout)
        infons = place.infons(mention.entry)
        label = infons.get(self.types_from)
        if not (isinstance(label, str) and label):
            raise place.error(
                f"an annotation has no infon {self.types_from!r}, which is to hold its type",
                at=mention.entry,
                text=mention.text,
                mend=f"say types_from= one of {', '.join(map(repr, infons)) or 'the infons (this one has none)'}",
            )
        if ranges is None:
            last = layout.offsets[-1]
            shown = ", ".join(f"{offset}..{offset + length}" for offset, length in mention.locations)
            raise place.error(
                f"offsets {shown} are empty or outside the text, which is from {layout.offsets[0]} to {last}",
                at=mention.entry,
                text=mention.text,
                mend="offsets count the characters from the start of the document, not of the passage",
            )
        if not mention.agrees(layout):
            self.losses[MENTION_DIFFERS] += 1
        fragments = merge(ranges)
        return Span(
            fragments[0][0],
            fragments[-1][1],
            label,
            fragments=fragments if len(fragments) > 1 else (),
            identifier=identifier(infons),
            score=score(infons.get("score")),
            model=model if isinstance(model := infons.get("model"), str) and model else None,
        )


def _holders(entry: Entry, place: Place) -> Iterator[Entry]:
    """All that may hold annotations and relations: the document, its passages, their sentences."""
    yield entry
    for passage in place.entries(entry, "passages"):
        yield passage
        yield from place.entries(passage, "sentences")


def _texts(entry: Entry, place: Place) -> tuple[list[Piece], list[Piece] | None]:
    """The pieces the text is made of, and the sentences (None where none is marked), each sorted by offset.

    A passage without sentences is one sentence in a document that has them elsewhere.
    """
    pieces: list[Piece] = []
    sentences: list[Piece] = []
    marked = False
    for passage in place.entries(entry, "passages"):
        own = [_piece(sentence, place) for sentence in place.entries(passage, "sentences")]
        whole = place.text(passage)
        has_text = whole is not None and (whole or not own)
        if not (has_text or own or place.entries(passage, "annotations")):
            continue  # a passage of infons only
        parts = [_piece(passage, place)] if has_text or not own else own
        pieces += parts
        sentences += own or parts
        marked = marked or bool(own)
    if not pieces:
        raise place.error("it has no text", at=entry, mend="get the file with its text: annotations alone do not do")
    sentences.sort(key=lambda piece: piece.offset)
    return sorted(pieces, key=lambda piece: piece.offset), sentences if marked else None


def _piece(entry: Entry, place: Place) -> Piece:
    text = place.text(entry)
    if text is None:
        raise place.error("'text' is missing", at=entry, mend="get the file with its text: offsets alone do not do")
    return Piece(place.number(entry, "offset"), text, entry)


def _sentences(marked: list[Piece] | None, layout: Layout) -> tuple[Range, ...] | None:
    """Raises: ValueError when one begins outside the text."""
    if marked is None:
        return None
    ranges = []
    for offset, text, _ in marked:
        start = layout.at(offset)
        if start is None:
            raise ValueError(f"the sentence at offset {offset} begins outside the text ({text!r})")
        if text:
            ranges.append((start, start + len(text)))
    return tuple(ranges)


def _own_sentences(value: object) -> tuple[Range, ...]:
    """'0-12 13-40' of our own writer. Raises: ValueError when it is something else."""
    ranges = []
    for range_ in str(value).split():
        start, _, end = range_.partition("-")
        ranges.append((int(start), int(end)))
    return tuple(ranges)
