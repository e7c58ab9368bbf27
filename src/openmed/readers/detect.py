"""Tells a file's format: by its suffix, or, where that says nothing (.txt, .tsv, none), by its first lines.

detect_format("corpus.txt")  # 'pubtator'
"""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path

from openmed.errors import DataError
from openmed.readers.conll_layout import find_layout
from openmed.readers.lines import numbered_lines

# Not .txt and .tsv: token files, PubTator and inline mark-up all come under both names.
SUFFIXES = {".conll": "conll", ".iob": "conll", ".bio": "conll", ".jsonl": "jsonl", ".pubtator": "pubtator"}

_OPENINGS = {
    "pubtator": re.compile(r"[^|\t]+\|[ta]\|"),
    "jsonl": re.compile(r"\{.*\}\s*$"),
    "inline": re.compile(r"@id\s+\S"),
}
"""How a file of that format opens, after empty lines and comments (#)."""


def detect_format(path: str | PathLike[str]) -> str:
    """The format by the suffix (`.gz` aside), else by the first line with content, else "conll" if words have tags.

    Raises:
        DataError: neither tells, or the file cannot be read or is empty.
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix != ".gz"]
    if suffixes and suffixes[-1] in SUFFIXES:
        return SUFFIXES[suffixes[-1]]
    first = _first_line(path)
    for name, opening in _OPENINGS.items():
        if opening.match(first):
            return name
    try:
        find_layout(Path(path), separator=None, token=None, tag=None)
    except DataError as error:
        if error.line is not None:  # a fault of the file, such as its encoding, whatever the format
            raise
        raise DataError(
            "neither its suffix nor its first lines tell the format",
            path=path,
            text=first,
            mend=f"say dataset.format= one of conll, {', '.join(sorted(_OPENINGS))}",
        ) from error
    return "conll"


def _first_line(path: str | PathLike[str]) -> str:
    """The first line that is neither empty nor a comment; a comment where there is no other."""
    comment = ""
    for _, line in numbered_lines(path):
        if line.strip() and not line.startswith("#"):
            return line
        comment = comment or line.strip()
    if not comment:
        raise DataError("the file is empty", path=path, mend="check that the download or export is complete")
    return comment
