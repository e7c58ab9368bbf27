"""From files and folders to documents, streaming: what `openmed predict` takes.

A `.txt` file is one document; `.jsonl`, `.csv` and `.tsv` hold one a line or row, PubMed's `.xml` one a record. The
formats of `openmed.readers` are read for their text; of a BRAT folder the texts are the `.txt` files. All of them may
be compressed (`.gz`).

    for document in read_inputs(["notes/", "more.jsonl"]): ...
    for document in read_input(Path("x.tsv"), Reading(text_column="abstract"), refused=errors.append): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from openmed.errors import ConfigError, DataError, OpenMedError, nearest
from openmed.pretraining_text.sources.medline import read_medline
from openmed.readers import READERS, detect_format, read
from openmed.readers.csv import is_of_mentions, read_csv
from openmed.readers.detect import SUFFIXES, data_files
from openmed.readers.jsonl import read_jsonl
from openmed.readers.lines import byte_blocks, conversion
from openmed.spans import Document

TEXT, TABLE, MEDLINE = "text", "csv", "medline"
FORMATS = (TEXT, MEDLINE, *sorted(READERS))
TEXT_SUFFIXES = (".txt", ".text")
TABLE_SUFFIXES = (".tsv", ".tab")
"""Tables where their header has the column of the text; token files and PubTator come under these names, too."""
COMPRESSED = (".gz", ".xz")

_MEDLINE_ROOT = re.compile(rb"<(?:PubmedArticleSet|MedlineCitationSet)\b")
_ROOT = re.compile(rb"<[A-Za-z]")
Refused = Callable[[DataError], None]


@dataclass(frozen=True)
class Reading:
    """How inputs are read.

    Args:
        format: of all of them, one of `FORMATS`; None goes by each file's suffix, then its first lines.
        text_column, id_column: of tables (see `read_csv`).

    Raises:
        ConfigError: an unknown format.
    """

    format: str | None = None
    text_column: str = "text"
    id_column: str | None = None

    def __post_init__(self) -> None:
        if self.format not in (None, *FORMATS):
            raise ConfigError(f"unknown format {self.format!r}", mend=nearest(str(self.format), FORMATS))


def expand_inputs(
    paths: Iterable[str | Path], reading: Reading | None = None, *, without: Path | None = None
) -> list[Path]:
    """The files to read: each path that is a file, and every readable file below each that is a folder, sorted.

    Of a folder hidden files are left out and, unless a format is told, those whose suffix says nothing.

    Args:
        without: a folder whose files are not inputs, though it may lie in one: that of the results.

    Raises:
        DataError: a path that does not exist, or a folder without a readable file.
    """
    told = reading is not None and reading.format is not None
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = data_files(path) if told else [file for file in _shown(path) if _by_suffix(file)]
            inside = [file for file in inside if without is None or not file.is_relative_to(without)]
            if not inside:
                known = ", ".join([*TEXT_SUFFIXES, *TABLE_SUFFIXES, *SUFFIXES])
                raise DataError("the folder holds no file to tag", path=path, mend=f"files may end in {known}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise DataError("no such file or folder", path=path, mend="check the path")
    return files


def read_inputs(paths: Iterable[str | Path], reading: Reading | None = None) -> Iterator[Document]:
    """Documents of all files, one file after the other."""
    for file in expand_inputs(paths, reading):
        yield from read_input(file, reading)


def read_input(
    path: Path,
    reading: Reading | None = None,
    *,
    refused: Refused | None = None,
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """The documents of one file; a text file is one, named after it.

    Args:
        refused: is told what is wrong with a line of JSONL or a row of a table, which is then left out; None raises.
            Other formats end at their first fault.
        losses: what the format's reader counts.

    Raises:
        DataError: a file that cannot be read, is not UTF-8 or not of the format its suffix says; a table of mentions.
        ConfigError: a table without the column of the text.
    """
    reading = reading or Reading()
    losses = Counter() if losses is None else losses
    format = format_of(path, reading)
    if format == TEXT:
        yield Document(stem(path), decode_text(b"".join(byte_blocks(path)), path))
    elif format == MEDLINE:
        for text in read_medline(path, losses=losses, titles=True):
            yield Document(text.pmid or text.id, text.text)
    elif format == TABLE:
        if reading.id_column is None and is_of_mentions(path):
            raise DataError(
                "the table holds mentions (document, start, end, label, text), and not the texts that they are of",
                path=path,
                mend="give the texts themselves (openmed score takes such a table as GOLD or PRED); if its rows are "
                "texts all the same, say which column is their id: --id-column",
            )
        yield from _read_table(path, reading, refused, losses)
    elif format == "jsonl":
        yield from read_jsonl(path, refused=refused, losses=losses)
    else:
        yield from read(path, format=format, losses=losses)


def _read_table(path: Path, reading: Reading, refused: Refused | None, losses: Counter[str]) -> Iterator[Document]:
    try:
        yield from read_csv(path, text=reading.text_column, id=reading.id_column, refused=refused, losses=losses)
    except ConfigError as error:  # no such column
        raise ConfigError(error.problem, mend=f"say --text-column or --id-column: {error.mend}") from error


def read_sound(
    path: Path,
    reading: Reading | None = None,
    *,
    refused: Callable[[OpenMedError], None],
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """As `read_input`, but nothing is raised: `refused` is told of all that is wrong, which ends at most this file."""
    try:
        yield from read_input(path, reading, refused=refused, losses=losses)
    except OpenMedError as error:
        refused(error)
    except OSError as error:
        refused(DataError(f"cannot be read ({error.strerror or error})", path=path))


def format_of(path: Path, reading: Reading) -> str:
    """One of `FORMATS`.

    Raises:
        DataError: neither the suffix nor the first lines tell, or the file cannot be read.
    """
    suffix = _suffix(path)
    if reading.format is not None:
        return reading.format
    if suffix in TEXT_SUFFIXES:
        return TEXT
    if suffix in TABLE_SUFFIXES and reading.text_column in _header(path).split("\t"):
        return TABLE
    if suffix == ".xml" and _is_medline(path):
        return MEDLINE
    try:
        return detect_format(path)
    except DataError as error:
        if error.mend is None or "format=" not in error.mend:
            raise
        mend = f"say --format, one of {', '.join(FORMATS)}"
        if suffix in TABLE_SUFFIXES and len(columns := _header(path).split("\t")) > 1:
            mend = f"if it is a table, say --text-column, one of {', '.join(columns)}; else {mend}"
        raise DataError(error.problem, path=path, line=error.line, text=error.text, mend=mend) from error


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
            mend=conversion(data, error),
        ) from error


def stem(path: Path) -> str:
    """The file's name without its suffix (and `.gz`)."""
    return Path(path.stem if path.suffix in COMPRESSED else path.name).stem


def _suffix(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix not in COMPRESSED]
    return suffixes[-1] if suffixes else ""


def _by_suffix(path: Path) -> bool:
    return _suffix(path) in (*TEXT_SUFFIXES, *TABLE_SUFFIXES, *SUFFIXES)


def _shown(folder: Path) -> list[Path]:
    files = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _header(path: Path) -> str:
    first = next(byte_blocks(path), b"").split(b"\n", 1)[0]
    return first.decode("utf-8-sig", errors="replace").rstrip("\r")


def _is_medline(path: Path) -> bool:
    """By the outermost element, which comes after a declaration and comments; BioC's is another."""
    head = b"".join(islice(byte_blocks(path), 2))
    root = _ROOT.search(head)
    return root is not None and _MEDLINE_ROOT.match(head, root.start()) is not None
