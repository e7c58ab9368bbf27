"""`write`: the format by the suffix or by name, and in every format that is read, documents come back as they were."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from openmed.encoding.words import words_of
from openmed.errors import ConfigError, DataError
from openmed.readers import READERS, read
from openmed.spans import Document, Span
from openmed.writers import WRITERS, write
from openmed.writers.losses import IDENTIFIERS_NOT_WRITTEN

DOCUMENTS = [
    Document(
        "1", "Aspirin relieves headache. IL-2 too.", (Span(0, 7, "Chemical", identifier="MESH:1"), Span(17, 25, "X"))
    ),
    Document("2", "β-catenin in mice.", (Span(0, 9, "Gene"),)),
]
TARGETS = {
    "bioc": ["a.xml", "a.json"],
    "brat": ["folder"],
    "conll": ["a.conll"],
    "csv": ["a.csv"],
    "jsonl": ["a.jsonl"],
    "pubtator": ["a.pubtator"],
}


def options(format: str) -> dict:
    return {"words": lambda document: words_of(document, "punctuation")} if format == "conll" else {}


def mentions(document: Document) -> list[tuple[str, str]]:
    return [("".join(document.mention(span).split()), span.label) for span in document.spans]


def test_every_writer_but_that_of_pages_to_look_at_has_its_reader():
    assert set(TARGETS) == set(WRITERS) - {"html"} == set(WRITERS) & set(READERS)


@pytest.mark.parametrize(("format", "name"), [(format, name) for format in TARGETS for name in TARGETS[format]])
def test_documents_come_back(tmp_path, format, name):
    losses: Counter[str] = Counter()
    given = format if format == "brat" else None
    assert write(DOCUMENTS, tmp_path / name, format=given, losses=losses, **options(format)) == 2
    assert losses == ({IDENTIFIERS_NOT_WRITTEN: 1} if format == "conll" else {})
    back = list(read(tmp_path / name))
    assert [mentions(document) for document in back] == [mentions(document) for document in DOCUMENTS]
    if format != "conll":  # whose words come back joined by single spaces
        assert [(d.id, d.spans) for d in back] == [(d.id, d.spans) for d in DOCUMENTS]
        if format != "csv":  # which has blanks between the mentions
            assert [d.text for d in back] == [d.text for d in DOCUMENTS]
        assert back[0].spans[0].identifier == "MESH:1"


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.xml"])
def test_nothing_is_left_behind_when_a_document_cannot_be_had(tmp_path, name):
    def broken():
        yield DOCUMENTS[0]
        raise DataError("the test's own failure")

    with pytest.raises(DataError, match="own failure"):
        write(broken(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("a.txt", {}, "tells no format. Say format= one of bioc, brat, conll, csv, html, jsonl, pubtator"),
        ("a.jsonl", {"format": "jsonlines"}, "unknown format 'jsonlines'. Did you mean 'jsonl'"),
        ("a.jsonl.gz", {}, "compressed files are read, not written"),
        ("a.conll", {"word": None}, "format 'conll' has no option 'word'. Did you mean 'words'"),
        ("a.csv", {"words": None}, "format 'csv' has no option 'words'. Leave it out"),
    ],
)
def test_a_mistake_names_the_mend(tmp_path: Path, name, settings, message):
    with pytest.raises(ConfigError) as caught:
        write(DOCUMENTS, tmp_path / name, **settings)
    assert message in str(caught.value)


def test_a_folder_in_the_files_place_stays(tmp_path):
    (tmp_path / "a.jsonl").mkdir()
    with pytest.raises(DataError, match="a folder is in the file's place"):
        write(DOCUMENTS, tmp_path / "a.jsonl")
