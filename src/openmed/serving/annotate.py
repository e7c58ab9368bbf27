"""From files and folders to tagged documents, streaming.

A `.txt` file is one document; `.jsonl` holds one a line. Other formats of `openmed.readers` are read for their text.

    for document in annotate(openmed.load(MODEL), read_inputs(["notes/", "more.jsonl"])): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from openmed.errors import DataError
from openmed.predicting import EntityTagger
from openmed.readers import read
from openmed.readers.detect import SUFFIXES
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
    """The documents of one file; a text file is one, named by its file's stem.

    Raises:
        DataError: a file that is not UTF-8, or not of the format its suffix says.
    """
    if _kind(path) != "text":
        yield from read(path)
        return
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte 0x{error.object[error.start]:02x} at byte {error.start}",
            path=path,
            mend="convert the file, for instance: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from error
    yield Document(path.stem, text)


def _kind(path: Path) -> str | None:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix != ".gz"]
    if not suffixes:
        return None
    return "text" if suffixes[-1] in TEXT_SUFFIXES else SUFFIXES.get(suffixes[-1])
