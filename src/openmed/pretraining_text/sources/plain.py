"""Plain text: a file, a paragraph or a line is a text.

for text in read_plain("articles/11319941.txt", losses=losses, unit="file"): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from os import PathLike

from openmed.errors import ConfigError, DataError, nearest
from openmed.pretraining_text.sources.raw_text import RawText, file_stem
from openmed.readers.lines import numbered_lines

_Lines = Iterable[tuple[int, str]]


def read_plain(path: str | PathLike[str], *, losses: Counter[str], unit: str = "file") -> Iterator[RawText]:
    """Stream the texts of a file (`.gz`, `.xz` or plain); ids are its name and the line where the text starts.

    Args:
        losses: nothing is lost here but blank lines.
        unit: "file", "paragraph" (up to an empty line) or "line".

    Raises:
        ConfigError: another unit.
        DataError: not UTF-8, a NUL character, an empty file.
    """
    if unit not in _UNITS:
        raise ConfigError(f"no unit {unit!r}", mend=nearest(unit, _UNITS))
    return _texts(path, _UNITS[unit])


def _texts(path: str | PathLike[str], units: Callable[[_Lines], Iterator[tuple[int, str]]]) -> Iterator[RawText]:
    number = 0
    for number, text in units(numbered_lines(path)):
        yield RawText(f"{file_stem(path)}:{number}", text)
    if not number:
        raise DataError("the file is empty", path=path, mend="remove it, or check that the download is complete")


def _files(lines: _Lines) -> Iterator[tuple[int, str]]:
    found = list(_paragraphs(lines))
    if found:
        yield found[0][0], "\n\n".join(text for _, text in found)


def _paragraphs(lines: _Lines) -> Iterator[tuple[int, str]]:
    for is_text, group in groupby(lines, key=lambda line: bool(line[1].strip())):
        if is_text:
            numbers, texts = zip(*group, strict=True)
            yield numbers[0], "\n".join(texts).strip()


def _lines(lines: _Lines) -> Iterator[tuple[int, str]]:
    return ((number, line.strip()) for number, line in lines if line.strip())


_UNITS = {"file": _files, "paragraph": _paragraphs, "line": _lines}
