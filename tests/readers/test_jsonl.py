"""JSONL: our own files and hand-written ones are read, and a line that is no document is named with what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from openmed.errors import DataError
from openmed.readers.jsonl import read_jsonl
from openmed.readers.losses import MENTION_DIFFERS
from openmed.spans import Document, Span

ASPIRIN = {"start": 0, "end": 7, "label": "Chemical"}


def read(path: Path, *entries: Any, **settings: Any) -> list[Document]:
    """Entries are written as JSON, strings as they are."""
    path = path / "x.jsonl"
    lines = (entry if isinstance(entry, str) else json.dumps(entry) for entry in entries)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return list(read_jsonl(path, **settings))


def entry(**changes: Any) -> dict[str, Any]:
    return {"id": "1", "text": "Aspirin for β.", "entities": [ASPIRIN], **changes}


def refusal(path: Path, *entries: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, *entries)
    assert caught.value.mend
    return caught.value


def test_example(tmp_path):
    mention = {**ASPIRIN, "text": "Aspirin", "score": 0.5, "identifier": "D001241"}
    (document,) = read(tmp_path, entry(entities=[mention], group="g", sentences=[[0, 14]], words=[[0, 7], [8, 11]]))
    expected = Document("1", "Aspirin for β.", (Span(0, 7, "Chemical"),), "g", ((0, 7), (8, 11)), ((0, 14),))
    assert document == expected
    assert (document.spans[0].score, document.spans[0].identifier) == (0.5, "D001241")


def test_the_least_a_line_needs_is_its_text(tmp_path):
    documents = read(tmp_path, {"text": "a"}, "", {"text": "b", "id": None, "group": None, "entities": None})
    assert [(document.id, document.group, document.spans) for document in documents] == [("1", "1", ()), ("3", "3", ())]


@pytest.mark.parametrize("key", ["gold", "entities", "spans"])
def test_mentions_are_found_under_the_usual_keys(tmp_path, key):
    (document,) = read(tmp_path, {"text": "Aspirin", key: [ASPIRIN]})
    assert document.spans == (Span(0, 7, "Chemical"),)


def test_gold_comes_before_predictions_unless_told(tmp_path):
    line = entry(gold=[], entities=[ASPIRIN])
    assert read(tmp_path, line)[0].spans == ()
    assert read(tmp_path, line, mentions="entities")[0].spans == (Span(0, 7, "Chemical"),)


def test_of_several_keys_each_line_has_its_mentions_under_the_first_that_it_has(tmp_path):
    lines = [
        entry(spans=[]),
        {"text": "Aspirin", "spans": [ASPIRIN], "gold": []},
        entry(entities=None, spans=[ASPIRIN]),
    ]
    found = read(tmp_path, *lines, mentions=("entities", "spans"))
    assert [len(document.spans) for document in found] == [1, 1, 0]


@pytest.mark.parametrize("key", ["entities", "label", "labels"])
def test_mentions_may_be_lists_as_other_tools_write_them(tmp_path, key):
    line = {"id": 7, "text": "Aspirin for β.", key: [[0, 7, "Chemical"]]}
    (document,) = read(tmp_path, line)
    assert (document.id, document.spans) == ("7", (Span(0, 7, "Chemical"),))


def test_the_class_of_a_text_is_no_mention(tmp_path):
    assert read(tmp_path, {"text": "Aspirin.", "label": "positive"})[0].spans == ()


@pytest.mark.parametrize("mention", [[0, 7], [0, 7, "Chemical", 1], [0, "7", "Chemical"], [0, 7, None]])
def test_another_list_is_refused(tmp_path, mention):
    assert refusal(tmp_path, {"text": "Aspirin.", "entities": [mention]}).line == 1


@pytest.mark.parametrize("keys", [("entities", "spans"), ["entities", "spans"], "entities"])
def test_a_line_without_the_keys_told_is_refused(tmp_path, keys):
    with pytest.raises(DataError, match=r"its mentions are to stand under 'entities'.*no such key") as caught:
        read(tmp_path, entry(), {"text": "Aspirin", "gold": [ASPIRIN]}, mentions=keys)
    assert caught.value.line == 2


def test_nested_and_discontinuous_mentions_are_kept(tmp_path):
    broken = {"start": 0, "end": 13, "label": "X", "fragments": [[0, 7], [12, 13]], "text": "Aspirin β"}
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, entry(entities=[broken, ASPIRIN]), losses=losses)
    assert [span.fragments for span in document.spans] == [(), ((0, 7), (12, 13))]
    assert not losses, "how the pieces of a mention are written together is not ours to judge"


def test_a_mention_that_differs_is_counted_and_its_offsets_are_believed(tmp_path):
    losses: Counter[str] = Counter()
    (document,) = read(tmp_path, entry(entities=[{**ASPIRIN, "text": "aspirin"}]), losses=losses)
    assert document.mention(document.spans[0]) == "Aspirin"
    assert losses == {MENTION_DIFFERS: 1}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a document: Expecting property name"),
        ("[" * 100_000, "not a document: maximum recursion"),
        ("5", "a line must be an object {...}, not 5"),
        ("[]", "a line must be an object {...}, not []"),
        ({"id": "1"}, "'text' is missing"),
        (entry(text=7), "text must be a string, not 7"),
        (r'{"text": "\ud800"}', "surrogates not allowed"),
        (entry(entities={"start": 0}), "entities must be a list [...], not {'start': 0}"),
        (entry(entities=["Aspirin"]), "a mention must be an object {...}, not 'Aspirin'"),
        (entry(entities=[{"start": 0, "end": 7}]), "'label' is missing"),
        (entry(entities=[{**ASPIRIN, "start": "0"}]), "start must be a whole number, not '0'"),
        (entry(entities=[{**ASPIRIN, "end": 7.0}]), "end must be a whole number, not 7.0"),
        (entry(entities=[{**ASPIRIN, "start": True}]), "start must be a whole number, not True"),
        (entry(entities=[{**ASPIRIN, "label": 3}]), "label must be a string, not 3"),
        (entry(entities=[{**ASPIRIN, "label": ""}]), "empty label"),
        (entry(entities=[{**ASPIRIN, "end": 99}]), "ends outside the text of 14 characters"),
        (entry(entities=[{**ASPIRIN, "start": -1}]), "0 <= start < end, got -1..7"),
        (entry(entities=[{**ASPIRIN, "end": 0}]), "0 <= start < end, got 0..0"),
        (entry(sentences=[[0, 9], [5, 14]]), "out of order or overlaps"),
        (entry(words=[[0, 99]]), "ends outside the text"),
        (entry(words=[[0, 1, 2]]), "words must be pairs [start, end]"),
        (entry(sentences=[0, 14]), "sentences must be a list [...], not 0"),
    ],
)
def test_a_line_that_is_no_document_is_named_with_what_is_wrong(tmp_path, line, problem):
    error = refusal(tmp_path, entry(), line)
    assert problem in str(error)
    assert error.line == 2
    assert error.text == (line if isinstance(line, str) else json.dumps(line))
    assert str(tmp_path / "x.jsonl:2") in str(error)


@pytest.mark.parametrize("lines", [[], ["", "  "]])
def test_an_empty_file_is_refused(tmp_path, lines):
    assert "the file is empty" in str(refusal(tmp_path, *lines))
