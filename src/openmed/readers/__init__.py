"""One reader per format. Each streams `Document`s from a file and names file, line, text and mend when it cannot.

for document in read("corpus.tsv", format="conll", scheme="iob2", default_type="Species"): ...
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path

from openmed.errors import ConfigError, DataError, nearest
from openmed.readers.bc2gm import read_bc2gm
from openmed.readers.bioc import read_bioc
from openmed.readers.brat import read_brat
from openmed.readers.conll import read_conll
from openmed.readers.containers import ARCHIVE_SUFFIXES, located
from openmed.readers.csv import read_csv
from openmed.readers.detect import data_files, detect_format, files_aside
from openmed.readers.inline import format_inline, read_inline
from openmed.readers.jsonl import read_jsonl
from openmed.readers.losses import FILE_PASSED_OVER
from openmed.readers.pubtator import read_pubtator
from openmed.spans import Document

__all__ = [
    "READERS",
    "detect_format",
    "format_inline",
    "read",
    "read_bc2gm",
    "read_bioc",
    "read_brat",
    "read_conll",
    "read_csv",
    "read_inline",
    "read_jsonl",
    "read_pubtator",
]

READERS: dict[str, Callable[..., Iterator[Document]]] = {
    "bc2gm": read_bc2gm,
    "bioc": read_bioc,
    "brat": read_brat,
    "conll": read_conll,
    "csv": read_csv,
    "inline": read_inline,
    "jsonl": read_jsonl,
    "pubtator": read_pubtator,
}


def read(
    path: str | PathLike[str], *, format: str | None = None, losses: Counter[str] | None = None, **options
) -> Iterator[Document]:
    """Stream the documents of a file, of all files of a folder, or of an archive (or a place within one).

    Args:
        format: one of `READERS`; None goes by the file's suffix or content (`detect_format`).
        losses: what could not be kept is counted here.
        options: of that reader (for instance `scheme` and `default_type` of "conll").

    Raises:
        ConfigError: an option that the format's reader does not have.
        DataError: a format that is unknown or cannot be told, and whatever the reader finds wrong.
    """
    name = format or detect_format(path)
    if name not in READERS:
        raise DataError(f"unknown format {name!r}", path=path, mend=nearest(name, READERS))
    known = inspect.signature(READERS[name]).parameters.keys() - {"path", "losses"}
    for option in sorted(options.keys() - known):
        mend = nearest(option, known) if known else "leave it out: this format has none"
        raise ConfigError(f"format {name!r} has no option {option!r}", mend=mend)
    packed = Path(path).name.lower().endswith(ARCHIVE_SUFFIXES)
    if name == "brat" or (Path(path).is_file() and not packed):
        return READERS[name](path, losses=losses, **options)
    return _read_inside(path, name, losses, options)


def _read_inside(
    path: str | PathLike[str], name: str, losses: Counter[str] | None, options: dict
) -> Iterator[Document]:
    """The files of a folder, one after the other; of an archive, what stands in it. Those passed over are counted."""
    with located(path) as place:
        one = place.is_file() or name == "bc2gm"
        if losses is not None and not one and (aside := files_aside(place)):
            losses[FILE_PASSED_OVER] += len(aside)
        for file in [place] if one else data_files(place):
            yield from READERS[name](file, losses=losses, **options)
