"""One reader per format. Each streams `Document`s from a file and names file, line, text and mend when it cannot.

for document in read("corpus.tsv", format="conll", scheme="iob2", default_type="Species"): ...
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from os import PathLike

from openmed.errors import ConfigError, DataError, nearest
from openmed.readers.conll import read_conll
from openmed.readers.detect import detect_format
from openmed.readers.inline import format_inline, read_inline
from openmed.readers.jsonl import read_jsonl
from openmed.readers.pubtator import read_pubtator
from openmed.spans import Document

__all__ = [
    "READERS",
    "detect_format",
    "format_inline",
    "read",
    "read_conll",
    "read_inline",
    "read_jsonl",
    "read_pubtator",
]

READERS: dict[str, Callable[..., Iterator[Document]]] = {
    "conll": read_conll,
    "inline": read_inline,
    "jsonl": read_jsonl,
    "pubtator": read_pubtator,
}


def read(
    path: str | PathLike[str], *, format: str | None = None, losses: Counter[str] | None = None, **options
) -> Iterator[Document]:
    """Stream the documents of a file.

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
    return READERS[name](path, losses=losses, **options)
