"""Documents with what a tagger finds in them, streaming.

for document in annotate(openmed.load(MODEL), read_inputs(["notes/", "more.jsonl"])): ...
for given, tagged in annotate_each(tagger, documents): ...     # tagged: why not, where the tagger stumbles on one
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from openmed.predicting import EntityTagger
from openmed.predicting.blocks import in_blocks
from openmed.spans import Document

Item = TypeVar("Item")
_SOUND = "Aspirin relieves headache."


def annotate(tagger: EntityTagger, documents: Iterable[Document]) -> Iterator[Document]:
    """The documents with what the tagger finds, in order; the spans they came with are dropped, their words too."""
    return tagger.tag(map(bare, documents))


def annotate_each(tagger: EntityTagger, documents: Iterable[Document]) -> Iterator[tuple[Document, Document | str]]:
    """As `annotate`, each document with what became of it: one that cannot be tagged loses no neighbour.

    Raises:
        Exception: the tagger's own, where it is broken for every text.
    """
    for block in in_blocks(documents, size=tagger.chunk, length=lambda document: len(document.text)):
        yield from zip(block, tag_each(tagger, block, bare), strict=True)


def tag_each(
    tagger: EntityTagger, items: Sequence[Item], document_of: Callable[[Item], Document]
) -> list[Document | str]:
    """Of each item its document, tagged, or why it cannot be. They are tagged together, and one by one if that fails.

    Args:
        document_of: item -> document; what it raises is the item's own fault, too.

    Raises:
        Exception: the tagger's own, where it is broken for every text.
    """
    before = tagger.losses.copy()
    try:
        return list(tagger.tag(map(document_of, items)))
    except Exception:  # whatever it is, it must not cost the other documents
        tagger.losses = before
        return [_alone(tagger, item, document_of) for item in items]


def _alone(tagger: EntityTagger, item: Item, document_of: Callable[[Item], Document]) -> Document | str:
    try:
        return next(iter(tagger.tag([document_of(item)])))
    except Exception as error:
        tagger(_SOUND)  # raises where it is the tagger that is broken: then no document is to blame
        return f"cannot be tagged ({type(error).__name__}: {error})"


def bare(document: Document) -> Document:
    """Its text alone."""
    return Document(document.id, document.text, group=document.group)
