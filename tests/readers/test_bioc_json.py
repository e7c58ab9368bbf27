"""BioC JSON: every shape it comes in reads as the same documents, streaming; mistakes are named."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import consume, peak_memory
from tests.strategies import texts

from openmed.errors import DataError
from openmed.readers.bioc import read_bioc
from openmed.readers.bioc_document import BYTE_OFFSETS
from openmed.readers.bioc_json import json_entries
from openmed.readers.losses import MENTION_DIFFERS, RELATION
from openmed.spans import Document, Span

ASPIRIN = {
    "id": "2",
    "infons": {"identifier": "MESH:D001241", "type": "Chemical", "valid": True, "score": 0.5},
    "text": "Aspirin",
    "locations": [{"offset": 0, "length": 7}],
}
FIRST: dict[str, Any] = {
    "_id": "1|None",
    "id": "1",
    "infons": {},
    "passages": [
        {
            "infons": {"type": "title"},
            "offset": 0,
            "text": "Aspirin and β 😀.",
            "sentences": [],
            "annotations": [ASPIRIN],
        },
        {"infons": None, "offset": 17, "text": "Less\u2028pain.", "sentences": []},
    ],
    "relations": [{"id": "R1", "infons": {"type": "Association"}, "nodes": []}],
}
SECOND = {"id": 2, "passages": [{"offset": 0, "text": "", "sentences": [{"offset": 0, "text": "Nothing."}]}]}
EXPECTED = [
    Document("1", "Aspirin and β 😀. Less\u2028pain.", (Span(0, 7, "Chemical"),)),
    Document("2", "Nothing.", sentences=((0, 8),)),
]
COLLECTION = {"source": "s", "date": "", "key": "", "infons": {"documents": [1]}, "documents": [FIRST, SECOND]}


def dump(value: object, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def read(path: Path, content: str | bytes, losses: Counter[str] | None = None) -> list[Document]:
    path = path / "x.json"
    path.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    return list(read_bioc(path, losses=losses))


def refusal(path: Path, content: str | bytes) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, content)
    assert caught.value.mend
    assert str(path / "x.json") in str(caught.value)
    return caught.value


def one(text: str, *annotations: dict[str, Any], **more: object) -> str:
    """A collection of one document with one passage."""
    passage = {"offset": 0, "text": text, "annotations": list(annotations)} | more
    return dump({"documents": [{"id": "77", "passages": [passage]}]})


@pytest.mark.parametrize(
    "shape",
    [
        dump(COLLECTION),
        dump(COLLECTION, indent=2),
        json.dumps(COLLECTION),
        "\ufeff\n " + dump(COLLECTION),
        dump([COLLECTION]),
        dump([{"bioctype": "BioCCollection", "documents": [FIRST]}, {"documents": []}, {"documents": [SECOND]}]),
        dump({"PubTator3": [FIRST, SECOND]}),
        dump([FIRST, SECOND]),
        f"{dump(FIRST)}\n{dump(SECOND)}\n",
        f"{dump({'documents': [FIRST]})}\n{dump({'documents': [SECOND]})}",
    ],
    ids=[
        "collection",
        "indented",
        "ASCII",
        "BOM",
        "PMC",
        "collections",
        "PubTator3",
        "list",
        "lines",
        "collections a line",
    ],
)
def test_every_shape_reads_as_the_same_documents(tmp_path, shape):
    losses: Counter[str] = Counter()
    documents = read(tmp_path, shape, losses)
    assert documents == EXPECTED
    assert (documents[0].spans[0].identifier, documents[0].spans[0].score) == ("MESH:D001241", 0.5)
    assert losses == {RELATION: 1}


def test_a_control_character_is_text_when_it_is_escaped(tmp_path):
    (document,) = read(tmp_path, one("a\0b\x07c\r\n\ufffe"))
    assert document.text == "a\0b\x07c\r\n\ufffe"


@pytest.mark.parametrize("end", ["", "oops", r'"\ud800"', "null]}"])
def test_documents_before_a_mistake_are_given(tmp_path, end):
    (tmp_path / "x.json").write_text(dump(COLLECTION)[:-2] + "," + end, encoding="utf-8")
    stream = read_bioc(tmp_path / "x.json")
    assert [next(stream), next(stream)] == EXPECTED
    with pytest.raises(DataError):
        next(stream)


def test_a_larger_file_takes_no_more_memory(tmp_path):
    document = {"id": "1", "passages": [{"offset": 0, "text": "Aspirin and β. " * 400, "annotations": [ASPIRIN]}]}
    peaks = []
    for number in (30, 1500):
        (tmp_path / "x.json").write_text(dump({"documents": [document] * number}), encoding="utf-8")
        peaks.append(peak_memory(lambda: consume(read_bioc(tmp_path / "x.json"))))
    assert peaks[1] < 1.1 * peaks[0]


# ---- offsets in bytes


@st.composite
def mentions_in_pieces(draw: st.DrawFn) -> tuple[list[str], list[tuple[int, int, int]]]:
    """Texts of passages, and mentions as (passage, start, end) in characters."""
    passages = draw(st.lists(texts(max_fragments=4).filter(bool), min_size=1, max_size=3))
    mentions = []
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(passages) - 1))
        start, end = sorted(draw(st.lists(st.integers(0, len(passages[at])), min_size=2, max_size=2)))
        if start < end:
            mentions.append((at, start, end))
    return passages, mentions


@given(mentions_in_pieces(), st.integers(0, 3), st.booleans())
def test_mentions_are_what_the_file_says_whether_offsets_count_characters_or_bytes(
    tmp_path_factory, drawn, base, in_bytes
):
    def size(text: str) -> int:
        return len(text.encode()) if in_bytes else len(text)

    passages, mentions = drawn
    offsets = [base]
    for text in passages[:-1]:
        offsets.append(offsets[-1] + size(text) + 1)
    entries: list[dict[str, Any]] = [{"offset": at, "text": text} for at, text in zip(offsets, passages, strict=True)]
    for at, start, end in mentions:
        text = passages[at]
        location = {"offset": offsets[at] + size(text[:start]), "length": size(text[start:end])}
        annotation = {"infons": {"type": "T"}, "text": text[start:end], "locations": [location]}
        entries[at].setdefault("annotations", []).append(annotation)
    losses: Counter[str] = Counter()
    path = tmp_path_factory.mktemp("bytes")
    (document,) = read(path, dump({"id": "1", "passages": entries}), losses)
    given_texts = sorted(passages[at][start:end] for at, start, end in mentions)
    assert sorted(document.mention(span) for span in document.spans) == given_texts
    assert not losses[MENTION_DIFFERS]
    if losses[BYTE_OFFSETS] or not in_bytes:
        assert document.text == " ".join(passages)
    if not in_bytes:
        assert not losses


def test_a_mention_that_differs_does_not_make_offsets_bytes(tmp_path):
    losses: Counter[str] = Counter()
    wrong = ASPIRIN | {"text": "aspirin"}
    (document,) = read(tmp_path, one("Aspirin β", wrong, ASPIRIN), losses)
    assert [document.mention(span) for span in document.spans] == ["Aspirin", "Aspirin"]
    assert losses == {MENTION_DIFFERS: 1}


# ---- mistakes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (dump(COLLECTION)[:-1], "The file is cut off"),
        ("[", "The file is cut off"),
        ('{"documents": [}', "not well-formed JSON"),
        ('{"documents": []} x', "not well-formed JSON"),
        ('{"documents": [{"id": "\0"}]}', "not well-formed JSON"),
        (one("café").encode("latin1"), "not well-formed JSON (lexical error: invalid bytes in UTF8 string)"),
        (one("ab").replace("ab", "a\ud800b"), "not UTF-8"),
        (dump(COLLECTION).encode("utf-16"), "not well-formed XML"),
        ("[" * 100_000, "lists within lists"),
        ('{"documents": []}', "no documents"),
        ("[]", "no documents"),
        ("[1]", "neither a collection nor a document (text: '1')"),
        ('{"documents": ["text"]}', "neither a collection nor a document"),
        ('{"documents": {}}', "(text: 'an object with documents')"),
        ('{"id": "1", "text": "Aspirin"}', 'neither a collection ("documents") nor a document ("passages")'),
    ],
)
def test_what_is_not_bioc_is_named(tmp_path, content, problem):
    assert problem in str(refusal(tmp_path, content))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (r"a\ud800b", False),
        (r"a\ud800", False),
        (r"a\uDC00b", False),
        (r"a\ud800\u0041", False),
        (r"a\ud800\\udc00", False),
        (r"\\\ud83d\ud83d\ude00", False),
        (r"\ud83d\uDE00\\ud800 \\\\ud800 \u00e9 \"", True),
    ],
)
@pytest.mark.parametrize("size", range(1, 17))
def test_half_a_surrogate_pair_is_refused_wherever_a_block_ends(tmp_path, text, whole, size):
    content = one("TEXT").replace("TEXT", text)
    blocks = [content[start : start + size].encode() for start in range(0, len(content), size)]
    entries = json_entries(blocks, tmp_path / "x.json")
    if whole:
        assert list(entries) == json.loads(content)["documents"]
    else:
        with pytest.raises(DataError, match="half a surrogate pair"):
            list(entries)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (one("Aspirin", ASPIRIN | {"locations": [{"offset": 1, "length": 7}]}), "offsets 1..8 are empty or outside"),
        (one("Aspirin", ASPIRIN | {"locations": [{"offset": True, "length": 7}]}), "'offset' must be a whole number"),
        (one("Aspirin", ASPIRIN | {"locations": [{"offset": 1.5, "length": 7}]}), "(text: '1.5')"),
        (one("Aspirin", ASPIRIN | {"locations": [{"offset": 10**30, "length": 7}]}), "'offset' must be a whole number"),
        (one("Aspirin", ASPIRIN | {"locations": [7]}), "'locations' must be a list of objects"),
        (one("Aspirin", ASPIRIN | {"infons": {"type": 7}}), "no infon 'type'"),
        (one("Aspirin", ASPIRIN | {"infons": {}}), "the infons (this one has none)"),
        (one("Aspirin", ASPIRIN | {"infons": []}), "'infons' must be an object"),
        (one("Aspirin", ASPIRIN | {"text": 7}), "'text' must be a string"),
        (one("Aspirin", annotations={"a": 1}), "'annotations' must be a list of objects"),
        (one("Aspirin", offset=None), "'offset' is missing"),
        (one("Aspirin", sentences=[{"offset": 0}]), "'text' is missing"),
        (dump({"documents": [{"id": "77", "passages": []}]}), "it has no text"),
        (dump({"documents": [{"id": "77", "passages": "text"}]}), "'passages' must be a list of objects"),
    ],
)
def test_a_document_that_cannot_be_is_named_with_its_id(tmp_path, content, problem):
    error = refusal(tmp_path, content)
    assert problem in str(error)
    assert "document '77'" in str(error)
