"""Reads token-per-line files (CoNLL and its many dialects) as one `Document` per sentence, streaming.

The biomedical corpora come in every variant of this format: IOB1, IOB2, IOBES/BIOES/BILOU, tags without a type,
two columns or nine, `-DOCSTART-` or `###MEDLINE:` marks. What the file does not leave open is detected by stated
rules (`find_layout` for columns, `openmed.tagging.detect_scheme` for the scheme); anything can be told instead.

Memory stays flat: the file is read up to three times, and never held. First its start, to find the columns; then,
only when the scheme is to be detected, all of it, keeping nothing but how often one tag follows another, since the
one stray I- that tells IOB1 from IOB2 may stand in the last line; then for the documents.

    for document in read_conll("train.tsv", default_type="Species"): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from os import PathLike
from pathlib import Path
from typing import NamedTuple

from openmed.errors import DataError
from openmed.readers.conll_layout import Layout, document_mark, find_layout, split_line
from openmed.readers.lines import numbered_lines
from openmed.spans import Document, Span
from openmed.tagging import (
    DETECT,
    ILLEGAL_TAG,
    count_transitions,
    detect_scheme,
    looks_like_tag,
    parse_tag,
    parse_tags,
    scheme_named,
)

_COMMENT = re.compile(r"##+[^#].*|#\S*[\s=:]+\S.*")
_MADE_UP_ID = re.compile(r".+(?:#|/d)[0-9]+(?:/[0-9]+)?", re.DOTALL)
_MEND_COLUMNS = "Give every word one line with the same columns, and leave a line empty after each sentence"


class _Sentence(NamedTuple):
    tokens: list[str]
    tags: list[str]
    group: str


def read_conll(
    path: str | PathLike[str],
    *,
    scheme: str = DETECT,
    default_type: str | None = None,
    token_column: int | None = None,
    tag_column: int | None = None,
    separator: str | None = None,
    types: Mapping[str, str] | None = None,
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """Yields one document per sentence; the words joined by one space are its text.

    Args:
        path: UTF-8 text, with or without BOM, any line ends; gzip when it ends in .gz.
        scheme: see `openmed.tagging.SCHEMES`; "detect" by the rule of `openmed.tagging.detect_scheme`. Tell it for
            predicted tags, whose mistakes look like another scheme.
        default_type: the type of bare tags (`B`, `I`).
        token_column: 0-based, negative from the end. Default: the first that is neither tags nor integers.
        tag_column: 0-based, negative from the end. Default: the last of the columns that hold tags.
        separator: what stands between columns (" ": any run of blanks). Default: tab if most lines have one, else " ".
        types: new names for the file's types (after decoding, so neighbours never merge); others keep theirs.
        losses: a counter to add to: `openmed.tagging.ILLEGAL_TAG`, the tags that break the scheme and open no entity.

    Each document has `words`, one sentence, the id `<file stem>#<n>` (n from 1), and as group the id of the document
    mark above it (`<file stem>/d<k>` for the k-th mark if it has none), or its own id in a file without marks.

    Raises:
        ConfigError: an unknown scheme, columns that are not there or both the same.
        DataError: a file that cannot be read, is empty, is not UTF-8, has no tags, a line with another number of
            columns, an empty token, an unknown or bare tag, or one of another scheme. Layout and (when detected)
            tags are checked at the call, the rest while streaming.
    """
    path = Path(path)
    told = None if scheme == DETECT else scheme_named(scheme)
    file = _File(path, find_layout(path, separator, token_column, tag_column), told, default_type)
    found = told or detect_scheme(count_transitions(sentence.tags for sentence in file.sentences()))
    return _documents(file, found, types or {}, Counter() if losses is None else losses)


def made_up_id(id: str) -> bool:
    """Whether an id looks like those made here of the file's name, which two files may share: `data#1`, `data/d3`.

    A `/2` may follow, as `openmed.corpora` adds it where an id returns.
    """
    return _MADE_UP_ID.fullmatch(id) is not None


def _documents(file: _File, scheme: str, types: Mapping[str, str], losses: Counter[str]) -> Iterator[Document]:
    for number, sentence in enumerate(file.sentences(), 1):
        ends = [end - 1 for end in accumulate(len(token) + 1 for token in sentence.tokens)]
        words = tuple((end - len(token), end) for token, end in zip(sentence.tokens, ends, strict=True))
        entities, num_illegal = parse_tags(sentence.tags, scheme, file.default_type)
        if num_illegal:
            losses[ILLEGAL_TAG] += num_illegal
        spans = (Span(words[first][0], words[end - 1][1], types.get(type_, type_)) for first, end, type_ in entities)
        yield Document(
            id=f"{file.stem}#{number}",
            text=" ".join(sentence.tokens),
            spans=tuple(spans),
            group=sentence.group,
            words=words,
            sentences=((0, ends[-1]),),
        )


class _File:
    """One file with its layout: yields its sentences, checking every line, as often as asked.

    `scheme` is the one told; None leaves the tags of every scheme in.
    """

    def __init__(self, path: Path, layout: Layout, scheme: str | None, default_type: str | None) -> None:
        self.path = path
        self.layout = layout
        self.scheme = scheme
        self.default_type = default_type
        self.stem = Path(path.name.removesuffix(".gz")).stem

    def sentences(self) -> Iterator[_Sentence]:
        """Sentences end at an empty line, a document mark and the end of the file.

        Raises:
            DataError: the first line that is none of: a word with its tag, empty, a mark, a comment.
        """
        layout = self.layout
        admitted: set[str] = set()
        num_marks, group = 0, ""
        tokens: list[str] = []
        tags: list[str] = []
        for number, line in numbered_lines(self.path):
            row = split_line(line, layout.separator) if line.strip(" \t") else []
            mark = None
            if row and (len(row) != layout.num_columns or row[layout.token][:1] in ("", "-", "#")):
                mark = document_mark(line)
                if mark is None and self._is_comment(line, row):
                    continue
            if mark is None and row:
                self._check(row, admitted, number, line)
                tokens.append(row[layout.token])
                tags.append(row[layout.tag])
                continue
            if tokens:
                yield _Sentence(tokens, tags, group)
                tokens, tags = [], []
            if mark is not None:
                num_marks += 1
                group = mark or f"{self.stem}/d{num_marks}"
        if tokens:
            yield _Sentence(tokens, tags, group)
        self._check_scheme(admitted)

    def _is_comment(self, line: str, row: Sequence[str]) -> bool:
        """Whether it can be nothing else, for "#" is a word too: a line that could be a word with its tag is data."""
        if len(row) == self.layout.num_columns:
            alone = "=" in line and not looks_like_tag(row[self.layout.tag])  # "# id 7 domain=x" among four columns
        else:
            # Between tabs one column is prose for sure; between blanks prose falls into any number of columns.
            alone = self.layout.separator == " " or len(row) == 1
        return alone and _COMMENT.fullmatch(line) is not None

    def _check(self, row: Sequence[str], admitted: set[str], number: int, line: str) -> None:
        """Refuses a line that is not a word with a tag; `admitted` remembers the tags found good."""
        layout = self.layout
        if len(row) == layout.num_columns and row[layout.token] and row[layout.tag] in admitted:
            return

        def refuse(problem: str, mend: str | None) -> DataError:
            return DataError(problem, path=self.path, line=number, text=line, mend=mend)

        if len(row) != layout.num_columns:
            expected = f"where {layout.num_columns} are expected (separator: {layout.separator!r})"
            raise refuse(f"{len(row)} columns {expected}", _MEND_COLUMNS)
        if not row[layout.token]:
            raise refuse(f"the token (column {layout.token}) is empty", "Remove the line or write the word")
        tag = row[layout.tag]
        try:
            parse_tags([tag], self.scheme or "iobes", self.default_type)
        except DataError as error:
            raise refuse(error.problem, error.mend) from None
        admitted.add(tag)

    def _check_scheme(self, tags: Iterable[str]) -> None:
        """Told IOBES, a file without a single closing tag would lose every entity: that is another scheme."""
        letters = {parse_tag(tag).letter for tag in tags}
        if self.scheme == "iobes" and letters & {"B", "I"} and not letters & {"E", "S"}:
            raise DataError(
                "the file is said to be IOBES, but holds no E-, S-, L- or U- tag",
                path=self.path,
                mend="Say scheme=iob2, or leave it to be detected",
            )
