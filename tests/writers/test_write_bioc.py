"""What is written as BioC, XML or JSON, is read back as the same documents; what XML cannot hold is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.memory import peak_memory
from tests.strategies import texts

from openmed.errors import ConfigError, DataError
from openmed.readers.bioc import read_bioc
from openmed.spans import Document, Range, Span
from openmed.writers.bioc import write_bioc
from openmed.writers.losses import WORDS_NOT_WRITTEN

XML_CHARACTERS = st.characters(
    codec="utf-8", exclude_categories=["Cc"], include_characters="\t\n\r\x7f\x85", exclude_characters="\ufffe\uffff"
)
NOT_XML = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
JSON_CHARACTERS = st.characters(codec="utf-8")
DOCUMENT = Document("1", "Aspirin for β.", (Span(0, 7, "Chemical", identifier="MESH:D001241", score=0.1234567),))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write in: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("bioc")


def ranges(length: int) -> st.SearchStrategy[tuple[Range, ...]]:
    """In order and apart, within so many characters."""
    edges = st.lists(st.integers(0, length), unique=True, max_size=6).map(sorted)
    return edges.map(lambda at: tuple(zip(at[::2], at[1::2], strict=False)))


@st.composite
def spans(draw: st.DrawFn, length: int, words: st.SearchStrategy[str]) -> Span:
    """Of one piece or several; with identifier, score and model or without."""
    pieces = draw(ranges(length).filter(bool))
    return Span(
        pieces[0][0],
        pieces[-1][1],
        draw(words),
        pieces if len(pieces) > 1 else (),
        identifier=draw(st.none() | words.filter(lambda word: word not in ("-", "-1"))),
        score=draw(st.none() | st.floats(0, 1)),
        model=draw(st.none() | words),
    )


@st.composite
def documents(draw: st.DrawFn, characters: st.SearchStrategy[str], fit: Callable[[str], bool]) -> Document:
    """Any document of such characters, or with a text that fits; mentions may overlap and be nested."""
    words = st.text(characters, min_size=1, max_size=3)
    text = draw(st.text(characters, max_size=20) | texts().filter(fit))
    length = len(text)
    return Document(
        draw(words),
        text,
        tuple(draw(st.lists(spans(length, words), max_size=3))) if length else (),
        draw(st.just("") | words),
        sentences=draw(st.none() | ranges(length)),
    )


def everything(document: Document) -> tuple[object, ...]:
    """What a document holds, identifiers, scores and models too, which equality leaves out."""
    details = sorted((span, span.identifier or "", span.score or 0, span.model or "") for span in document.spans)
    return document.id, document.group, document.text, document.words, document.sentences, details


def round_trip(written: list[Document], path: Path) -> list[Document]:
    assert write_bioc(written, path) == len(written)
    return list(read_bioc(path))


@given(st.lists(documents(XML_CHARACTERS, lambda text: not NOT_XML.search(text)), min_size=1, max_size=3))
@example([Document("a\r\n", "\r \t\n<&>\"']]>\x85\u2028 ", (Span(0, 1, "<\r>"),), sentences=())])
def test_what_is_written_as_xml_is_read_back(scratch, written):
    again = round_trip(written, scratch / "x.xml")
    assert [everything(document) for document in again] == [everything(document) for document in written]


@given(st.lists(documents(JSON_CHARACTERS, lambda text: True), min_size=1, max_size=3))
@example([Document("\0", '\0\x1f\x7f\ufffe\ufeff\\ud800"', (Span(0, 1, "\n"),), sentences=((0, 1),))])
def test_what_is_written_as_json_is_read_back(scratch, written):
    again = round_trip(written, scratch / "x.json")
    assert [everything(document) for document in again] == [everything(document) for document in written]


@pytest.mark.parametrize("name", ["x.xml", "x.json"])
def test_touching_fragments_read_back_as_one(tmp_path, name):
    written = DOCUMENT.with_spans([Span(0, 7, "A", ((0, 3), (3, 7))), Span(0, 13, "B", ((0, 3), (3, 7), (12, 13)))])
    losses: Counter[str] = Counter()
    write_bioc([written], tmp_path / name)
    (document,) = read_bioc(tmp_path / name, losses=losses)
    assert document.spans == (Span(0, 7, "A"), Span(0, 13, "B", ((0, 7), (12, 13))))
    assert losses == {}


@pytest.mark.parametrize("to", ["xml", "json"])
def test_words_are_counted_and_the_form_may_be_said(tmp_path, to):
    losses: Counter[str] = Counter()
    written = Document("1", "Aspirin for β.", words=((0, 7), (8, 11)))
    assert write_bioc([written, DOCUMENT], tmp_path / "x.bioc", to=to, losses=losses) == 2
    assert [document.words for document in read_bioc(tmp_path / "x.bioc")] == [None, None]
    assert losses == {WORDS_NOT_WRITTEN: 1}


def test_xml_has_the_elements_of_the_dtd_in_its_order(tmp_path):
    document = Document("7", DOCUMENT.text, DOCUMENT.spans, "g", sentences=((0, 14),))
    write_bioc([document], tmp_path / "x.xml")
    assert (tmp_path / "x.xml").read_bytes().decode().split("\n") == [
        "<?xml version='1.0' encoding='UTF-8'?>",
        "<!DOCTYPE collection SYSTEM 'BioC.dtd'>",
        "<collection>",
        "<source>openmed</source>",
        "<date></date>",
        "<key>openmed.key</key>",
        "<document>",
        "<id>7</id>",
        '<infon key="openmed.group">g</infon>',
        '<infon key="openmed.sentences">0-14</infon>',
        "<passage>",
        "<offset>0</offset>",
        "<text>Aspirin for β.</text>",
        '<annotation id="T1">',
        '<infon key="type">Chemical</infon>',
        '<infon key="identifier">MESH:D001241</infon>',
        '<infon key="score">0.1234567</infon>',
        '<location offset="0" length="7"/>',
        "<text>Aspirin</text>",
        "</annotation>",
        "</passage>",
        "</document>",
        "</collection>",
        "",
    ]


def test_json_has_the_keys_of_bioc(tmp_path):
    write_bioc([DOCUMENT.with_spans([Span(0, 11, "A", ((0, 7), (8, 11)))])], tmp_path / "x.json")
    collection = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert list(collection) == ["source", "date", "key", "infons", "documents"]
    annotation = {
        "id": "T1",
        "infons": {"type": "A"},
        "text": "Aspirin for",
        "locations": [{"offset": 0, "length": 7}, {"offset": 8, "length": 3}],
    }
    passage = {"infons": {}, "offset": 0, "text": "Aspirin for β.", "sentences": [], "annotations": [annotation]}
    assert collection["documents"] == [
        {"id": "1", "infons": {}, "passages": [passage | {"relations": []}], "annotations": [], "relations": []}
    ]


@pytest.mark.parametrize("name", ["x.xml", "x.json"])
def test_no_documents_are_an_empty_collection(tmp_path, name):
    assert write_bioc([], tmp_path / name) == 0
    with pytest.raises(DataError, match="no documents"):
        list(read_bioc(tmp_path / name))


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1f", "\ufffe", "\uffff", "\ud800"])
@pytest.mark.parametrize("where", ["id", "group", "text", "label", "identifier"])
def test_xml_refuses_what_it_cannot_hold_and_leaves_no_file(tmp_path, character, where):
    bad = f"a{character}"
    document = {
        "id": Document(bad, "text"),
        "group": Document("1", "text", group=bad),
        "text": Document("1", bad),
        "label": Document("1", "text", (Span(0, 1, bad),)),
        "identifier": Document("1", "text", (Span(0, 1, "A", identifier=bad),)),
    }[where]
    with pytest.raises(DataError) as caught:
        write_bioc([DOCUMENT, document], tmp_path / "x.xml")
    assert f"U+{ord(character):04X} at character 1" in str(caught.value)
    assert repr(document.id) in str(caught.value)
    assert (caught.value.mend == "remove it") == (character == "\ud800")
    assert list(tmp_path.iterdir()) == []


def test_json_refuses_half_a_surrogate_pair(tmp_path):
    with pytest.raises(DataError, match=r"document '1': its text holds U\+D800 at character 1"):
        write_bioc([Document("1", "a\ud800")], tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "to"), [("x.txt", None), ("x", None), ("x.xml", "csv"), ("x.xml.gz", None), ("x.gz", "xml")]
)
def test_another_form_is_refused(tmp_path, name, to):
    with pytest.raises(ConfigError) as caught:
        write_bioc([DOCUMENT], tmp_path / name, to=to)
    assert caught.value.mend
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x.xml", "x.json"])
def test_more_documents_take_no_more_memory(tmp_path, name):
    document = Document("1", "Aspirin for β. " * 200, DOCUMENT.spans)
    peaks = [
        peak_memory(lambda number=number: write_bioc((document for _ in range(number)), tmp_path / name))
        for number in (30, 1500)
    ]
    assert peaks[1] < 1.1 * peaks[0]
