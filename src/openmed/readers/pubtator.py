"""PubTator: `PMID|t|title`, `PMID|a|abstract`, then one tab-separated line per mention; blank line between
documents.

The document's text is title, one space, abstract, which is what the offsets count; further sections (of full
texts, `PMID|intro|text`) follow in the same way. Relation lines are passed over, as is a mention's seventh column (in
BC5CDR the parts of a composite mention).

    for document in read_pubtator("NCBItestset_corpus.txt"): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from openmed.errors import DataError
from openmed.readers.lines import numbered_lines
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.spans import Document, Span

_TEXT_LINE = re.compile(r"([^|\t]+)\|(\w+)\|(.*)", re.DOTALL)
_OPENING = ("t", "a")
_NO_CONCEPT = ("", "-", "-1")
"""What stands in the column of identifiers when the mention was normalised to nothing."""
_MEND = "lines are 'PMID|t|title', 'PMID|a|abstract' and 'PMID<tab>start<tab>end<tab>mention<tab>type[<tab>identifier]'"


def read_pubtator(path: str | PathLike[str], *, losses: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of a PubTator file (`.gz` or not).

    Args:
        losses: counts mentions whose text differs from the text at their offsets (the offsets are believed), and
            relation lines.

    Raises:
        DataError: a line of another form, offsets outside the text, a mention of another document.
    """
    losses = Counter() if losses is None else losses
    draft: _Draft | None = None
    found = False
    for number, line in numbered_lines(path):
        if not line.strip():
            if draft:
                yield draft.finish()
            draft = None
            continue
        found = True
        match = _TEXT_LINE.match(line)
        # Only t and a open a document: what else has bars in it may be of another format.
        if match and (draft or match[2] in _OPENING):
            identifier, kind, text = match.groups()
            if draft is None or (kind == "t" and draft.parts):
                if draft:
                    yield draft.finish()
                draft = _Draft(identifier, Path(path))
            draft.add_text(identifier, text, number)
        elif draft is None:
            raise DataError("a line before any title", path=path, line=number, text=line, mend=_MEND)
        else:
            draft.add_mention(line, number, losses)
    if draft:
        yield draft.finish()
    if not found:
        raise DataError("the file is empty", path=path, mend=_MEND)


class _Draft:
    """The document being read."""

    def __init__(self, identifier: str, path: Path) -> None:
        self.identifier = identifier
        self.path = path
        self.parts: list[str] = []
        self.spans: list[Span] = []
        self._text: str | None = None

    def add_text(self, identifier: str, text: str, number: int) -> None:
        if identifier != self.identifier or self._text is not None:
            raise DataError(
                f"text of document {identifier} amid document {self.identifier}",
                path=self.path,
                line=number,
                text=text,
                mend="put a blank line between documents",
            )
        self.parts.append(text)

    def add_mention(self, line: str, number: int, losses: Counter[str]) -> None:
        if self._text is None:
            self._text = " ".join(self.parts)
        fields = line.split("\t")
        if fields[0] != self.identifier:
            raise DataError(
                f"a mention of document {fields[0]!r} below document {self.identifier!r}",
                path=self.path,
                line=number,
                text=line,
                mend=_MEND,
            )
        if len(fields) >= 4 and fields[1][:1].isalpha():
            losses[RELATION] += 1
            return
        if len(fields) < 5 or not (fields[1].isdecimal() and fields[2].isdecimal() and fields[4].strip()):
            raise DataError("not a line of PubTator", path=self.path, line=number, text=line, mend=_MEND)
        start, end, mention, label = int(fields[1]), int(fields[2]), fields[3], fields[4]
        if not 0 <= start < end <= len(self._text):
            raise DataError(
                f"offsets {start}..{end} lie outside the text of {len(self._text)} characters",
                path=self.path,
                line=number,
                text=line,
                mend="offsets count the characters of title, one space, abstract, from 0",
            )
        if self._text[start:end] != mention:
            losses[MENTION_DIFFERS] += 1
        concept = fields[5] if len(fields) > 5 and fields[5] not in _NO_CONCEPT else None
        self.spans.append(Span(start, end, label, identifier=concept))

    def finish(self) -> Document:
        return Document(self.identifier, " ".join(self.parts), tuple(self.spans))
