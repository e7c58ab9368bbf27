"""MIMIC-III's `NOTEEVENTS.csv`: clinical notes. Access to them is granted by PhysioNet; whoever has it brings the file.

    for text in read_mimic("NOTEEVENTS.csv.gz", losses=losses, categories=["Discharge summary"]): ...

Hard line breaks are joined; a section's head ("Chief Complaint:") opens a paragraph. De-identification marks ([** **])
are kept as they are.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from os import PathLike

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.losses import ERRONEOUS_NOTE, NO_TEXT, OTHER_CATEGORY
from openmed.pretraining_text.sources.raw_text import RawText, paragraphs
from openmed.readers.lines import numbered_lines

COLUMNS = (
    "ROW_ID",
    "SUBJECT_ID",
    "HADM_ID",
    "CHARTDATE",
    "CHARTTIME",
    "STORETIME",
    "CATEGORY",
    "DESCRIPTION",
    "CGID",
    "ISERROR",
    "TEXT",
)
_NEEDED = ("ROW_ID", "CATEGORY", "ISERROR", "TEXT")
CATEGORIES = (
    "Case Management",
    "Consult",
    "Discharge summary",
    "ECG",
    "Echo",
    "General",
    "Nursing",
    "Nursing/other",
    "Nutrition",
    "Pharmacy",
    "Physician",
    "Radiology",
    "Rehab Services",
    "Respiratory",
    "Social Work",
)
_MEND = f"the file's first line is {','.join(COLUMNS)} (the case of letters and the order do not matter)"

_HEAD = re.compile(
    r"[ \t]*(?:[A-Z][\w/&'()-]*(?:[ ,]+(?:[A-Z][\w/&'()-]*|and|or|of|on|to|in|for|the|with|at|by)){0,6}[ \t]*:"
    r"|[A-Z][\w/&'()-]*(?:[ ,]+[\w/&'()-]+){0,6}[ \t]*:[ \t]*$)"
)
"""How a section's head begins a line: up to seven capitalised words and a colon; any words, if the line ends there."""


def read_mimic(
    path: str | PathLike[str], *, losses: Counter[str], categories: Sequence[str] | None = None
) -> Iterator[RawText]:
    """Stream the notes of the table (`.gz`, `.xz` or plain).

    Args:
        losses: counts notes marked as errors, those of other categories, and empty ones.
        categories: of `CATEGORIES`; None is all.

    Raises:
        ConfigError: an unknown category.
        DataError: columns that are missing, a row of another number of columns, a quote that is not closed, not UTF-8.
    """
    categories = (categories,) if isinstance(categories, str) else categories
    known = {category.lower() for category in CATEGORIES}
    for category in categories or ():
        if category.strip().lower() not in known:
            raise ConfigError(f"MIMIC-III has no category {category!r}", mend=nearest(category, CATEGORIES))
    chosen = None if categories is None else frozenset(category.strip().lower() for category in categories)
    return _texts(path, losses, chosen)


def _texts(path: str | PathLike[str], losses: Counter[str], categories: frozenset[str] | None) -> Iterator[RawText]:
    for row, category, is_error, text in _notes(path):
        if is_error.strip() == "1":
            losses[ERRONEOUS_NOTE] += 1
        elif categories is not None and category.strip().lower() not in categories:
            losses[OTHER_CATEGORY] += 1
        elif parts := paragraphs(text, opening=_HEAD):
            yield RawText(f"mimic:{row}", "\n\n".join(parts))
        else:
            losses[NO_TEXT] += 1


def _notes(path: str | PathLike[str]) -> Iterator[tuple[str, str, str, str]]:
    """(ROW_ID, CATEGORY, ISERROR, TEXT) of each row."""
    # csv wants the line ends, since they are part of a quoted field.
    rows = csv.reader((f"{line}\n" for _, line in numbered_lines(path)), strict=True)
    places: list[int] = []
    num_columns = 0
    line = 1
    try:
        for row in rows:
            if not places:
                places, num_columns = _places(row, path), len(row)
            elif row:
                if len(row) != num_columns:
                    raise _refusal(f"{len(row)} columns instead of {num_columns}", path, line, ",".join(row))
                id, category, is_error, text = (row[place] for place in places)
                yield id, category, is_error, text
            line = rows.line_num + 1
    except csv.Error as error:
        raise _refusal(f"not CSV: the row that begins here cannot be read ({error})", path, line, None) from error
    if not places:
        raise DataError("the file is empty", path=path, mend=_MEND)


def _places(header: list[str], path: str | PathLike[str]) -> list[int]:
    """Where the columns that are read stand in the header."""
    names = [name.strip().upper() for name in header]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        problem = f"no column {' or '.join(missing)}"
        raise DataError(problem, path=path, line=1, text=",".join(header), mend=_MEND)
    return [names.index(name) for name in _NEEDED]


def _refusal(problem: str, path: str | PathLike[str], line: int, text: str | None) -> DataError:
    mend = 'a field with commas, quotes or line ends stands in quotes, and a quote within it is doubled ("")'
    return DataError(problem, path=path, line=line, text=text, mend=mend)
