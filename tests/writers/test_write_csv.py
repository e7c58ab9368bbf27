"""Each mention is a row whose cells are exactly what the document holds, whatever characters it is made of."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import peak_memory
from tests.strategies import documents

from openmed.spans import Document, Span
from openmed.writers.csv import COLUMNS, NO_ROW, write_csv
from openmed.writers.losses import SENTENCES_NOT_WRITTEN, WORDS_NOT_WRITTEN

HARD = [
    'a,"b"',
    "=1+1",
    "+1",
    "-1",
    "@x",
    "a\r\nb",
    "\n",
    "\r",
    '"',
    " a ",
    "",
    "\t",
    "β\u2028\x85",
    "'",
    "\ufeff",
    "0-4;8",
]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("csv") / "x.csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def span_of(row: dict[str, str]) -> Span:
    pieces = [piece.split("-") for piece in row["fragments"].split(";") if piece]
    return Span(
        int(row["start"]),
        int(row["end"]),
        row["label"],
        tuple((int(start), int(end)) for start, end in pieces),
        identifier=row["identifier"] or None,
        score=float(row["score"]) if row["score"] else None,
    )


@given(st.lists(st.tuples(documents(), st.sampled_from(HARD)), max_size=3))
def test_rows_hold_exactly_the_mentions(scratch, drawn):
    losses: Counter[str] = Counter()
    written = [Document(hard, hard + d.text, d.spans, group=f"{hard} group") for d, hard in drawn]
    assert write_csv(written, scratch, losses=losses) == len(written)
    found = rows(scratch)
    expected = [(document, span) for document in written for span in document.spans]
    assert [span_of(row) for row in found] == [span for _, span in expected]
    assert [(row["document"], row["group"], row["text"]) for row in found] == [
        (document.id, document.group, document.text[span.start : span.end]) for document, span in expected
    ]
    without = sum(not document.spans for document in written)
    assert losses == ({NO_ROW: without} if without else {})


@given(
    st.sampled_from(HARD),
    st.sampled_from([hard for hard in HARD if hard]),
    st.sampled_from([None, 0.0, 1.0]) | st.floats(0, 1),
)
def test_identifiers_types_and_scores_come_back(scratch, identifier, label, score):
    write_csv([Document("1", "x", (Span(0, 1, label, identifier=identifier, score=score),))], scratch)
    (row,) = rows(scratch)
    assert (row["identifier"], row["label"]) == (identifier, label)
    assert span_of(row).score == (None if score is None else round(score, 6))


def test_the_lines_are_those_of_the_format(tmp_path):
    spans = (Span(0, 7, "Chemical", identifier="D001241", score=0.1234567), Span(8, 23, "Gene", ((8, 12), (17, 23))))
    document = Document("1", 'Aspirin TNF- and "alpha"', spans, group="g")
    assert write_csv([Document("0", "Nothing."), document], tmp_path / "x") == 2
    assert (tmp_path / "x").read_bytes().decode().split("\r\n") == [
        ",".join(COLUMNS),
        "1,g,0,7,Chemical,Aspirin,0.123457,D001241,,",
        '1,g,8,23,Gene,"TNF- and ""alpha",,,8-12;17-23,',
        "",
    ]


def test_words_and_sentences_are_counted(tmp_path):
    losses: Counter[str] = Counter()
    document = Document("1", "x", (Span(0, 1, "X", identifier="D1", score=0.5),), group="g")
    views = [document, replace(document, words=((0, 1),)), replace(document, sentences=())]
    write_csv(views, tmp_path / "x", losses=losses)
    assert losses == {WORDS_NOT_WRITTEN: 1, SENTENCES_NOT_WRITTEN: 1}


def test_the_header_is_there_without_mentions(tmp_path):
    assert write_csv([], tmp_path / "x") == 0
    assert (tmp_path / "x").read_bytes().decode() == ",".join(COLUMNS) + "\r\n"


def test_memory_does_not_grow_with_the_documents(tmp_path):
    spans = (Span(9, 12, "Gene"), Span(24, 33, "Gene"))

    def stream(size: int) -> Iterator[Document]:
        return (Document(str(i), "The gene p53. It binds TNF alpha.", spans) for i in range(size))

    def peak(size: int) -> int:
        return peak_memory(lambda: write_csv(stream(size), tmp_path / "x"))

    assert peak(10_000) < 1.1 * peak(200)
