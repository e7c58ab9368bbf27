"""Lines of a text file, with their numbers: UTF-8 told plainly when it is not, gzip, BOM, CRLF, NUL.

for number, line in numbered_lines("corpus.txt.gz"): ...
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from openmed.errors import DataError


def open_bytes(path: str | PathLike[str]) -> BinaryIO:
    """The file's bytes, decompressed when its name ends in `.gz`.

    Raises:
        DataError: the file cannot be opened.
    """
    try:
        return cast(BinaryIO, gzip.open(path, "rb")) if Path(path).suffix == ".gz" else Path(path).open("rb")
    except OSError as error:
        raise DataError(
            f"cannot be opened ({error.strerror})", path=path, mend="check the path and its rights"
        ) from error


def numbered_lines(path: str | PathLike[str]) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) of a UTF-8 file, one at a time.

    Raises:
        DataError: not UTF-8, a NUL character, a broken gzip.
    """
    with open_bytes(path) as file:
        number = 0
        try:
            for number, raw in enumerate(file, start=1):
                yield number, _decode(raw, path, number)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(
                f"the gzip file is cut off or damaged ({error})",
                path=path,
                line=number or None,
                mend="get the file again",
            ) from error


def _decode(raw: bytes, path: str | PathLike[str], number: int) -> str:
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start} of the line",
            path=path,
            line=number,
            text=raw.decode("utf-8", errors="replace").rstrip("\r\n"),
            mend="convert the file, for instance: iconv -f latin1 -t utf-8 FILE > NEW",
        ) from error
    if "\0" in line:
        raise DataError(
            "a NUL character", path=path, line=number, text=line, mend="remove it: the file is not plain text"
        )
    return line.rstrip("\r\n")
