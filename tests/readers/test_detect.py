"""A file's format is told by its suffix, else by how it opens; where neither tells, the error says what to set."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from openmed.errors import DataError
from openmed.readers import READERS, detect_format, read

OPENINGS = {
    "conll": "Aspirin\tB-Chemical\nhelps\tO\n",
    "inline": "@id a\n[Aspirin|Chemical] helps.\n",
    "jsonl": '{"text": "Aspirin helps.", "entities": [{"start": 0, "end": 7, "label": "Chemical"}]}\n',
    "pubtator": "1|t|Aspirin helps.\n1\t0\t7\tAspirin\tChemical\n",
}


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        detect_format(path)
    return caught.value


def test_every_format_has_an_example_here():
    assert set(OPENINGS) == set(READERS)


@pytest.mark.parametrize("format", OPENINGS)
@pytest.mark.parametrize("name", ["x.txt", "x.tsv", "x", "x.v2", "x.TXT", "x.tsv.gz"])
def test_the_opening_tells_where_the_suffix_does_not(tmp_path, format, name):
    path = write(tmp_path / name, OPENINGS[format])
    assert detect_format(path) == format
    (document,) = read(path)
    assert document.mention(document.spans[0]) == "Aspirin"


@pytest.mark.parametrize("before", ["\ufeff", "\r\n \r\n", "# a comment\n\n"], ids=["BOM", "blank lines", "comment"])
@pytest.mark.parametrize("format", ["conll", "inline"])
def test_what_stands_before_the_opening_does_not_matter(tmp_path, format, before):
    assert detect_format(write(tmp_path / "x.txt", before + OPENINGS[format])) == format


@pytest.mark.parametrize(
    "text",
    [
        "-DOCSTART- -X- O O\n\nAspirin NN I-NP B-Chemical\n",
        "###MEDLINE:95369245\n\nAspirin\tB\n",
        "# text = Aspirin\nAspirin B-Chemical\n",
        "{\tO\nAspirin\tB-Chemical\n",
        "#\tO\n",
    ],
    ids=["DOCSTART", "MEDLINE", "comment", "brace", "only a hash"],
)
def test_token_files_are_known_by_their_tags(tmp_path, text):
    assert detect_format(write(tmp_path / "x.txt", text)) == "conll"


@pytest.mark.parametrize(
    ("suffix", "format"),
    [("conll", "conll"), ("iob", "conll"), ("bio", "conll"), ("jsonl", "jsonl"), ("pubtator", "pubtator")],
)
def test_a_telling_suffix_decides_without_a_look_inside(tmp_path, suffix, format):
    for name in (f"x.{suffix}", f"x.{suffix.upper()}", f"x.{suffix}.gz"):
        assert detect_format(tmp_path / name) == format


@pytest.mark.parametrize(
    "text",
    ["Aspirin relieves headache.\n", '[\n  {"text": "Aspirin"}\n]\n', "<?xml version='1.0'?>\n", "# only this\n"],
)
def test_what_cannot_be_told_says_which_setting_to_give(tmp_path, text):
    path = write(tmp_path / "x.txt", text)
    error = refusal(path)
    assert str(path) in str(error)
    assert error.text == text.splitlines()[0]
    assert "Say dataset.format= one of conll, inline, jsonl, pubtator" in str(error)


def test_an_empty_file_is_called_empty(tmp_path):
    assert "the file is empty" in str(refusal(write(tmp_path / "x.txt", "\n")))


def test_a_fault_of_the_file_is_named_as_such(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"Aspirin B-Chemical\ntum\xf6r O\n")
    error = refusal(path)
    assert error.line == 2
    assert "not UTF-8" in str(error)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "cannot be opened" in str(refusal(tmp_path / "x.txt"))
    assert "cannot be opened" in str(refusal(tmp_path))


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize("format", ["conll", "pubtator"])
def test_the_real_files_are_told_apart(format):
    pattern = {"conll": "ner/*/*.tsv", "pubtator": "native/*/*[Ss]et*[!L].txt"}[format]
    files = list(Path(os.environ["OPENMED_DATA"]).glob(pattern))
    assert len(files) >= 6
    assert {path.name: detect_format(path) for path in files} == {path.name: format for path in files}
