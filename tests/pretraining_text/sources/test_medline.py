"""MEDLINE XML: what becomes text, what is left out and counted, what is refused; what came before a fault is given."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import DataError
from openmed.pretraining_text.sources import RawText, deletions_of_part, read_part, read_source

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet SYSTEM "pubmed_250101.dtd">\n'


def article(pmid: str, *sections: str, title: str = "A title.", version: int = 1, other: str = "") -> str:
    """A record; sections are AbstractText elements."""
    abstract = f"<Abstract>{''.join(sections)}<CopyrightInformation>(c)</CopyrightInformation></Abstract>"
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID>\n<Article><Journal><Title>J</Title>'
        f"</Journal><ArticleTitle>{title}</ArticleTitle>{abstract if sections else ''}</Article>\n{other}"
        '<CommentsCorrectionsList><CommentsCorrections><PMID Version="1">999</PMID></CommentsCorrections>'
        "</CommentsCorrectionsList></MedlineCitation></PubmedArticle>\n"
    )


def section(text: str, label: str | None = None) -> str:
    attribute = f' Label="{label}"' if label else ""
    return f"<AbstractText{attribute}>{text}</AbstractText>"


def whole(*articles: str) -> str:
    return f"{HEAD}<PubmedArticleSet>\n{''.join(articles)}</PubmedArticleSet>"


def read(folder: Path, content: str | bytes, losses: Counter[str] | None = None, **options: object) -> list[RawText]:
    path = folder / "x.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_source(path, format="medline", losses=losses, **options))


def collected(path: Path) -> tuple[list[str], DataError]:
    """The ids given before the error, and it."""
    ids: list[str] = []
    with pytest.raises(DataError) as caught:
        ids.extend(text.id for text in read_source(path, format="medline"))
    assert str(path) in str(caught.value)
    assert caught.value.mend
    return ids, caught.value


def test_title_abstract_and_pmid(tmp_path):
    assert read(tmp_path, whole(article("1", section("Some text.")))) == [
        RawText("pubmed:1", "A title.\n\nSome text.", pmid="1")
    ]


def test_labels_of_a_structured_abstract(tmp_path):
    content = article("1", section("a", "AIM"), section("b", "UNLABELLED"), section("", "NONE"), section("c", "END:"))
    assert read(tmp_path, whole(content))[0].text == "A title.\n\nAIM: a\n\nb\n\nEND: c"


def test_markup_is_flattened_and_line_breaks_are_joined(tmp_path):
    math = '<mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML"><mml:mi>x</mml:mi><mml:mn>2</mml:mn></mml:math>'
    content = article("1", section(f"10<sup>-3</sup> of <i>E.\n    coli</i> &lt; {math}\u00a0%"), title="<b>A</b>\nB")
    assert read(tmp_path, whole(content))[0].text == "A B\n\n10-3 of E. coli < x2\u00a0%"


def test_records_without_an_abstract_are_counted_or_given_as_titles(tmp_path):
    content = whole(article("1"), article("2", section("text")), article("3", title=""))
    losses: Counter[str] = Counter()
    assert [text.id for text in read(tmp_path, content, losses)] == ["pubmed:2"]
    assert losses == {"record_without_abstract": 1, "record_without_text": 1}
    losses.clear()
    assert [text.text for text in read(tmp_path, content, losses, titles=True)] == ["A title.", "A title.\n\ntext"]
    assert losses == {"record_without_text": 1}


def test_other_abstracts_are_counted(tmp_path):
    other = '<OtherAbstract Language="fre"><AbstractText>Un texte.</AbstractText></OtherAbstract>'
    losses: Counter[str] = Counter()
    texts = read(tmp_path, whole(article("1", section("text"), other=other * 2), article("2", other=other)), losses)
    assert [text.text for text in texts] == ["A title.\n\ntext"]
    assert losses == {"other_abstract": 3, "record_without_abstract": 1}


def test_deleted_records_are_not_given(tmp_path):
    deletions = '<DeleteCitation>\n<PMID Version="1">1</PMID><PMID Version="1">7</PMID></DeleteCitation>'
    losses: Counter[str] = Counter()
    content = whole(article("1", section("a")), article("2", section("b")), deletions)
    assert [text.id for text in read(tmp_path, content, losses)] == ["pubmed:2"]
    assert losses == {"deleted_record": 1}


def deletion(*pmids: str) -> str:
    named = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in pmids)
    return f"<DeleteCitation>{named}</DeleteCitation>"


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_a_later_file_takes_back_what_an_earlier_one_gave_and_not_the_other_way(tmp_path, parts):
    """Update files are applied in the order of their names: what comes again after its deletion stays."""
    records = {pmid: article(pmid, section(f"text {pmid}")) for pmid in ("1", "2", "3", "4")}
    files = {
        "n0001.xml": whole(records["1"], records["2"], records["3"]),
        "n0002.xml.gz": whole(records["4"], deletion("2")),
        "n0003.xml": whole(records["2"], deletion("4", "99")),
    }
    for name, content in files.items():
        data = content.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    losses: Counter[str] = Counter()
    texts = [
        (text.id, text.text)
        for part in range(parts)
        for text in read_part(tmp_path, part, parts, format="medline", losses=losses)
    ]
    assert sorted(texts) == [(f"pubmed:{pmid}", f"A title.\n\ntext {pmid}") for pmid in ("1", "2", "3")]
    assert losses == {"deleted_record": 2}
    found = [deletions_of_part(tmp_path, part, parts) for part in range(parts)]
    assert {pmid: file for part in found for pmid, file in part.items()} == {
        "2": "n0002.xml.gz",
        "4": "n0003.xml",
        "99": "n0003.xml",
    }
    assert sum(map(len, found)) == 3, "a file was looked through twice"


def test_deletions_are_looked_for_in_whole_files_only(tmp_path):
    content = whole(article("1", section("a")), deletion("2")).encode()
    for name, data, message in (
        ("cut.xml", content[: len(content) // 2], "cut.xml"),
        ("cut.xml.gz", gzip.compress(content)[:-20], "cut.xml.gz"),
        ("other.xml", b"<html></html>", "html"),
        ("other.txt", b"no XML", "not XML"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(DataError, match=message):
            deletions_of_part(path, 0, 1)


@pytest.mark.parametrize("size", [65_536 - offset for offset in range(0, 60, 7)])
def test_a_list_of_deletions_is_found_across_blocks(tmp_path, size):
    start = whole(article("1", section("a"))).removesuffix("</PubmedArticleSet>")
    filler = " " * (size - len(start.encode()))
    deletions = '<DeleteCitation><PMID Version="1">1</PMID></DeleteCitation></PubmedArticleSet>'
    assert read(tmp_path, start + filler + deletions) == []


def test_the_highest_of_neighbouring_versions_is_given(tmp_path):
    versions = [article("1", section(f"v{version}"), version=version) for version in (2, 3, 1)]
    losses: Counter[str] = Counter()
    texts = read(tmp_path, whole(*versions, article("2", section("b"))), losses)
    assert [text.text for text in texts] == ["A title.\n\nv3", "A title.\n\nb"]
    assert losses == {"older_version": 2}


def test_books_are_read_too(tmp_path):
    book = (
        '<PubmedBookArticle><BookDocument><PMID Version="1">5</PMID><Book><BookTitle>A book</BookTitle></Book>'
        "<Abstract><AbstractText>About.</AbstractText></Abstract></BookDocument></PubmedBookArticle>"
    )
    assert read(tmp_path, whole(book)) == [RawText("pubmed:5", "A book\n\nAbout.", pmid="5")]


def test_a_folder_with_checksums_beside_its_files(tmp_path):
    for pmid in "21":
        (tmp_path / f"{pmid}.xml.gz").write_bytes(gzip.compress(whole(article(pmid, section("a"))).encode()))
        (tmp_path / f"{pmid}.xml.gz.md5").write_text("MD5= 0")
    losses: Counter[str] = Counter()
    assert [text.pmid for text in read_source(tmp_path, format="medline", losses=losses)] == ["1", "2"]
    assert losses == {"file_passed_over": 2}


def test_what_came_before_broken_xml_is_given(tmp_path):
    path = tmp_path / "x.xml"
    path.write_text(whole(article("1", section("a")), article("2", section("b")), "<broken></PubmedArticle>"))
    ids, error = collected(path)
    assert ids == ["pubmed:1", "pubmed:2"]
    assert "not well-formed" in str(error)
    assert error.line == 10


def test_what_came_before_the_end_of_a_cut_gzip_is_given(tmp_path):
    path = tmp_path / "x.xml.gz"
    content = whole(*(article(str(number), section(str(random.Random(number).random()))) for number in range(1, 3000)))
    path.write_bytes(gzip.compress(content.encode())[:-20_000])
    ids, error = collected(path)
    assert ids[:2] == ["pubmed:1", "pubmed:2"]
    assert "gzip file is cut off or damaged" in str(error)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("no xml", "not XML"),
        ("<html></html>", "the outermost element is <html>"),
        (whole(article("1", section("a")))[:-30], "not well-formed"),
        (whole(article("x1", section("a"))), "without a PMID in digits (text: 'x1 (version 1)')"),
        (whole("<MedlineCitation></MedlineCitation>"), "without a PMID"),
        (whole("<MedlineCitation><MedlineCitation/></MedlineCitation>"), "<MedlineCitation> within"),
        (whole("<MedlineCitation><PMID><MedlineCitation/></PMID></MedlineCitation>"), "<MedlineCitation> within"),
        (whole(article("1", section("tum\u00f6r"))).encode("latin-1"), "not well-formed"),
        ('<!DOCTYPE a [<!ENTITY e "lol">]><PubmedArticleSet>&e;</PubmedArticleSet>', "declares or fetches entities"),
    ],
)
def test_refusals(tmp_path, content, problem):
    path = tmp_path / "x.xml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    _, error = collected(path)
    assert problem in str(error)
