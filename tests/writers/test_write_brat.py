"""What is written as BRAT is read back as the same documents; what the format cannot hold is refused or counted."""

from __future__ import annotations

import shutil
import unicodedata
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tests.strategies import any_spans, texts

from openmed.errors import DataError
from openmed.readers.brat import read_brat
from openmed.readers.brat_lines import NOTE
from openmed.spans import Document, Span
from openmed.writers.brat import ID_CHANGED, MAX_NAME_BYTES, write_brat
from openmed.writers.losses import GROUPS_NOT_WRITTEN, SENTENCES_NOT_WRITTEN, WORDS_NOT_WRITTEN

DOCUMENT = Document(
    "1",
    "Colon and\nbreast cancer.",
    (
        Span(0, 23, "Disease", ((0, 5), (17, 23)), identifier="MESH:D003110|OMIM:1"),
        Span(10, 23, "Disease", score=0.9312345678),
        Span(0, 16, "Site", identifier="a b:c"),
    ),
)
IDENTIFIERS = st.none() | st.sampled_from(["MESH:D1|OMIM:2", "|", "a||b", " x ", "Taxonomy:9606", "a\x85b\u2028"])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to write anew: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("brat") / "out"


def written_and_read(documents: list[Document], folder: Path) -> tuple[list[Document], Counter[str], Counter[str]]:
    """The documents as they come back, and what was lost in writing and in reading."""
    shutil.rmtree(folder, ignore_errors=True)
    lost_writing: Counter[str] = Counter()
    lost_reading: Counter[str] = Counter()
    assert write_brat(iter(documents), folder, losses=lost_writing) == len(documents)
    return list(read_brat(folder, losses=lost_reading)), lost_writing, lost_reading


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Any text that BRAT can hold, with nested, equal and discontinuous mentions, some with an identifier."""
    text = draw(texts() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)).replace("\0", "")
    assume(not text.startswith("\ufeff"))
    spans = draw(any_spans(len(text)))
    return Document("d", text, tuple(replace(span, identifier=draw(IDENTIFIERS)) for span in spans))


@given(st.lists(documents(), min_size=1, max_size=3))
def test_what_is_written_is_read_back(scratch, drawn):
    named = [replace(document, id=f"d{number}", group="") for number, document in enumerate(drawn)]
    found, lost_writing, lost_reading = written_and_read(named, scratch)
    assert found == named
    for before, after in zip(named, found, strict=True):
        expected = [span.identifier if (span.identifier or "").strip() else None for span in before.spans]
        assert [span.identifier for span in after.spans] == expected
    assert not lost_writing
    assert not lost_reading


IDS = st.one_of(
    st.sampled_from(["a", "A", "a/b", "a%2Fb", "a~2", "..", ".x", "", "document", "x.txt", "x.ann", "PMC-1.sec 2"]),
    st.sampled_from(["é", "e\u0301", "x" * 250, "x" * 251, "β" * 120, "a\nb", "\ud800", "C:\\x", "straße", "STRASSE"]),
    st.text(max_size=5),
)


@settings(max_examples=50)
@example(["a", "A", "é", "e\u0301", "straße", "STRASSE", "a/b", "a%2Fb", "a~2", "a"])
@given(st.lists(IDS, min_size=1, max_size=6))
def test_every_id_gets_a_file_of_its_own_and_those_that_are_changed_are_counted(scratch, ids):
    drawn = [Document(id, f"text {number}") for number, id in enumerate(ids)]
    found, losses, _ = written_and_read(drawn, scratch)
    by_text = {document.text: document.id for document in found}
    assert by_text.keys() == {document.text for document in drawn}
    assert losses[ID_CHANGED] == sum(by_text[document.text] != document.id for document in drawn)
    assert len({unicodedata.normalize("NFC", id).casefold() for id in by_text.values()}) == len(ids)
    assert all(len(id.encode()) <= MAX_NAME_BYTES + 2 for id in by_text.values())


@given(st.text(alphabet="abcXYZ0129-_.,;+()[]{}='~%#@!$&^ éβ漢", min_size=1, max_size=40))
def test_a_plain_id_comes_back_the_same(scratch, id):
    assume(not id.startswith("."))
    found, losses, _ = written_and_read([Document(id, "")], scratch)
    assert [document.id for document in found] == [id]
    assert not losses


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("NUL", "%4EUL"),
        ("con", "%63on"),
        ("Prn.v2", "%50rn.v2"),
        ("aux .x", "%61ux .x"),
        ("COM1", "%43OM1"),
        ("lpt9.txt", "%6Cpt9.txt"),
        ("COM¹", "%43OM¹"),
        *((id, id) for id in ("NULL", "COM0", "COM10", "context", "a.con", "LPT")),
    ],
)
def test_names_that_windows_reserves_are_made_safe(scratch, id, name):
    (document,), losses, _ = written_and_read([Document(id, "x")], scratch)
    assert document.id == name
    assert losses == ({} if id == name else {ID_CHANGED: 1})


def test_the_files_are_those_of_the_format(tmp_path):
    assert write_brat([DOCUMENT], tmp_path / "out") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["1.ann", "1.txt"]
    assert (tmp_path / "out/1.txt").read_bytes() == DOCUMENT.text.encode()
    assert (tmp_path / "out/1.ann").read_text() == (
        "T1\tSite 0 16\tColon and breast\n"
        "N1\tReference T1 a b:c\tColon and breast\n"
        "T2\tDisease 0 5;17 23\tColon cancer\n"
        "N2\tReference T2 MESH:D003110\tColon cancer\n"
        "N3\tReference T2 OMIM:1\tColon cancer\n"
        "T3\tDisease 10 23\tbreast cancer\n"
        "#1\tAnnotatorNotes T3\tscore=0.931235\n"
    )


@pytest.mark.parametrize("space", ["\n", "\r", "\t", "\x85", "\u2028", "\x1d"])
def test_a_mention_is_one_line_whatever_white_space_it_holds(tmp_path, space):
    document = Document("1", f"a{space}b{space}", (Span(0, 4, "X"),))
    found, _, losses = written_and_read([document], tmp_path / "out")
    assert found == [document]
    assert not losses
    assert (tmp_path / "out/1.ann").read_bytes().decode().splitlines() == ["T1\tX 0 4\ta b "]


def test_a_score_is_a_note(tmp_path):
    (document,), _, lost_reading = written_and_read([DOCUMENT], tmp_path / "out")
    assert document == DOCUMENT
    assert lost_reading == {NOTE: 1}


def test_fragments_that_touch_come_back_as_one(tmp_path):
    document = Document("1", "colonic", (Span(0, 7, "X", ((0, 5), (5, 7))),))
    (found,), _, losses = written_and_read([document], tmp_path / "out")
    assert found.spans == (Span(0, 7, "X"),)
    assert not losses


@pytest.mark.parametrize(
    ("views", "kind"),
    [
        ({"group": "abstract 1"}, GROUPS_NOT_WRITTEN),
        ({"words": ((0, 1),)}, WORDS_NOT_WRITTEN),
        ({"sentences": ()}, SENTENCES_NOT_WRITTEN),
    ],
)
def test_what_brat_has_no_place_for_is_counted(tmp_path, views, kind):
    _, losses, _ = written_and_read([Document("1", "x", **views), Document("2", "x")], tmp_path / "out")
    assert losses == {kind: 1}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (Document("1", "a\0b"), "the text of document '1': '\\x00' at character 1"),
        (Document("1", "a\ud800"), "the text of document '1'"),
        (Document("1", "\ufeffa"), "the text of document '1': '\\ufeff' at character 0"),
        (Document("1", "a", (Span(0, 1, "Cell line"),)), "a label of document '1': ' ' at character 4"),
        (Document("1", "a", (Span(0, 1, "Cell\tline"),)), "a label"),
        (Document("1", "a", (Span(0, 1, "\ud800"),)), "a label"),
        (Document("1", "a", (Span(0, 1, "X", identifier="a\tb"),)), "an identifier"),
        (Document("1", "a", (Span(0, 1, "X", identifier="a\nb"),)), "an identifier"),
        (Document("1", "a", (Span(0, 1, "X", identifier="a\0b"),)), "an identifier"),
    ],
)
def test_what_brat_cannot_hold_is_refused_and_nothing_stays(tmp_path, document, problem):
    with pytest.raises(DataError) as caught:
        write_brat([DOCUMENT, document], tmp_path / "out")
    assert problem in str(caught.value)
    assert str(tmp_path / "out") in str(caught.value)
    assert caught.value.mend
    assert not list(tmp_path.iterdir())


def test_what_is_there_already_is_never_overwritten(tmp_path):
    for place in (tmp_path, tmp_path / "file"):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(DataError, match="something here already"):
            write_brat([DOCUMENT], place)
        assert (tmp_path / "file").read_text() == "mine"
        assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "empty").mkdir()
    assert write_brat([DOCUMENT], tmp_path / "empty") == 1
