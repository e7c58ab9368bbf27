"""What a source is read from, as it is on this machine: whether it is there, its size, and what tells that it changed.

check_at_hand(source); unpacked_bytes(source); part_digests(source, 4)
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from openmed.corpora import CorpusSpec, corpus_file
from openmed.corpora.load import split_hashes
from openmed.errors import DataError
from openmed.pretraining_text.mix import Source
from openmed.pretraining_text.sources import files_of_part, list_files
from openmed.pretraining_text.sources.corpus import SPLIT
from openmed.readers.containers import split_archive

_CHOOSING = ("format", "options", "ids", "types", "other_types", "groups", "dev", "dev_fraction", "split_seed")
"""Settings of a corpus that decide which documents are its training split, or another."""
UNPACKED = {".gz": 4, ".tgz": 4, ".zip": 4, ".bz2": 5, ".tbz2": 5, ".xz": 5, ".txz": 5}
"""How many times as large a packed file is unpacked, by the end of its name; xz makes 60 MB of JSON lines of 13."""


def check_at_hand(source: Source) -> None:
    """Raises:
    DataError: the source is not there; of a corpus, as `openmed.corpora.load_split`: a file is altered, or missing and
        not to be fetched.
    """
    if (spec := source.corpus) is not None:
        split_hashes(spec, SPLIT)
    elif not source.place.exists() and not any(parent.is_file() for parent in source.place.parents):
        raise DataError(
            f"source {source.name!r} is not there",
            path=source.place,
            mend="set OPENMED_DATA to the folder that holds it, correct its path, or leave it out",
        )


def unpacked_bytes(source: Source) -> int:
    """About how many bytes the source has when nothing is compressed. It is at hand."""
    if (spec := source.corpus) is not None:
        places = [corpus_file(spec, name) for name in split_hashes(spec, SPLIT)]
    else:
        places = [source.place]
    return sum(size * UNPACKED.get(file.suffix.lower(), 1) for place in places for file, size in _files(place))


def bytes_at(place: Path) -> int:
    """Bytes of a file, of all files of a folder, or of the archive that a place lies in; 0 where there is nothing."""
    return sum(size for _, size in _files(place))


def _files(place: Path) -> list[tuple[Path, int]]:
    outer, _ = split_archive(place)
    files = outer.rglob("*") if outer.is_dir() else [outer]
    return [(file, file.stat().st_size) for file in files if file.is_file()]


def part_digests(source: Source, parts: int) -> list[str]:
    """Of what each part reads: names and sizes of its files; of a corpus, whose every part reads all, the content."""
    if (spec := source.corpus) is not None:
        return [split_digest(spec, SPLIT)] * parts
    files = list_files(source.place)
    sizes = {file: file.stat().st_size if file.exists() else None for file in files}
    return [_digest([[str(file), sizes[file]] for file in files_of_part(files, part, parts)]) for part in range(parts)]


def split_digest(spec: CorpusSpec, split: str) -> str:
    """Of what decides which texts a split of a corpus gives.

    Raises:
        DataError: as `openmed.corpora.load_split` of a file that is missing or altered.
    """
    return _digest([split_hashes(spec, split), [repr(getattr(spec, key)) for key in _CHOOSING]])


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
