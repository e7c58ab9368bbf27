"""From files and folders to tagged documents, streaming.

A `.txt` file (or `.txt.gz`) is one document; `.jsonl` holds one a line. Other formats of `openmed.readers` are read
for their text.

    for document in annotate(openmed.load(MODEL), read_inputs(["notes/", "more.jsonl"])): ...
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from openmed.errors import DataError
from openmed.predicting import EntityTagger
from openmed.readers import read
from openmed.readers.detect import SUFFIXES
from openmed.readers.lines import open_bytes
from openmed.spans import Document

TEXT_SUFFIXES = (".txt", ".text")


def annotate(tagger: EntityTagger, documents: Iterable[Document]) -> Iterator[Document]:
    """The documents with what the tagger finds, in order; the spans they came with are dropped, their words too."""
    return tagger.tag(Document(document.id, document.text, group=document.group) for document in documents)


def expand_inputs(paths: Iterable[str | Path]) -> list[Path]:
    """The files to read: each path that is a file, and every readable file below each that is a folder, sorted.

    Raises:
        DataError: a path that does not exist, or a folder without a readable file.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.is_file() and _kind(file))
            if not inside:
                known = ", ".join([*TEXT_SUFFIXES, *SUFFIXES])
                raise DataError("the folder holds no file to tag", path=path, mend=f"files may end in {known}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise DataError("no such file or folder", path=path, mend="check the path")
    return files


def read_inputs(paths: Iterable[str | Path]) -> Iterator[Document]:
    """Documents of all files, one file after the other."""
    for file in expand_inputs(paths):
        yield from read_input(file)


def read_input(path: Path) -> Iterator[Document]:
    """The documents of one file; a text file is one, named after it.

    Raises:
        DataError: a file that is not UTF-8, or not of the format its suffix says.
    """
    if _kind(path) != "text":
        yield from read(path)
        return
    try:
        with open_bytes(path) as file:
            data = file.read()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"the gzip file is cut off or damaged ({error})", path=path, mend="get the file again"
        ) from error
    yield Document(stem(path), decode_text(data, path))


def decode_text(data: bytes, source: str | Path) -> str:
    """UTF-8 as it stands: line ends and a byte-order mark are kept, since offsets count them.

    Raises:
        DataError: not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte 0x{data[error.start]:02x} at byte {error.start}",
            path=source,
            mend="convert it, for instance: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from error


def stem(path: Path) -> str:
    """The file's name without its suffix (and `.gz`)."""
    return Path(path.name.removesuffix(".gz")).stem


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix != ".gz"]
    if not suffixes:
        return None
    return "text" if suffixes[-1] in TEXT_SUFFIXES else SUFFIXES.get(suffixes[-1])
