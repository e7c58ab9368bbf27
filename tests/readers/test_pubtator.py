"""PubTator: offsets count title, one space, abstract; the real files give their counts; mistakes are named."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest
from tests.memory import consume, peak_memory

from openmed.errors import DataError
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.readers.pubtator import read_pubtator
from openmed.spans import Document, Span

HEAD = "1|t|Aspirin and β-blockers.\n1|a|Less headache.\n"
EXAMPLE = f"""\
{HEAD}1\t0\t7\tAspirin\tChemical\tD001241
1\t29\t37\theadache\tDisease
1\tCID\tD001241\tD006261

2|t|Nothing here.
2|a|
"""


def read(path: Path, text: str | bytes, losses: Counter[str] | None = None) -> list[Document]:
    path = path / "x.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_pubtator(path, losses=losses))


def refusal(path: Path, text: str | bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, text)
    assert caught.value.mend
    assert str(path / "x.txt") in str(caught.value)
    return caught.value


def test_example(tmp_path):
    losses: Counter[str] = Counter()
    first, second = read(tmp_path, EXAMPLE, losses)
    assert first.id == first.group == "1"
    assert first.text == "Aspirin and β-blockers. Less headache."
    assert first.spans == (Span(0, 7, "Chemical"), Span(29, 37, "Disease"))
    assert [span.identifier for span in first.spans] == ["D001241", None]
    assert first.mention(first.spans[1]) == "headache"
    assert (second.text, second.spans) == ("Nothing here. ", ())
    assert losses == {RELATION: 1}


@pytest.mark.parametrize(
    "dialect",
    [
        EXAMPLE.replace("\n", "\r\n"),
        "\ufeff" + EXAMPLE,
        EXAMPLE.rstrip("\n"),
        "\n\n" + EXAMPLE.replace("\n\n", "\n\n\n") + "\n\n",
        EXAMPLE.replace("\n\n", "\n"),
    ],
    ids=["CRLF", "BOM", "no last newline", "more blank lines", "no blank line between documents"],
)
def test_dialects_read_as_the_same_documents(tmp_path, dialect):
    assert read(tmp_path, dialect) == read(tmp_path, EXAMPLE)


def test_gzip_reads_as_the_plain_file(tmp_path):
    (tmp_path / "x.pubtator.gz").write_bytes(gzip.compress(EXAMPLE.encode()))
    assert list(read_pubtator(tmp_path / "x.pubtator.gz")) == read(tmp_path, EXAMPLE)


def test_bars_in_the_text_are_text(tmp_path):
    (document,) = read(tmp_path, "1|t|a|t|b\n1|a||c|\n1\t0\t5\ta|t|b\tGene\n")
    assert document.text == "a|t|b |c|"
    assert document.mention(document.spans[0]) == "a|t|b"


def test_a_mention_that_differs_is_counted_and_its_offsets_are_believed(tmp_path):
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, f"{HEAD}1\t0\t7\taspirin\tChemical\n", losses)
    assert document.mention(document.spans[0]) == "Aspirin"
    assert losses == {MENTION_DIFFERS: 1}


def test_overlapping_and_repeated_mentions_are_kept(tmp_path):
    mention = "1\t0\t7\tAspirin\tChemical\n"
    (document,) = read(tmp_path, f"{HEAD}{mention}{mention}1\t0\t22\tAspirin and β-blockers\tChemical\n")
    assert len(document.spans) == 3


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("1|t|Title only.\n", "Title only."),
        ("1|a|Abstract only.\n", "Abstract only."),
        ("1|t|\n1|a|No title.\n", " No title."),
        ("1|t|T.\n1|a|A.\n1|intro|I.\n1|methods_title|M.\n", "T. A. I. M."),
    ],
    ids=["no abstract", "no title", "an empty title", "sections of a full text"],
)
def test_sections_are_joined_by_one_space(tmp_path, lines, text):
    losses: Counter[str] = Counter()
    last = f"1\t{len(text) - 2}\t{len(text)}\t{text[-2:]}\tDisease\n"
    (document,) = read(tmp_path, lines + last, losses)
    assert document.text == text
    assert document.spans == (Span(len(text) - 2, len(text), "Disease"),)
    assert losses == {}


@pytest.mark.parametrize(
    ("column", "identifier"),
    [
        ("", None),
        ("\t", None),
        ("\t-", None),
        ("\t-1", None),
        ("\tMESH:D1", "MESH:D1"),
        ("\tD1|D2", "D1|D2"),
        ("\tD1\ta|b", "D1"),
        ("\t-1\ta|b", None),
    ],
)
def test_the_identifier_is_the_sixth_column_where_it_names_a_concept(tmp_path, column, identifier):
    (document,) = read(tmp_path, f"{HEAD}1\t0\t7\tAspirin\tChemical{column}\n")
    assert document.spans == (Span(0, 7, "Chemical"),)
    assert document.spans[0].identifier == identifier


@pytest.mark.parametrize("between", ["\n", "", "\n2|t|Another.\n\n"], ids=["blank line", "none", "another document"])
def test_a_document_that_stands_twice_is_read_twice(tmp_path, between):
    one = f"{HEAD}1\t0\t7\tAspirin\tChemical\n"
    (expected,) = read(tmp_path, one)
    documents = read(tmp_path, one + between + one)
    assert [document for document in documents if document.id == "1"] == [expected, expected]


def test_reading_streams(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(f"{EXAMPLE}\nbroken\n", encoding="utf-8")
    stream = read_pubtator(path)
    assert next(stream).id == "1"
    assert next(stream).id == "2"
    with pytest.raises(DataError):
        next(stream)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1\t30\t99\theadache\tDisease", "offsets 30..99 lie outside the text of 38 characters"),
        ("1\t7\t7\t\tDisease", "offsets 7..7 lie outside"),
        ("1\t-5\t7\tAspirin\tChemical", "not a line of PubTator"),
        ("1\t0\t7x\tAspirin\tChemical", "not a line of PubTator"),
        ("1\t²\t7\tAspirin\tChemical", "not a line of PubTator"),
        ("1\t0\t²\tAspirin\tChemical", "not a line of PubTator"),
        ("1\t\t7\tAspirin\tChemical", "not a line of PubTator"),
        ("1\t0\t7\tAspirin\t", "not a line of PubTator"),
        ("1\t0\t7\tAspirin", "not a line of PubTator"),
        ("1 0 7 Aspirin Chemical", "a mention of document '1 0 7 Aspirin Chemical' below document '1'"),
        ("9\t0\t7\tAspirin\tChemical", "a mention of document '9' below document '1'"),
        ("9|a|Another abstract.", "text of document 9 amid document 1"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_text(tmp_path, line, problem):
    error = refusal(tmp_path, f"{HEAD}{line}\n")
    assert problem in str(error)
    assert error.line == 3
    assert error.text is not None
    assert error.text in line


def test_text_after_mentions_is_refused(tmp_path):
    error = refusal(tmp_path, "1|t|Aspirin.\n1\t0\t7\tAspirin\tChemical\n1|a|Late.\n")
    assert error.line == 3


def test_a_mention_before_any_text_is_refused(tmp_path):
    error = refusal(tmp_path, "\n1\t0\t7\tAspirin\tChemical\n")
    assert "before any title" in str(error)
    assert error.line == 2


def test_a_document_opens_with_title_or_abstract(tmp_path):
    assert "before any title" in str(refusal(tmp_path, "a|b|c\n"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(f"{HEAD}1\t0\t7\tAsp\0rin\tChemical\n".encode(), "NUL"), (f"{HEAD}2|t|".encode() + b"tum\xf6r\n", "not UTF-8")],
)
def test_what_is_no_text_is_refused_with_its_line(tmp_path, content, problem):
    error = refusal(tmp_path, content)
    assert problem in str(error)
    assert error.line == 3


def test_memory_does_not_grow_with_the_file(tmp_path):
    def peak(size: int) -> int:
        path = tmp_path / f"{size}.txt"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{HEAD}1\t0\t7\tAspirin\tChemical\tD{i}\n\n" for i in range(size))
        return peak_memory(lambda: consume(read_pubtator(path)))

    assert peak(10_000) < 1.1 * peak(200)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_refused(tmp_path, content):
    assert "the file is empty" in str(refusal(tmp_path, content))


# ---- the real files: mentions, documents and losses as counted when they were brought here

NATIVE = [
    ("NCBI-disease/NCBItrainset_corpus.txt", 593, 5145, {MENTION_DIFFERS: 1}),
    ("NCBI-disease/NCBIdevelopset_corpus.txt", 100, 787, {}),
    ("NCBI-disease/NCBItestset_corpus.txt", 100, 960, {}),
    ("BC5CDR/CDR_TrainingSet.PubTator.txt", 500, 9385, {RELATION: 1038}),
    ("BC5CDR/CDR_DevelopmentSet.PubTator.txt", 500, 9591, {RELATION: 1012}),
    ("BC5CDR/CDR_TestSet.PubTator.txt", 500, 9809, {RELATION: 1066}),
]


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(("name", "num_documents", "num_mentions", "expected_losses"), NATIVE)
def test_the_real_files_give_their_counts(name, num_documents, num_mentions, expected_losses):
    losses: Counter[str] = Counter()
    documents = list(read_pubtator(Path(os.environ["OPENMED_DATA"]) / "native" / name, losses=losses))
    assert len(documents) == num_documents
    assert sum(len(document.spans) for document in documents) == num_mentions
    assert losses == expected_losses
