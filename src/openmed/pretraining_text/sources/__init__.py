"""Raw text for pre-training, one streaming reader per native format: files, compressed or not, folders, archives;
and the training splits of NER corpora, by their names.

for text in read_source("pubmed24n0001.xml.gz", format="medline", losses=losses): ...
for text in read_part("pubmed", 3, 32, format="medline", losses=losses): ...
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from os import PathLike
from pathlib import Path

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.arxiv import read_arxiv
from openmed.pretraining_text.sources.clinicaltrials import read_clinicaltrials
from openmed.pretraining_text.sources.corpus import CORPUS, read_corpus
from openmed.pretraining_text.sources.jsonl import read_jsonl_texts
from openmed.pretraining_text.sources.medline import last_deletions, read_medline
from openmed.pretraining_text.sources.mimic import read_mimic
from openmed.pretraining_text.sources.plain import read_plain
from openmed.pretraining_text.sources.raw_text import RawText
from openmed.readers.containers import located, split_archive
from openmed.readers.detect import data_files, files_aside
from openmed.readers.losses import FILE_PASSED_OVER

__all__ = [
    "MEDLINE",
    "SOURCES",
    "RawText",
    "deletions_of_part",
    "files_of_part",
    "list_files",
    "options_of",
    "read_part",
    "read_source",
]

MEDLINE = "medline"

SOURCES: Mapping[str, Callable[..., Iterator[RawText]]] = {
    "arxiv": read_arxiv,
    "clinicaltrials": read_clinicaltrials,
    CORPUS: read_corpus,
    "jsonl": read_jsonl_texts,
    MEDLINE: read_medline,
    "mimic": read_mimic,
    "text": read_plain,
}

BLOCK = 64
"""Texts in a row that go to one part before it is the next part's turn: near neighbours stay together."""
_CHECKSUMS = (".md5", ".sha1", ".sha256")
"""PubMed has one beside each file."""


def read_source(
    path: str | PathLike[str], *, format: str, losses: Counter[str] | None = None, **options: object
) -> Iterator[RawText]:
    """Stream the texts of a file, of all files of a folder (in the order of their names) or of an archive.

    Args:
        path: a file, which may end in `.gz` or `.xz`; a folder; an archive, or a place within one. Of the format
            "corpus" the name of a corpus.
        format: one of `SOURCES`.
        losses: what is left out is counted here.
        options: of that format's reader.

    Raises:
        ConfigError: an unknown format, an option that it does not have.
        DataError: nothing there, and whatever the reader finds wrong; what came before has been given.
    """
    return read_part(path, 0, 1, format=format, losses=losses, options=options)


def read_part(
    path: str | PathLike[str],
    part: int,
    parts: int,
    *,
    format: str,
    losses: Counter[str] | None = None,
    options: Mapping[str, object] | None = None,
    deleted: Mapping[str, str] | None = None,
) -> Iterator[RawText]:
    """Stream a part of a source: all `parts` together give each text once, and count each loss once.

    Of as many files as parts, or more, a part reads its own. Where there are fewer, each part reads them all and gives
    every `parts`-th block of texts: native formats cannot be entered in the middle.

    Args, Raises: as `read_source`.

    Args:
        deleted: `deletions_of_part` of all parts together, if at hand; None looks through all files.
    """
    if format not in SOURCES:
        raise ConfigError(f"unknown format of text {format!r}", mend=nearest(format, SOURCES))
    options = options or {}
    known = options_of(format)
    for option in sorted(options.keys() - set(known)):
        raise ConfigError(f"format {format!r} has no option {option!r}", mend=nearest(option, known))
    return _texts(path, part, parts, format, Counter() if losses is None else losses, options, deleted)


def options_of(format: str) -> list[str]:
    """Names of the options of a format's reader, in the order of its parameters."""
    parameters = inspect.signature(SOURCES[format]).parameters
    return [name for name in parameters if name not in ("path", "losses", "deleted")]


def deletions_of_part(path: str | PathLike[str], part: int, parts: int) -> dict[str, str]:
    """PMID -> name of the last file whose deletions name it, of those of a MEDLINE source that fall to a part.

    Of all parts together, each file is looked through once.

    Raises:
        DataError: as `read_source`, of files that are damaged.
    """
    with located(path) as place:
        files = list_files(place)
        shared = len(files) < parts
        return last_deletions(() if shared and part > 0 else files_of_part(files, part, parts), check=True)


def list_files(place: Path) -> list[Path]:
    """The files that a source is read from: itself, those of a folder in the order of their names, an archive."""
    outer, _ = split_archive(place)
    if not outer.is_dir():
        return [outer]
    return [file for file in data_files(outer) if file.suffix not in _CHECKSUMS]


def files_of_part(files: Sequence[Path], part: int, parts: int) -> Sequence[Path]:
    """Those that a part reads: its own, or all where there are fewer files than parts."""
    return files[part::parts] if len(files) >= parts else files


def _texts(
    path: str | PathLike[str],
    part: int,
    parts: int,
    format: str,
    losses: Counter[str],
    options: Mapping[str, object],
    deleted: Mapping[str, str] | None,
) -> Iterator[RawText]:
    if format == CORPUS:  # a name, and no place
        yield from _blocks(read_corpus(path, losses=losses if part == 0 else Counter()), part, parts)
        return
    with located(path) as place:
        files = list_files(place)
        if not files:
            raise DataError("the folder holds no files", path=path, mend="give the folder that holds the texts")
        if part == 0 and (num_aside := _num_aside(place, len(files))):
            losses[FILE_PASSED_OVER] += num_aside
        whole_files = len(files) >= parts
        if not whole_files and part > 0:
            losses = Counter()  # each part meets them all: the first one counts them
        mine = files_of_part(files, part, parts)
        if format == MEDLINE:
            options = {**options, "deleted": last_deletions(files) if deleted is None else deleted}
        texts = chain.from_iterable(SOURCES[format](file, losses=losses, **options) for file in mine)
        yield from texts if whole_files else _blocks(texts, part, parts)


def _blocks(texts: Iterable[RawText], part: int, parts: int) -> Iterator[RawText]:
    """Every `parts`-th block of texts, from the `part`-th on."""
    return (text for number, text in enumerate(texts) if number // BLOCK % parts == part)


def _num_aside(place: Path, num_files: int) -> int:
    """Files of a folder that are passed over for their names."""
    return len(files_aside(place)) + len(data_files(place)) - num_files if place.is_dir() else 0
