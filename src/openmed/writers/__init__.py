"""One writer per format: the inverse of `openmed.readers` (and HTML to look at). Each streams, and its file
appears only when whole.

write(read("corpus.tar.gz/train"), "train.jsonl", losses=losses)
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path

from openmed.errors import ConfigError, DataError, nearest
from openmed.spans import Document
from openmed.writers.atomic import atomic_path
from openmed.writers.bioc import write_bioc
from openmed.writers.brat import write_brat
from openmed.writers.conll import write_conll
from openmed.writers.csv import write_csv
from openmed.writers.html import write_html
from openmed.writers.jsonl import document_json, prediction_json, write_jsonl
from openmed.writers.pubtator import write_pubtator

__all__ = [
    "WRITERS",
    "atomic_path",
    "document_json",
    "prediction_json",
    "write",
    "write_bioc",
    "write_brat",
    "write_conll",
    "write_csv",
    "write_html",
    "write_jsonl",
    "write_pubtator",
]

WRITERS: dict[str, Callable[..., int]] = {
    "bioc": write_bioc,
    "brat": write_brat,
    "conll": write_conll,
    "csv": write_csv,
    "html": write_html,
    "jsonl": write_jsonl,
    "pubtator": write_pubtator,
}
_SUFFIXES = {
    ".xml": "bioc",
    ".json": "bioc",
    ".conll": "conll",
    ".csv": "csv",
    ".html": "html",
    ".jsonl": "jsonl",
    ".pubtator": "pubtator",
}


def write(
    documents: Iterable[Document],
    path: str | PathLike[str],
    *,
    format: str | None = None,
    losses: Counter[str] | None = None,
    **options,
) -> int:
    """Write documents to a file (of BRAT: to a new folder); returns how many.

    Args:
        format: one of `WRITERS`; None goes by the suffix.
        losses: what the format cannot hold is counted here, by kind.
        options: of that writer (for instance `words` of "conll", which finds the words of raw text).

    Raises:
        ConfigError: a format that is unknown or cannot be told, or an option that the format's writer does not have.
        DataError: a document that the format cannot hold.
    """
    if Path(path).suffix == ".gz":
        raise ConfigError(f"{path}: compressed files are read, not written", mend="gzip the file once it is written")
    name = format or _SUFFIXES.get(Path(path).suffix.lower())
    if name is None:
        raise ConfigError(
            f"the suffix of {path} tells no format", mend=f"say format= one of {', '.join(sorted(WRITERS))}"
        )
    if name not in WRITERS:
        raise ConfigError(f"unknown format {name!r}", mend=nearest(name, WRITERS))
    known = inspect.signature(WRITERS[name]).parameters.keys() - {"documents", "path", "folder", "losses"}
    for option in sorted(options.keys() - known):
        mend = nearest(option, known) if known else "leave it out: this format has none"
        raise ConfigError(f"format {name!r} has no option {option!r}", mend=mend)
    if Path(path).is_dir() and name != "brat":
        raise DataError("a folder is in the file's place", path=path, mend="choose another name")
    return WRITERS[name](documents, path, losses=losses, **options)
