"""What is written as JSONL is read back as the same documents, and each line has the fields of the contract."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.readers import format_inline, read_inline, read_jsonl
from openmed.spans import Document, Range, Span
from openmed.writers import prediction_json, write_jsonl

DOCUMENT = Document("1", "Aspirin for β.", (Span(0, 7, "Chemical", score=0.1234567),))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("jsonl") / "x.jsonl"


def ranges(length: int) -> st.SearchStrategy[tuple[Range, ...]]:
    """In order, without overlap, within so many characters."""
    edges = st.lists(st.integers(0, length), unique=True, max_size=6).map(sorted)
    return edges.map(lambda at: tuple(zip(at[::2], at[1::2], strict=False)))


@st.composite
def spans(draw: st.DrawFn, length: int) -> Span:
    pieces = draw(ranges(length).filter(bool))
    label = draw(st.text(min_size=1, max_size=3).filter(lambda text: text.isprintable()))
    return Span(pieces[0][0], pieces[-1][1], label, pieces if len(pieces) > 1 else ())


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Any document, whatever its characters; mentions may overlap and come in pieces."""
    text = draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
    length = len(text)
    return Document(
        draw(st.text(min_size=1, max_size=3).filter(lambda id: id.isprintable())),
        text,
        tuple(draw(st.lists(spans(length), max_size=3))),
        draw(st.sampled_from(["", "PMID1"])),
        draw(st.none() | ranges(length)),
        draw(st.none() | ranges(length)),
    )


@given(st.lists(documents(), min_size=1, max_size=3))
def test_what_is_written_is_read_back(scratch, written):
    assert write_jsonl(written, scratch) == len(written)
    assert list(read_jsonl(scratch)) == written
    assert len(scratch.read_bytes().split(b"\n")) == len(written) + 1, "a document takes one line"


def test_scores_and_identifiers_are_read_back(tmp_path):
    mention = Span(0, 7, "Chemical", identifier="D001241", score=0.25)
    write_jsonl([DOCUMENT.with_spans([mention])], tmp_path / "x.jsonl")
    (document,) = read_jsonl(tmp_path / "x.jsonl")
    assert (document.spans[0].identifier, document.spans[0].score) == ("D001241", 0.25)


def test_jsonl_carries_a_document_of_inline_mark_up_unchanged(tmp_path):
    (tmp_path / "x.txt").write_text("@id a\n[Aspirin|Chemical] helps.\nNot \\[always\\].\n", encoding="utf-8")
    (document,) = read_inline(tmp_path / "x.txt")
    write_jsonl([document], tmp_path / "x.jsonl")
    (again,) = read_jsonl(tmp_path / "x.jsonl")
    assert format_inline(again) == (tmp_path / "x.txt").read_text(encoding="utf-8")


def test_a_document_has_the_fields_of_the_contract_and_no_more(tmp_path):
    write_jsonl([DOCUMENT], tmp_path / "x.jsonl")
    entity = {"start": 0, "end": 7, "label": "Chemical", "text": "Aspirin", "score": 0.123457}
    assert json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8")) == {
        "id": "1",
        "text": "Aspirin for β.",
        "entities": [entity],
    }


def test_a_prediction_has_gold_and_entities(tmp_path):
    write_jsonl([prediction_json(DOCUMENT, [Span(12, 13, "Gene", score=0.5)])], tmp_path / "x.jsonl")
    line = json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8"))
    assert list(line) == ["id", "group", "text", "gold", "entities"]
    assert line["gold"] == [{"start": 0, "end": 7, "label": "Chemical"}]
    assert line["entities"] == [{"start": 12, "end": 13, "label": "Gene", "text": "β", "score": 0.5}]
    (gold,) = read_jsonl(tmp_path / "x.jsonl")
    (predicted,) = read_jsonl(tmp_path / "x.jsonl", mentions="entities")
    assert gold.spans == DOCUMENT.spans
    assert predicted.spans == (Span(12, 13, "Gene"),)


def test_gold_in_pieces_keeps_them(tmp_path):
    document = Document("1", "left and right lung", (Span(0, 19, "Organ", fragments=((0, 4), (15, 19))),))
    write_jsonl([prediction_json(document, [])], tmp_path / "x.jsonl")
    (gold,) = read_jsonl(tmp_path / "x.jsonl")
    assert gold.spans == document.spans


def test_text_stays_readable(tmp_path):
    write_jsonl([DOCUMENT], tmp_path / "x.jsonl")
    assert "β" in (tmp_path / "x.jsonl").read_text(encoding="utf-8")


def test_a_failure_halfway_leaves_the_file_that_was_there(tmp_path):
    def failing():
        yield DOCUMENT
        raise RuntimeError

    path = tmp_path / "x.jsonl"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(RuntimeError):
        write_jsonl(failing(), path)
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
