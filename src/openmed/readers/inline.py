r"""Inline mark-up, the demo corpus's format: text written and checked by eye, with mentions as `[aspirin|Chemical]`.

Lines that start with `#` are comments. An abstract is a block of lines, with blank lines between blocks: first
`@id NAME`, then one sentence a line. Literal `[`, `]`, `|` and `\` are written with a backslash before them, and so
are `#` and `@` where a sentence starts with one. Spaces around a line do not count; mentions do not nest.

    @id demo-001
    [Aspirin|Chemical] relieves [headache|Disease].
    It is given to [humans|Species] and [dogs|Species].

    for document in read_inline("corpus.txt"): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from os import PathLike

from openmed.errors import DataError
from openmed.readers.lines import numbered_lines
from openmed.spans import Document, Range, Span

_ID = "@id"
_FORM = "an abstract is a line '@id NAME', then one sentence a line, mentions as [aspirin|Chemical]"
_ESCAPED = re.compile(r"[\[\]|\\]")
_PIECE = re.compile(r"\\([\[\]|\\#@])|([\[\]|\\])|([^\[\]|\\]+)")


def read_inline(path: str | PathLike[str], *, losses: Counter[str] | None = None) -> Iterator[Document]:
    """Stream the documents of an inline file (`.gz` or not): sentences joined by one space, their ranges kept.

    Args:
        losses: unused: inline mark-up loses nothing.

    Raises:
        DataError: a block without `@id` or without sentences, an id used twice, brackets that are not
            `[mention|Type]`, a stray backslash, a file without abstracts.
    """
    del losses
    draft: _Draft | None = None
    id_lines: dict[str, int] = {}
    for number, raw in numbered_lines(path):
        line = raw.strip()
        if line.startswith("#"):
            continue
        if not line:
            if draft:
                yield draft.finish()
            draft = None
        elif draft is None:
            draft = _Draft(path, number, line)
            if draft.id in id_lines:
                raise DataError(
                    f"the id {draft.id!r} was used at line {id_lines[draft.id]}",
                    path=path,
                    line=number,
                    text=line,
                    mend="give every abstract of a file an id of its own",
                )
            id_lines[draft.id] = number
        else:
            draft.add_sentence(number, line)
    if draft:
        yield draft.finish()
    if not id_lines:
        raise DataError("the file is empty: it holds no abstract", path=path, mend=_FORM)


def format_inline(document: Document) -> str:
    r"""One block of the format, ending in a newline; `"\n".join` of blocks is a file. Inverse of `read_inline`.

    Only the id, the text, its sentences and the typed spans are written: no group, words, identifiers or scores.

    Raises:
        DataError: the document has no sentences, its text is not its sentences joined by one space, or a span crosses
            a sentence, overlaps another, is discontinuous or has spaces around it.
    """

    def refuse(problem: str, text: str, mend: str) -> DataError:
        return DataError(f"document {document.id!r} {problem}", text=text, mend=mend)

    text, sentences = document.text, document.sentences or ()
    if not sentences:
        raise refuse("has no sentences", text, "split it into sentences first")
    parts = [text[start:end] for start, end in sentences]
    if " ".join(parts) != text:
        raise refuse("is not its sentences joined by one space", text, "rebuild it with join_documents")
    for part in (document.id, *parts, *(span.label for span in document.spans)):
        if not _fits(part):
            raise refuse("has a part that does not fit on a line", part, "remove outer spaces, line breaks and NUL")
    blocked: Range = (0, 0)
    for span in document.spans:
        mention = document.mention(span)
        if span.discontinuous or span.start < blocked[1]:
            raise refuse("has a mention that is nested or in pieces", mention, "keep plain mentions only")
        if not _fits(mention):
            raise refuse("has a mention with outer space", mention, "move its offsets to the first and last letter")
        if not any(start <= span.start and span.end <= end for start, end in sentences):
            raise refuse("has a mention that crosses a sentence", mention, "join the two sentences")
        blocked = (span.start, span.end)
    lines = [_mark_up(document, sentence) for sentence in sentences]
    return "".join(f"{line}\n" for line in (f"{_ID} {document.id}", *lines))


class _Draft:
    """The abstract being read."""

    def __init__(self, path: str | PathLike[str], number: int, line: str) -> None:
        head, *rest = line.split(maxsplit=1)
        self.path, self.number, self.id = path, number, "".join(rest)
        self.sentences: list[str] = []
        self.spans: list[Span] = []
        self._offset = 0
        if head != _ID or not self.id:
            raise self._error("a block that does not start with '@id NAME'", number, line, _FORM)

    def add_sentence(self, number: int, line: str) -> None:
        if line.split(maxsplit=1)[0] == _ID:
            raise self._error("'@id' amid an abstract", number, line, r"put a blank line before it; as text it is \@id")
        parts: list[str] = []
        length = 0
        mention: list[str] | None = None  # text and, after the bar, type of the open bracket
        for escaped, mark, plain in _PIECE.findall(line):
            if not mark and mention is not None:
                mention[-1] += escaped or plain
            elif not mark:
                parts.append(escaped or plain)
                length += len(parts[-1])
            elif mark == "[" and mention is None:
                mention = [""]
            elif mark == "|" and mention is not None and len(mention) == 1:
                mention.append("")
            elif mark == "]" and mention is not None:
                self._check_mention(mention, number, line)
                start = self._offset + length
                parts.append(mention[0])
                length += len(mention[0])
                self.spans.append(Span(start, self._offset + length, mention[1]))
                mention = None
            else:
                raise self._stray(mark, number, line)
        if mention is not None:
            raise self._error("a bracket is not closed", number, line, "close the mention: [aspirin|Chemical]")
        self.sentences.append("".join(parts))
        self._offset += length + 1

    def finish(self) -> Document:
        if not self.sentences:
            raise self._error("an abstract without sentences", self.number, f"{_ID} {self.id}", _FORM)
        sentences: list[Range] = []
        offset = 0
        for sentence in self.sentences:
            sentences.append((offset, offset + len(sentence)))
            offset += len(sentence) + 1
        return Document(self.id, " ".join(self.sentences), tuple(self.spans), sentences=tuple(sentences))

    def _check_mention(self, mention: list[str], number: int, line: str) -> None:
        if len(mention) == 1 or not mention[1].strip():
            raise self._error("a mention without type", number, line, "write it as [aspirin|Chemical]")
        if not mention[0].strip():
            raise self._error("an empty mention", number, line, "write the mention before the bar: [aspirin|Chemical]")
        if any(part != part.strip() for part in mention):
            raise self._error("a mention or type with outer space", number, line, "move the space out of the brackets")

    def _stray(self, mark: str, number: int, line: str) -> DataError:
        if mark == "]":
            return self._error("a bracket is closed but not opened", number, line, r"open the mention, or write \]")
        if mark == "[":
            return self._error("a bracket inside a mention", number, line, r"mentions do not nest; a literal one is \[")
        if mark == "|":
            return self._error("a bar that parts no mention from its type", number, line, r"a literal one is \|")
        return self._error("a backslash that escapes nothing", number, line, r"a literal one is \\")

    def _error(self, problem: str, number: int, line: str, mend: str) -> DataError:
        return DataError(problem, path=self.path, line=number, text=line, mend=mend)


def _fits(part: str) -> bool:
    return bool(part) and part == part.strip() and "\n" not in part and "\0" not in part


def _mark_up(document: Document, sentence: Range) -> str:
    pieces: list[str] = []
    done, end = sentence
    for span in document.spans:
        if sentence[0] <= span.start < end:
            pieces += [_escape(document.text[done : span.start]), "[", _escape(document.mention(span)), "|"]
            pieces += [_escape(span.label), "]"]
            done = span.end
    line = "".join(pieces) + _escape(document.text[done:end])
    return f"\\{line}" if line.startswith(("#", _ID)) else line


def _escape(text: str) -> str:
    return _ESCAPED.sub(r"\\\g<0>", text)
