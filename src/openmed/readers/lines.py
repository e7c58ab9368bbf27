"""Lines of a text file, with their numbers: UTF-8 told plainly when it is not, gzip, xz, BOM, CRLF, NUL.

for number, line in numbered_lines("corpus.txt.gz"): ...
for block in byte_blocks("pubmed24n0001.xml.gz"): ...
"""

from __future__ import annotations

import codecs
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from os import PathLike
from pathlib import Path
from typing import BinaryIO, cast

from openmed.errors import DataError

_BLOCK_SIZE = 1 << 16
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError)
"""What the libraries raise of a compressed file that is cut off or altered."""
UTF_16_MEND = "it looks like UTF-16, so convert it: iconv -f utf-16 -t utf-8 FILE > NEW"


def open_bytes(path: str | PathLike[str]) -> BinaryIO:
    """The file's bytes, decompressed when its name ends in `.gz` or `.xz`.

    Raises:
        DataError: the file cannot be opened, or is compressed by Zstandard (`.zst`).
    """
    suffix = Path(path).suffix
    if suffix == ".zst":
        raise DataError("Zstandard files are not read here", path=path, mend="unpack it first: zstd -d FILE.zst")
    try:
        if suffix == ".gz":
            return cast(BinaryIO, gzip.open(path, "rb"))
        return cast(BinaryIO, lzma.open(path, "rb")) if suffix == ".xz" else Path(path).open("rb")
    except OSError as error:
        raise DataError(
            f"cannot be opened ({error.strerror})", path=path, mend="check the path and its rights"
        ) from error


def byte_blocks(path: str | PathLike[str]) -> Iterator[bytes]:
    """The file's bytes (see `open_bytes`) in blocks of at most 64 KiB.

    Raises:
        DataError: it cannot be opened; a broken gzip or xz, after the blocks before the damage.
    """
    with open_bytes(path) as file:
        try:
            while block := file.read(_BLOCK_SIZE):
                yield block
        except DAMAGE as error:
            raise damaged(path, error) from error


def numbered_lines(
    path: str | PathLike[str], *, refused: Callable[[DataError], None] | None = None
) -> Iterator[tuple[int, str]]:
    """(line number from 1, line without its end) of a UTF-8 file, one at a time.

    Args:
        refused: is told what is wrong with a line, which is then left out; None raises at the first.

    Raises:
        DataError: not UTF-8, a NUL character, a broken gzip or xz.
    """
    with open_bytes(path) as file:
        number = 0
        try:
            for number, raw in enumerate(file, start=1):
                try:
                    line = _decode(raw, path, number)
                except DataError as error:
                    if refused is None:
                        raise
                    refused(error)
                else:
                    yield number, line
        except DAMAGE as error:
            raise damaged(path, error, line=number or None) from error


def damaged(path: str | PathLike[str], error: Exception, line: int | None = None) -> DataError:
    """What to raise of a compressed file that is, after `DAMAGE`."""
    kind = "xz" if Path(path).suffix == ".xz" else "gzip"
    return DataError(
        f"the {kind} file is cut off or damaged ({error})", path=path, line=line, mend="get the file again"
    )


def conversion(data: bytes, error: UnicodeDecodeError) -> str:
    """How to mend bytes that are not UTF-8, by what they look like.

    Args:
        error: what decoding them raised.
    """
    if looks_like_utf_16(data):
        return UTF_16_MEND
    if not data[: error.start].isascii():
        return "what comes before is UTF-8: get the file again, or replace the byte"
    if error.end == len(data) and error.reason == "unexpected end of data":
        return "get the file again if it is cut off, else convert it: iconv -f latin1 -t utf-8 FILE > NEW"
    return "convert it, for instance: iconv -f latin1 -t utf-8 FILE > NEW"


def looks_like_utf_16(data: bytes) -> bool:
    """By the byte-order mark, or by many NUL bytes: every other one in English."""
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 4 * data.count(0) > max(len(data), 8)


def _decode(raw: bytes, path: str | PathLike[str], number: int) -> str:
    try:
        line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start} of the line",
            path=path,
            line=number,
            text=raw.decode("utf-8", errors="replace").rstrip("\r\n"),
            mend=conversion(raw, error),
        ) from error
    if "\0" in line:
        mend = UTF_16_MEND if looks_like_utf_16(raw) else "remove it: the file is not plain text"
        raise DataError("a NUL character", path=path, line=number, text=line, mend=mend)
    return line.rstrip("\r\n")
