"""CSV and TSV with a header: a text a row, or a mention a row as `openmed.writers.csv` writes them.

    id,text                                  document,group,start,end,label,text,score,identifier,fragments,model
    1,Aspirin relieves headache.             1,1,0,7,Chemical,Aspirin,0.98,,,

    for document in read_csv("abstracts.csv.gz", text="abstract", id="pmid"): ...

Which of the two it is, the header tells. A table of mentions does not hold the documents' texts: each mention stands at
its place, and blanks where the file says nothing, so that spans and mentions are exact and no more is made up.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import groupby
from os import PathLike

from openmed.errors import ConfigError, DataError, nearest
from openmed.readers.lines import DAMAGE, UTF_16_MEND, conversion, damaged, looks_like_utf_16, open_bytes
from openmed.readers.losses import TEXT_NOT_IN_FILE
from openmed.spans import Document, Span

SEPARATORS = "\t,;"
MENTION_COLUMNS = frozenset({"document", "start", "end", "label", "text"})
"""A header that has all of these is that of a table of mentions."""

_Row = Mapping[str, str]
_Refused = Callable[[DataError], None]
_FRAGMENT = re.compile(r"(\d+)-(\d+)")
_NOT_UTF8 = "not UTF-8"
_MEND = "give every row the columns of the header; a cell with separators, quotes or line ends stands in double quotes"


def read_csv(
    path: str | PathLike[str],
    *,
    text: str = "text",
    id: str | None = None,
    separator: str | None = None,
    refused: _Refused | None = None,
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the documents of a file (`.gz`, `.xz` or plain; UTF-8, with or without BOM).

    Args:
        text: the column of the text. It is taken as it is, line ends and blanks included.
        id: the column of the id. None is "id" where there is one, else rows are numbered from 1.
        separator: None takes the one of tab, comma and semicolon that the header has most of.
        refused: is told what is wrong with a row, which is then left out; None raises at the first. A quote that is
            left open is raised all the same: it takes in all that follows.
        losses: counts documents of a table of mentions, whose texts are not in the file.

    Raises:
        ConfigError: no such column.
        DataError: an empty file, a row that is none, a mention outside its text, not UTF-8, damaged compression.
    """
    losses = Counter() if losses is None else losses
    rows = _rows(path, separator, refused)
    header = next(rows)[1]
    if header.keys() >= MENTION_COLUMNS and id is None:
        return _from_mentions(path, rows, losses)
    for name in (text, id):
        if name is not None and name not in header:
            raise ConfigError(f"{path} has no column {name!r}", mend=f"name one that it has. {nearest(name, header)}")
    return _from_texts(rows, text, id or ("id" if "id" in header else None))


def is_of_mentions(path: str | PathLike[str]) -> bool:
    """Whether the header is that of a table of mentions.

    Raises:
        DataError: an empty file, damaged compression.
    """
    with closing(_rows(path, None, None)) as rows:
        return next(rows)[1].keys() >= MENTION_COLUMNS


def _from_texts(rows: Iterable[tuple[int, _Row]], text: str, id: str | None) -> Iterator[Document]:
    for number, row in rows:
        yield Document((row[id] if id else "") or str(number), row[text])


def _from_mentions(
    path: str | PathLike[str], rows: Iterable[tuple[int, _Row]], losses: Counter[str]
) -> Iterator[Document]:
    for (id, group), of_document in groupby(rows, key=lambda row: (row[1]["document"], row[1].get("group", ""))):
        characters: list[str] = []
        spans: list[Span] = []
        for number, row in of_document:
            try:
                spans.append(_span(row))
                _place(row["text"], spans[-1], characters)
            except ValueError as error:
                raise DataError(f"row {number} is no mention: {error}", path=path, text=row["text"]) from error
        losses[TEXT_NOT_IN_FILE] += 1
        yield Document(id, "".join(characters), tuple(spans), group=group)


def _span(row: _Row) -> Span:
    return Span(
        int(row["start"]),
        int(row["end"]),
        row["label"],
        tuple((int(start), int(end)) for start, end in _FRAGMENT.findall(row.get("fragments", ""))),
        identifier=row.get("identifier") or None,
        score=float(row["score"]) if row.get("score") else None,
        model=row.get("model") or None,
    )


def _place(mention: str, span: Span, characters: list[str]) -> None:
    """Write a mention into the text at its place.

    Raises:
        ValueError: another length than its offsets say, or other characters than a mention that overlaps it.
    """
    if len(mention) != span.end - span.start:
        raise ValueError(f"{span.start}..{span.end} are not its {len(mention)} characters")
    characters += " " * (span.end - len(characters))
    there = characters[span.start : span.end]
    if any(old not in (" ", new) for old, new in zip(there, mention, strict=True)):
        raise ValueError("it differs from another mention of the same place")
    characters[span.start : span.end] = mention


def _rows(
    path: str | PathLike[str], separator: str | None, refused: _Refused | None
) -> Generator[tuple[int, dict[str, str]]]:
    """The number of each row (the header's is 0) and its cells by column; first the header itself."""
    usual = csv.field_size_limit(sys.maxsize)  # of the whole process: 131,072 characters, and some notes are longer
    with open_bytes(path) as binary:
        # What is no UTF-8 becomes half surrogate pairs, so that only its row is refused.
        file = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            first = file.readline()
            if not first.strip():
                raise DataError("the file is empty", path=path, mend="its first line names the columns")
            _check_header(first, path)
            separator = separator or max(SEPARATORS, key=first.count)
            columns = next(csv.reader([first.rstrip("\r\n")], delimiter=separator))
            yield 0, dict.fromkeys(columns, "")
            for number, (line, cells) in enumerate(_cells(path, file, separator, refused), start=1):
                if cells is None:
                    continue
                if problem := _problem(cells, columns):
                    _refuse(DataError(problem, path=path, line=line, text=separator.join(cells)), refused)
                else:
                    yield number, dict(zip(columns, cells, strict=True))
        except DAMAGE as error:
            raise damaged(path, error) from error
        finally:
            csv.field_size_limit(usual)


def _check_header(line: str, path: str | PathLike[str]) -> None:
    raw = line.encode(errors="surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        problem = f"not UTF-8: byte 0x{raw[error.start]:02x} at byte {error.start} of the header"
        raise DataError(problem, path=path, line=1, mend=conversion(raw, error)) from error
    if looks_like_utf_16(raw):
        raise DataError("NUL characters in the header", path=path, line=1, mend=UTF_16_MEND)


def _cells(
    path: str | PathLike[str], file: Iterable[str], separator: str, refused: _Refused | None
) -> Iterator[tuple[int, list[str] | None]]:
    """The last line of each row below the header and its cells; None for those of a row that was refused.

    Where the quoting is broken, reading goes on at the next line only if the row ends on its own: it began there, and
    its quotes are in pairs. Else what follows may be the rest of a cell, and would be taken for rows.

    Raises:
        DataError: the quoting is broken, and where the next row begins cannot be known.
    """
    last = ""

    def remembered() -> Iterator[str]:
        nonlocal last
        for line in file:
            last = line
            yield line

    reader = csv.reader(remembered(), delimiter=separator, strict=True)
    while True:
        begins = reader.line_num + 2  # the header's line is not the reader's
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            problem = f"the quoting is broken ({error})"
            if begins != reader.line_num + 1 or last.count('"') % 2:
                problem += ": this row and all below it are left out, for where the next begins cannot be known"
                raise DataError(problem, path=path, line=begins, mend=_MEND) from error
            _refuse(DataError(problem, path=path, line=begins, text=last.rstrip("\r\n")), refused)
            yield begins, None
            continue
        if cells:
            yield reader.line_num + 1, cells


def _problem(cells: list[str], columns: list[str]) -> str | None:
    if len(cells) != len(columns):
        return f"a row of {len(cells)} cells below a header of {len(columns)}"
    for name, cell in zip(columns, cells, strict=True):
        try:
            cell.encode()
        except UnicodeEncodeError as error:
            byte = cell[error.start].encode(errors="surrogateescape")[0]
            return f"{_NOT_UTF8}: byte 0x{byte:02x} at character {error.start} of column {name!r}"
    return None


def _refuse(error: DataError, refused: _Refused | None) -> None:
    shown = DataError(
        error.problem,
        path=error.path,
        line=error.line,
        text=(error.text or "").encode(errors="replace").decode(),
        mend="convert the file: iconv -f latin1 -t utf-8 FILE > NEW" if error.problem.startswith(_NOT_UTF8) else _MEND,
    )
    if refused is None:
        raise shown
    refused(shown)
