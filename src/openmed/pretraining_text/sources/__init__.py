"""Raw text for pre-training, one streaming reader per native format: files, compressed or not, folders, archives.

for text in read_source("pubmed24n0001.xml.gz", format="medline", losses=losses): ...
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from os import PathLike
from pathlib import Path

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.arxiv import read_arxiv
from openmed.pretraining_text.sources.clinicaltrials import read_clinicaltrials
from openmed.pretraining_text.sources.jsonl import read_jsonl_texts
from openmed.pretraining_text.sources.medline import read_medline
from openmed.pretraining_text.sources.mimic import read_mimic
from openmed.pretraining_text.sources.plain import read_plain
from openmed.pretraining_text.sources.raw_text import RawText
from openmed.readers.containers import located
from openmed.readers.detect import data_files, files_aside
from openmed.readers.losses import FILE_PASSED_OVER

__all__ = ["SOURCES", "RawText", "read_source"]

SOURCES: Mapping[str, Callable[..., Iterator[RawText]]] = {
    "arxiv": read_arxiv,
    "clinicaltrials": read_clinicaltrials,
    "jsonl": read_jsonl_texts,
    "medline": read_medline,
    "mimic": read_mimic,
    "text": read_plain,
}

_CHECKSUMS = (".md5", ".sha1", ".sha256")
"""PubMed has one beside each file."""


def read_source(
    path: str | PathLike[str], *, format: str, losses: Counter[str] | None = None, **options: object
) -> Iterator[RawText]:
    """Stream the texts of a file, of all files of a folder (in the order of their names) or of an archive.

    Args:
        path: a file, which may end in `.gz` or `.xz`; a folder; an archive, or a place within one.
        format: one of `SOURCES`.
        losses: what is left out is counted here.
        options: of that format's reader.

    Raises:
        ConfigError: an unknown format, an option that it does not have.
        DataError: nothing there, and whatever the reader finds wrong; what came before has been given.
    """
    if format not in SOURCES:
        raise ConfigError(f"unknown format of text {format!r}", mend=nearest(format, SOURCES))
    known = inspect.signature(SOURCES[format]).parameters.keys() - {"path", "losses"}
    for option in sorted(options.keys() - known):
        raise ConfigError(f"format {format!r} has no option {option!r}", mend=nearest(option, known))
    return _texts(path, format, Counter() if losses is None else losses, options)


def _texts(
    path: str | PathLike[str], format: str, losses: Counter[str], options: Mapping[str, object]
) -> Iterator[RawText]:
    with located(path) as place:
        files = [place] if place.is_file() else _files(place, losses)
        if not files:
            raise DataError("the folder holds no files", path=path, mend="give the folder that holds the texts")
        for file in files:
            yield from SOURCES[format](file, losses=losses, **options)


def _files(folder: Path, losses: Counter[str]) -> list[Path]:
    found = data_files(folder)
    kept = [file for file in found if file.suffix not in _CHECKSUMS]
    if num_aside := len(files_aside(folder)) + len(found) - len(kept):
        losses[FILE_PASSED_OVER] += num_aside
    return kept
