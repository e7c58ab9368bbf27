"""CSV for spreadsheets and statistics: one row per mention, under a header.

    write_csv(documents, "mentions.csv")

Cells hold exactly what the documents hold, so that text and offsets stay comparable. A spreadsheet takes a cell that
begins with =, +, - or @ for a formula: import files with text of strangers with these columns set to "text".
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable
from os import PathLike

from openmed.spans import Document, Span
from openmed.writers.atomic import atomic_path
from openmed.writers.losses import SENTENCES_NOT_WRITTEN, WORDS_NOT_WRITTEN, count_not_written

COLUMNS = ("document", "group", "start", "end", "label", "text", "score", "identifier", "fragments", "model")
NO_ROW = "document_without_mentions"
"""Loss, counted in documents: without mentions a document has no row."""


def write_csv(documents: Iterable[Document], path: str | PathLike[str], *, losses: Counter[str] | None = None) -> int:
    """Write the mentions of the documents, in order; returns how many documents. The file appears only when whole.

    The file is UTF-8 without BOM, with commas, CRLF and doubled quotes (RFC 4180); read it with `newline=""`. `text`
    is the text from `start` to `end` (characters of the document, end exclusive), gaps of a discontinuous mention
    included; its `fragments` are written "0-4;8-12". Scores have six decimals. Cells stay empty where nothing is
    known. Of the documents' text nothing but the mentions is kept.

    Args:
        losses: counts `NO_ROW`, and documents whose words or sentences are not written.
    """
    losses = Counter() if losses is None else losses
    number = 0
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for document in documents:
            count_not_written(document, losses, WORDS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN)
            rows.writerows(_row(document, span) for span in document.spans)
            if not document.spans:
                losses[NO_ROW] += 1
            number += 1
    return number


def _row(document: Document, span: Span) -> tuple[str | int | float | None, ...]:
    return (
        document.id,
        document.group,
        span.start,
        span.end,
        span.label,
        document.mention(span),
        None if span.score is None else round(span.score, 6),
        span.identifier,
        ";".join(f"{start}-{end}" for start, end in span.fragments),
        span.model,
    )
