"""What `openmed.readers.conll` knows of a file before any tag is read: its columns and its document marks.

All detection is by stated rules, and only where the caller told nothing.

    layout = find_layout(path, separator=None, token=None, tag=None)   # Layout("\\t", num_columns=2, token=0, tag=1)
    rows = [split_line(line, layout.separator) for _, line in numbered_lines(path) if document_mark(line) is None]
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from openmed.errors import ConfigError, DataError
from openmed.readers.lines import numbered_lines
from openmed.tagging import looks_like_tag

_NUM_SAMPLED = 2000
_CHUNK_TYPES = frozenset(["NP", "VP", "PP", "ADJP", "ADVP", "SBAR", "PRT", "CONJP", "INTJ", "LST", "UCP"])
_DOCSTART = "-DOCSTART-"
_DOCSTART_ID = re.compile(r"\(\s*([^()]+?)\s*\)|(?:^|\s)((?:PMID|PMC|MEDLINE)?[:_-]?\d+)(?=\s|$)", re.IGNORECASE)
_HEADER = re.compile(
    r"#*\s*(?:MEDLINE|PMID|PMCID|PUBMED(?:[ _-]?ID)?)\s*[:=\s]\s*([\w./-]*\d[\w./-]*)(?:\s+(?:O|-X-|_))*\s*",
    re.IGNORECASE,
)
_NEWDOC = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(\S+))?\s*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How a line falls into columns. `separator` " " means any run of blanks or tabs; columns count from 0."""

    separator: str
    num_columns: int
    token: int
    tag: int


def find_layout(path: Path, separator: str | None, token: int | None, tag: int | None) -> Layout:
    """Finds what was not told from the first lines that hold words.

    The separator and the number of columns are those of most lines. The tags are the last column at least half of
    whose values are tags, chunk tags (B-NP) set aside. The tokens are the first other column that is neither tags nor
    all integers (word numbers, offsets). "At least half", so that a mistyped tag is reported and hides no column.

    Raises:
        ConfigError: a told column that is not there, or one column told for both.
        DataError: no words, or no column of tags; what `numbered_lines` raises.
    """
    sample = list(islice((line for _, line in numbered_lines(path) if _is_sample(line)), _NUM_SAMPLED))
    # A word may be "#", so such lines count only where there are no others.
    sample = [line for line in sample if not line.startswith("#")] or sample
    if not sample:
        raise DataError("the file holds no words", path=path, mend="Check that the download or export is complete")
    if not separator:
        separator = "\t" if 2 * sum("\t" in line for line in sample) > len(sample) else " "
    rows = [split_line(line, separator) for line in sample]
    num_columns = Counter(map(len, rows)).most_common(1)[0][0]
    columns = list(zip(*(row for row in rows if len(row) == num_columns), strict=True))
    holding_tags = [at for at, values in enumerate(columns) if 2 * sum(map(looks_like_tag, values)) >= len(values)]
    tag_at = _told_column("tag_column", tag, num_columns)
    token_at = _told_column("token_column", token, num_columns)
    if tag_at is None:
        free = [at for at in holding_tags if at != token_at]
        if not free or num_columns == 1:
            raise DataError(
                f"no column holds tags (columns: {num_columns}, separator: {separator!r})",
                path=path,
                text=sample[0],
                mend="Give each line a word and a tag (O, B-type, I-type), or say separator and tag_column",
            )
        tag_at = ([at for at in free if not _holds_chunks(columns[at])] or free)[-1]
    if token_at is None:
        others = [at for at in range(num_columns) if at != tag_at]
        wordy = [at for at in others if at not in holding_tags and not all(value.isdecimal() for value in columns[at])]
        token_at = (wordy or others or [tag_at])[0]
    if token_at == tag_at:
        raise ConfigError(f"{path}: token and tag column are both {tag_at}", mend="They must be two columns")
    return Layout(separator, num_columns, token_at, tag_at)


def split_line(line: str, separator: str) -> list[str]:
    """The columns of a line; " " separates at runs of blanks and tabs, anything else at each occurrence."""
    # Not str.split(): it also splits at NBSP and the like, which belong to the token.
    if separator == " ":
        return [column for column in line.replace("\t", " ").split(" ") if column]
    return line.split(separator)


def document_mark(line: str) -> str | None:
    """The id of the document that starts here, "" when the mark has none, None when the line is no mark."""
    _, docstart, rest = line.partition(_DOCSTART)
    if docstart:
        found = _DOCSTART_ID.search(rest)
        return (found[1] or found[2]) if found else ""
    found = _HEADER.fullmatch(line) or _NEWDOC.fullmatch(line)
    return (found[1] or "") if found else None


def _told_column(name: str, column: int | None, num_columns: int) -> int | None:
    if column is None:
        return None
    if not -num_columns <= column < num_columns:
        raise ConfigError(f"{name}={column} is not there: the file has {num_columns}", mend="Columns count from 0")
    return column % num_columns


def _holds_chunks(values: Iterable[str]) -> bool:
    """Whether these are the tags of a syntactic chunker (CoNLL-2003, NERsuite), which look just like entities."""
    chunks = {value[2:] for value in values if looks_like_tag(value) and value != "O"}
    return bool(chunks) and chunks <= _CHUNK_TYPES


def _is_sample(line: str) -> bool:
    return bool(line.strip(" \t")) and document_mark(line) is None
