"""Documents with what a tagger finds in them, streaming.

for document in annotate(openmed.load(MODEL), read_inputs(["notes/", "more.jsonl"])): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from openmed.predicting import EntityTagger
from openmed.spans import Document


def annotate(tagger: EntityTagger, documents: Iterable[Document]) -> Iterator[Document]:
    """The documents with what the tagger finds, in order; the spans they came with are dropped, their words too."""
    return tagger.tag(Document(document.id, document.text, group=document.group) for document in documents)
