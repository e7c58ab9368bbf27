"""What `openmed predict` takes beside text and JSONL: tables, PubMed, BioC, PubTator; told or found out."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import ConfigError, DataError
from openmed.readers import read
from openmed.serving import Reading, expand_inputs, read_input, read_sound
from openmed.serving.inputs import format_of
from openmed.spans import Document, Span

MEDLINE = """<?xml version="1.0"?>
<!DOCTYPE PubmedArticleSet PUBLIC "x" "y">
<PubmedArticleSet>
<PubmedArticle><MedlineCitation><PMID Version="1">7</PMID><Article><ArticleTitle>p53 in mice.</ArticleTitle>
<Abstract><AbstractText Label="AIM">To <i>see</i>.</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID Version="1">8</PMID><Article><ArticleTitle>Title alone.</ArticleTitle>
</Article></MedlineCitation></PubmedArticle>
</PubmedArticleSet>"""
BIOC = (
    "<collection><!-- not a PubmedArticleSet --><document><id>b</id><passage><offset>0</offset><text>p53</text>"
    "</passage></document></collection>"
)
PUBTATOR = "1|t|p53 helps.\n1|a|Or not.\n1\t0\t3\tp53\tGene\n"


def one(path: Path, **reading) -> list[tuple[str, str]]:
    return [(document.id, document.text) for document in read_input(path, Reading(**reading))]


def write(path: Path, content: str) -> Path:
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content", "format", "expected"),
    [
        ("x.xml", MEDLINE, "medline", [("7", "p53 in mice.\n\nAIM: To see."), ("8", "Title alone.")]),
        ("x.xml", BIOC, "bioc", [("b", "p53")]),
        ("x.pubtator", PUBTATOR, "pubtator", [("1", "p53 helps. Or not.")]),
        ("x.tsv", PUBTATOR, "pubtator", [("1", "p53 helps. Or not.")]),
        ("x.tsv", "p53\tB-Gene\nhelps\tO\n", "conll", [("x#1", "p53 helps")]),
        ("x.tsv", "id\ttext\n7\tp53\n", "csv", [("7", "p53")]),
        ("x.csv", "id,text\n7,p53\n", "csv", [("7", "p53")]),
        ("x.txt", PUBTATOR, "text", [("x", PUBTATOR)]),
        ("x.jsonl", '{"text": "p53"}', "jsonl", [("1", "p53")]),
    ],
)
def test_the_suffix_or_else_the_content_tells_the_format(tmp_path, name, content, format, expected, suffix):
    path = write(tmp_path / f"{name}{suffix}", content)
    assert format_of(path, Reading()) == format
    assert one(path) == expected


def test_a_format_told_is_that_of_every_file(tmp_path):
    path = write(tmp_path / "x.txt", PUBTATOR)
    assert one(path, format="pubtator") == [("1", "p53 helps. Or not.")]
    write(tmp_path / "odd.suffix", PUBTATOR)
    write(tmp_path / ".hidden", PUBTATOR)
    assert [file.name for file in expand_inputs([tmp_path], Reading(format="pubtator"))] == ["odd.suffix", "x.txt"]
    with pytest.raises(ConfigError, match=r"unknown format 'pubtaro'\. Did you mean 'pubtator'"):
        Reading(format="pubtaro")


def test_a_brat_folder_is_read_for_its_texts(tmp_path):
    write(tmp_path / "a.txt", "p53\r\nhelps")
    write(tmp_path / "a.ann", "T1\tGene 0 3\tp53\n")
    assert [one(file) for file in expand_inputs([tmp_path])] == [[("a", "p53\r\nhelps")]]


def test_what_reading_leaves_out_is_counted(tmp_path):
    losses: Counter[str] = Counter()
    twice = MEDLINE.replace('"1">8<', '"2">7<')
    assert [d.text for d in read_input(write(tmp_path / "x.xml", twice), losses=losses)] == ["Title alone."]
    assert losses == {"older_version": 1}


def test_broken_xml_is_refused_after_the_records_before(tmp_path):
    documents = read_input(write(tmp_path / "x.xml", MEDLINE.replace("Title alone.</ArticleTitle>", "<")))
    assert next(documents) == Document("7", "p53 in mice.\n\nAIM: To see.")
    with pytest.raises(DataError, match="not well-formed"):
        next(documents)


@pytest.mark.parametrize(
    ("name", "content", "mend"),
    [
        ("x.txt", "p53 helps".encode("utf-16"), "utf-16"),
        ("x.txt", "p53 hélps".encode("utf-16-be"), "utf-16"),
        ("x.jsonl", '{"text": "p53"}\n'.encode("utf-16"), "utf-16"),
        ("x.jsonl", '{"text": "p53"}\n'.encode("utf-16-le"), "utf-16"),
        ("x.csv", "id,text\n7,p53\n".encode("utf-16"), "utf-16"),
        ("x.csv", "id,text\n7,p53\n".encode("utf-16-le"), "utf-16"),
        ("x.txt", "naïve".encode("latin1"), "latin1"),
        ("x.txt", "café".encode("latin1"), "get the file again if it is cut off, else"),
        ("x.txt", "naïve café".encode()[:-1], "What comes before is UTF-8: get the file again"),
        ("x.txt", "naïve ".encode() + b"\xff, too", "What comes before is UTF-8: get the file again"),
        ("x.csv", "id,naïve\n".encode("latin1"), "latin1"),
    ],
)
def test_what_is_not_utf_8_is_told_how_it_is_mended(tmp_path, name, content, mend):
    path = tmp_path / name
    path.write_bytes(content)
    refused: list[str] = []
    assert list(read_sound(path, refused=lambda error: refused.append(str(error)))) == []
    assert mend.lower() in refused[0].lower()
    assert ("latin1" in refused[0]) == (mend in ("latin1", "get the file again if it is cut off, else"))
    "".join(refused).encode()  # can be written to a list of errors


def test_a_table_in_another_encoding_names_the_byte_and_its_place(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,text\n7,p53\n8,na\xefve\n")
    with pytest.raises(DataError, match=r"x\.csv:3: not UTF-8: byte 0xef at character 2 of column 'text' "):
        list(read_input(path))
    path.write_bytes(b"id,t\xe9xt\n")
    with pytest.raises(DataError, match=r"x\.csv:1: not UTF-8: byte 0xe9 at byte 4 of the header"):
        list(read_input(path))


def test_a_table_without_the_column_is_told_of_the_option(tmp_path):
    path = write(tmp_path / "x.tsv", "pmid\tabstract\n7\tp53 helps\n")
    with pytest.raises(
        DataError, match=r"If it is a table, say --text-column, one of pmid, abstract; else say --format"
    ):
        one(path)
    assert one(path, text_column="abstract") == [("1", "p53 helps")]
    with pytest.raises(ConfigError, match=r"no column 'text'\. Say --text-column or --id-column: name one that it has"):
        one(path, format="csv")


def test_results_below_an_input_folder_are_no_inputs(tmp_path):
    out = tmp_path / "tagged"
    (out / ".openmed").mkdir(parents=True)
    for path in (tmp_path / "a.txt", out / "a.jsonl", out / ".openmed" / "x.jsonl"):
        path.write_text("")
    assert [path.name for path in expand_inputs([tmp_path], without=out)] == ["a.txt"]
    assert [path.name for path in expand_inputs([out])] == ["a.jsonl"]


def test_a_table_of_mentions_is_refused_and_read_as_gold_all_the_same(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("document,start,end,label,text\n1,4,7,Gene,p53\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"x.csv: the table holds mentions.*openmed score takes.*--id-column"):
        list(read_input(path))
    assert [document.text for document in read_input(path, Reading(id_column="document"))] == ["p53"]
    assert [document.spans for document in read(path)] == [(Span(4, 7, "Gene"),)]
