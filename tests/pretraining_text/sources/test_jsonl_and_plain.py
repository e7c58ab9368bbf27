"""JSON lines of any keys, and plain text by file, paragraph and line."""

from __future__ import annotations

import gzip
import json
import lzma
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.sources import RawText, read_source


def write(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


@pytest.mark.parametrize(("suffix", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_ids_are_the_records_own_or_the_place(tmp_path, suffix, compress):
    path = tmp_path / f"abstracts.jsonl{suffix}"
    path.write_bytes(compress(b'{"pmid": 7, "text": "a"}\n\n{"id": "x", "text": "b\\nc"}\n'))
    assert list(read_source(path, format="jsonl")) == [RawText("abstracts:1", "a", "7"), RawText("x", "b\nc")]


def test_several_keys_and_empty_texts(tmp_path):
    entries = [{"t": "T", "a": "A", "n": 1}, {"t": None, "a": "B", "n": 2}, {"a": " ", "n": 3}]
    path = write(tmp_path / "x.jsonl", "\n".join(map(json.dumps, entries)))
    losses: Counter[str] = Counter()
    texts = list(read_source(path, format="jsonl", losses=losses, text=["t", "a"], id="n", pmid="n"))
    assert texts == [RawText("1", "T\n\nA", "1"), RawText("2", "B", "2")]
    assert losses == {"record_without_text": 1}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not a text"),
        ("[]", "a line must be an object"),
        ('{"txt": "a"}', "no key 'text'. Did you mean 'txt'"),
        ('{"text": 3}', "text must be a string, not 3"),
        ('{"text": "\\ud800"}', "surrogates not allowed"),
        ('{"text": "a", "id": true}', "id must be a string or a whole number, not True"),
    ],
)
def test_a_line_of_another_shape_is_named(tmp_path, line, problem):
    path = write(tmp_path / "x.jsonl", f'{{"text": "a"}}\n{line}\n')
    texts = read_source(path, format="jsonl")
    assert next(texts).id == "x:1"
    with pytest.raises(DataError) as caught:
        next(texts)
    assert problem in str(caught.value)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


def test_an_id_key_that_was_told_must_be_there(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"text": "a", "nct": "N1"}')
    with pytest.raises(DataError, match=r"no key 'nctid'\. Did you mean 'nct'"):
        list(read_source(path, format="jsonl", id="nctid"))


PLAIN = "\nFirst line.\nSecond.\n\n \nThird.\n"


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", [("x:2", "First line.\nSecond.\n\nThird.")]),
        ("paragraph", [("x:2", "First line.\nSecond."), ("x:6", "Third.")]),
        ("line", [("x:2", "First line."), ("x:3", "Second."), ("x:6", "Third.")]),
    ],
)
def test_units_of_plain_text(tmp_path, unit, expected):
    path = write(tmp_path / "x.txt", PLAIN)
    assert [(text.id, text.text) for text in read_source(path, format="text", unit=unit)] == expected


def test_an_unknown_unit_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="Did you mean 'paragraph'"):
        list(read_source(write(tmp_path / "x.txt", PLAIN), format="text", unit="paragraphs"))


@pytest.mark.parametrize("format", ["jsonl", "text"])
def test_an_empty_file_is_refused(tmp_path, format):
    with pytest.raises(DataError, match="the file is empty"):
        list(read_source(write(tmp_path / "x", "\n"), format=format))
