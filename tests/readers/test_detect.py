"""A file's format is told by its suffix, else by how it opens; where neither tells, the error says what to set."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from openmed.errors import DataError
from openmed.readers import READERS, detect_format, read
from openmed.readers.detect import FORMATS, SUFFIXES
from openmed.readers.losses import FILE_PASSED_OVER

OPENINGS = {
    "bioc": '{"documents": [{"id": "1", "passages": [{"offset": 0, "text": "Aspirin helps.", "annotations": [{"id": '
    '"T1", "infons": {"type": "Chemical"}, "locations": [{"offset": 0, "length": 7}], "text": "Aspirin"}]}]}]}\n',
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


OF_FOLDERS = {
    "bc2gm": {"x.in": "P1 Aspirin helps.\n", "GENE.eval": "P1|0 6|Aspirin\n"},
    "brat": {"x.txt": "Aspirin helps.", "x.ann": "T1\tChemical 0 7\tAspirin\n"},
    "csv": {"x.csv": "document,start,end,label,text\n1,0,7,Chemical,Aspirin\n"},
}
"""Formats that spread a document over two files, and the one that its suffix alone tells."""


def test_every_format_has_an_example_here():
    assert {*OPENINGS, *OF_FOLDERS} == set(READERS) == set(FORMATS)


def folder_of(path: Path, files: dict[str, str]) -> Path:
    path.mkdir()
    for name, text in files.items():
        write(path / name, text)
    return path


@pytest.mark.parametrize("format", [*OPENINGS, *OF_FOLDERS])
def test_a_folder_and_an_archive_have_the_format_of_their_files(tmp_path, format):
    files = OF_FOLDERS.get(format) or {"a.txt": OPENINGS[format], "sub.tsv": OPENINGS[format]}
    folder = folder_of(tmp_path / "corpus", {**files, "README.md": "About it.", ".hidden": "x"})
    with tarfile.open(tmp_path / "corpus.tar.gz", "w:gz") as archive:
        archive.add(folder, "train")
    for place in (folder, tmp_path / "corpus.tar.gz", tmp_path / "corpus.tar.gz" / "train"):
        assert detect_format(place) == format
        documents = list(read(place))
        assert len(documents) == (1 if format in OF_FOLDERS else 2)
        assert all(document.mention(document.spans[0]) == "Aspirin" for document in documents)


@pytest.mark.parametrize("name", ["source.conll", "Notice.conll.gz", "citation.bio", "README.IOB"])
def test_a_name_like_a_readmes_hides_no_file_whose_suffix_tells_a_format(tmp_path, name):
    folder = folder_of(tmp_path / "corpus", {name: OPENINGS["conll"], "a.conll": OPENINGS["conll"]})
    losses: Counter[str] = Counter()
    assert len(list(read(folder, losses=losses))) == 2
    assert not losses


def test_files_passed_over_for_their_names_are_counted(tmp_path):
    files = {"a.txt": OPENINGS["jsonl"], "README.txt": "About it.", "LICENSE": "MIT", "source.tsv": "x", ".hidden": "x"}
    folder = folder_of(tmp_path / "corpus", files)
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"in/{file.name}")
    for place in (folder, tmp_path / "corpus.zip"):
        losses: Counter[str] = Counter()
        assert len(list(read(place, losses=losses))) == 1
        assert losses == {FILE_PASSED_OVER: 3}


def test_a_text_with_annotations_beside_it_is_standoff(tmp_path):
    folder = folder_of(tmp_path / "corpus", OF_FOLDERS["brat"])
    assert detect_format(folder / "x.txt") == "brat"


def test_a_folder_of_several_formats_names_them(tmp_path):
    folder = folder_of(tmp_path / "corpus", {"a.txt": OPENINGS["jsonl"], "b.txt": OPENINGS["conll"]})
    error = refusal(folder)
    assert "b.txt is conll, a.txt is jsonl" in str(error)
    assert "Give a folder with files of one split and one format" in str(error)


def test_a_fault_in_a_folder_or_archive_is_told_with_its_file(tmp_path):
    folder = folder_of(tmp_path / "corpus", {"a.jsonl": OPENINGS["jsonl"], "b.jsonl": "{}\n"})
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"in/{file.name}")
    for place in (folder, tmp_path / "corpus.zip" / "in"):
        with pytest.raises(DataError, match=r"b\.jsonl:1: not a document") as caught:
            list(read(place))
        assert str(place / "b.jsonl") in str(caught.value)


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
    sorted((suffix.removeprefix("."), format) for suffix, format in SUFFIXES.items()),
)
def test_a_telling_suffix_decides_without_a_look_inside(tmp_path, suffix, format):
    for name in (f"x.{suffix}", f"x.{suffix.upper()}", f"x.{suffix}.gz"):
        assert detect_format(tmp_path / name) == format


@pytest.mark.parametrize(
    "text",
    ["Aspirin relieves headache.\n", '[\n  {"text": "Aspirin"}\n]\n', "<html>\n", "# only this\n"],
)
def test_what_cannot_be_told_says_which_setting_to_give(tmp_path, text):
    path = write(tmp_path / "x.txt", text)
    error = refusal(path)
    assert str(path) in str(error)
    assert error.text == text.splitlines()[0]
    assert "Say dataset.format= one of bc2gm, bioc, brat, conll, csv, inline, jsonl, pubtator" in str(error)


def test_an_empty_file_is_called_empty(tmp_path):
    assert "the file is empty" in str(refusal(write(tmp_path / "x.txt", "\n")))


def test_a_fault_of_the_file_is_named_as_such(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"Aspirin B-Chemical\ntum\xf6r O\n")
    error = refusal(path)
    assert error.line == 2
    assert "not UTF-8" in str(error)


def test_a_missing_file_and_an_empty_folder_are_named(tmp_path):
    assert "there is no such file, folder or archive" in str(refusal(tmp_path / "x.txt"))
    assert "the folder holds no files" in str(refusal(tmp_path))


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(
    ("format", "pattern"),
    [
        ("conll", "ner/*/*.tsv"),
        ("pubtator", "native/*/*[Ss]et*[!L].txt"),
        ("bioc", "native/*/*.xml"),
        ("bc2gm", "native/BC2GM/t*"),
        ("brat", "native/*-standoff*"),
        ("brat", "native/Linnaeus/*.tar.bz2"),
    ],
)
def test_the_real_files_are_told_apart(format, pattern):
    files = list(Path(os.environ["OPENMED_DATA"]).glob(pattern))
    assert files
    assert {path.name: detect_format(path) for path in files} == {path.name: format for path in files}
