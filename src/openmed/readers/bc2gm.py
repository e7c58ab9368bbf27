"""BC2GM as BioCreative II gave it out: sentences in one file (`train.in`), gene mentions in another (`GENE.eval`).

`P00001606T0076 Comparison with ...` is a sentence, `P00001606T0076|14 33|alkaline phosphatases` a mention of it. Its
offsets count the characters that are no white space and include the last; here they become offsets of the text.

Mentions may stand in any order (in the corpus's test half they are shuffled), so they wait in a temporary SQLite file:
memory stays flat however large the pair is.

    for document in read_bc2gm("native/BC2GM/train/train.in"): ...
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from openmed.errors import DataError
from openmed.readers.lines import numbered_lines
from openmed.readers.losses import MENTION_DIFFERS
from openmed.spans import Document, Span

if TYPE_CHECKING:
    from sqlite3 import Connection

ANNOTATIONS = "GENE.eval"
"""The file of the mentions, beside that of the sentences."""

_SENTENCE = re.compile(r"([^\s|]+) (.*\S.*)", re.DOTALL)
_MENTION = re.compile(r"([^\s|]+)\|(\d{1,9}) (\d{1,9})(?:\|(.*))?", re.DOTALL)
_PMID = re.compile(r"P(\d{8})[A-Z]\d{4}[a-z]?")
_MEND_SENTENCE = "a line is '<id> <sentence>'; the mentions belong into a file of their own"
_MEND_MENTION = "a line is '<sentence id>|<start> <end>|<mention>'"
_MEND_EMPTY = "check that the download is complete"


def read_bc2gm(
    path: str | PathLike[str],
    *,
    annotations: str = ANNOTATIONS,
    label: str = "GENE",
    losses: Counter[str] | None = None,
) -> Iterator[Document]:
    """Stream the sentences, in their file's order: one document each.

    A document's group is its PMID where the id tells it (`P00001606T0076`, `P01394655A0615b`: all of train), else its
    id (`BC2GM051345201`: all of test, where the PMIDs are withheld). `ALTGENE.eval` is not read: it lists other
    mentions that the task's scorer accepts in place of those of `GENE.eval`, and these overlap them.

    Args:
        path: the sentence file, or the folder that holds exactly one `*.in`.
        annotations: name of the mention file beside it.
        label: the type of all mentions.
        losses: counts mentions whose text differs from the text at their offsets (the offsets are believed).

    Raises:
        DataError: a file that is missing or empty, a line of another form, a sentence id that stands twice, offsets
            outside the sentence; at the end, a mention of a sentence that is not there.
    """
    import sqlite3  # not every Python is built with it

    losses = Counter() if losses is None else losses
    sentences = _sentence_file(Path(path))
    found = False
    # "" is a private file that goes with the connection. Another thread may be the one that closes a generator.
    with closing(sqlite3.connect("", check_same_thread=False)) as database:
        store = _Store(database, sentences, sentences.with_name(annotations))
        for number, line in numbered_lines(sentences):
            if not line.strip():
                continue
            found = True
            match = _SENTENCE.fullmatch(line)
            if match is None:
                raise DataError("not a sentence", path=sentences, line=number, text=line, mend=_MEND_SENTENCE)
            identifier, text = match.groups()
            mentions = store.mentions_of(identifier, number)
            pmid = _PMID.fullmatch(identifier)
            yield Document(
                identifier,
                text,
                tuple(_spans(text, mentions, label, store.annotations, losses)) if mentions else (),
                group=pmid[1].lstrip("0") if pmid else identifier,
                sentences=((0, len(text)),),
            )
        if not found:
            raise DataError("the file is empty", path=sentences, mend=_MEND_EMPTY)
        store.check_all_found()


class _Mention(NamedTuple):
    """A line of the mention file: its first and last character, spaces not counted; its text, None if not given."""

    line: int
    sentence: str
    first: int
    last: int
    text: str | None


class _Store:
    """The mention file, on disk by sentence, and which sentences have come by."""

    def __init__(self, database: Connection, sentences: Path, annotations: Path) -> None:
        self.sentences = sentences
        self.annotations = annotations
        self._database = database
        database.execute("CREATE TABLE mention (line INTEGER, sentence TEXT, first INTEGER, last INTEGER, text TEXT)")
        database.execute("CREATE TABLE sentence (id TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID")
        database.executemany("INSERT INTO mention VALUES (?, ?, ?, ?, ?)", _mentions(annotations))
        database.execute("CREATE INDEX by_sentence ON mention (sentence, line)")

    def mentions_of(self, sentence: str, number: int) -> list[_Mention]:
        """Those of the sentence in line `number`, in their file's order.

        Raises:
            DataError: the sentence came by before.
        """
        known = self._database.execute("SELECT line FROM sentence WHERE id = ?", (sentence,)).fetchone()
        if known:
            raise DataError(
                f"sentence {sentence} stands in line {known[0]} already",
                path=self.sentences,
                line=number,
                text=sentence,
                mend="give each sentence an id of its own",
            )
        self._database.execute("INSERT INTO sentence VALUES (?, ?)", (sentence, number))
        rows = self._database.execute("SELECT * FROM mention WHERE sentence = ? ORDER BY line", (sentence,))
        return [_Mention(*row) for row in rows]

    def check_all_found(self) -> None:
        """Raises DataError when a mention's sentence has not come by."""
        row = self._database.execute(
            "SELECT * FROM mention WHERE sentence NOT IN (SELECT id FROM sentence) ORDER BY line LIMIT 1"
        ).fetchone()
        if row:
            mention = _Mention(*row)
            raise DataError(
                f"a mention of sentence {mention.sentence}, which {self.sentences.name} does not hold",
                path=self.annotations,
                line=mention.line,
                text=mention.text,
                mend="check that the two files belong together, and that both are complete",
            )


def _mentions(path: Path) -> Iterator[_Mention]:
    if not path.is_file():
        raise DataError("no mention file beside the sentences", path=path, mend="put it there, or say annotations=NAME")
    found = False
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        found = True
        match = _MENTION.fullmatch(line)
        if match is None:
            raise DataError("not a mention", path=path, line=number, text=line, mend=_MEND_MENTION)
        sentence, first, last, text = match.groups()
        yield _Mention(number, sentence, int(first), int(last), text or None)
    if not found:
        raise DataError("the file is empty", path=path, mend=_MEND_EMPTY)


def _spans(text: str, mentions: list[_Mention], label: str, path: Path, losses: Counter[str]) -> Iterator[Span]:
    places = [place for place, character in enumerate(text) if not character.isspace()]
    for mention in mentions:
        if not mention.first <= mention.last < len(places):
            raise DataError(
                f"offsets {mention.first} {mention.last} lie outside sentence {mention.sentence} of {len(places)} "
                "characters without spaces",
                path=path,
                line=mention.line,
                text=mention.text,
                mend="offsets count the sentence's characters without spaces, from 0; the end is the last one's",
            )
        start, end = places[mention.first], places[mention.last] + 1
        if mention.text not in (None, text[start:end]):
            losses[MENTION_DIFFERS] += 1
        yield Span(start, end, label)


def _sentence_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = sorted(path.rglob("*.in"))
    if len(found) != 1:
        raise DataError(
            f"the folder holds {len(found)} files *.in where one is expected",
            path=path,
            mend="name the sentence file itself, such as train.in",
        )
    return found[0]
