"""The types of a corpus's files made those to learn: renamed, joined, or left out.

documents = map_types(documents, {"Gene_or_gene_product": "Gene", "Organ": None}, others="keep", ...)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from openmed.errors import DataError, nearest
from openmed.spans import Document, Span

DROPPED_TYPE = "mention_of_dropped_type"


def noting_types(documents: Iterable[Document], types: set[str]) -> Iterator[Document]:
    """The documents as they are, their types added to `types` as they go by."""
    for document in documents:
        types.update(span.label for span in document.spans)
        yield document


def map_types(
    documents: Iterable[Document], types: Mapping[str, str | None], others: str, path: Path, losses: Counter[str]
) -> Iterator[Document]:
    """The documents with the types that `types` gives; a mention of a type mapped to None is left out and counted.

    Args:
        others: what becomes of types that `types` does not name: "refuse", "keep" or "drop".
        path: for errors.

    Raises:
        DataError: a type that is not named, when these are refused.
    """
    for document in documents:
        spans: list[Span] = []
        for span in document.spans:
            if span.label not in types and others == "refuse":
                raise DataError(
                    f"document {document.id!r} has a mention of type {span.label!r}, which dataset.types does not name",
                    path=path,
                    text=document.mention(span),
                    mend="add it to dataset.types, or map it to null to leave it out, or say dataset.other_types=keep "
                    f"or drop. {nearest(span.label, types)}",
                )
            label = types.get(span.label, span.label if others == "keep" else None)
            if label is None:
                losses[DROPPED_TYPE] += 1
            else:
                spans.append(replace(span, label=label))
        yield document.with_spans(spans)
