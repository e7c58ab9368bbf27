"""Files and folders become documents, byte for byte, and tagged ones, one by one."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from openmed.errors import DataError
from openmed.serving import annotate, expand_inputs, read_input, read_inputs
from openmed.spans import Document, Span

JSONL = (
    '{"id": "7", "group": "g", "text": "p53", "words": [[0, 3]], "entities": [{"start": 0, "end": 3, "label": "G"}]}\n'
)


class Parrot:
    """Stands in for an `EntityTagger`: one mention, the whole text."""

    def tag(self, documents: Iterable[Document]) -> Iterator[Document]:
        for document in documents:
            yield document.with_spans([Span(0, len(document.text), "All")])


def write(folder: Path, **contents: str | bytes) -> None:
    """Files by name; `__` in a name stands for a dot."""
    for name, content in contents.items():
        path = folder / name.replace("__", ".")
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_text_file_is_one_document_named_after_it_and_kept_byte_for_byte(tmp_path):
    text = "\ufeffAspirin\r\nrelieves\rheadache\n\n\x00β😀"
    write(tmp_path, note__v2__txt=text)
    assert list(read_input(tmp_path / "note.v2.txt")) == [Document("note.v2", text)]


def test_an_empty_text_file_is_an_empty_document(tmp_path):
    write(tmp_path, none__txt="")
    assert list(read_input(tmp_path / "none.txt")) == [Document("none", "")]


def test_compressed_text_is_text(tmp_path):
    write(tmp_path, note__txt__gz=gzip.compress("β".encode()))
    assert list(read_input(tmp_path / "note.txt.gz")) == [Document("note", "β")]


def test_compressed_text_cut_off_is_refused(tmp_path):
    write(tmp_path, note__txt__gz=gzip.compress(b"aspirin" * 99)[:-9])
    with pytest.raises(DataError, match=r"note\.txt\.gz: the gzip file is cut off"):
        list(read_input(tmp_path / "note.txt.gz"))


def test_text_that_is_not_utf8_is_refused_with_the_place_and_what_converts_it(tmp_path):
    write(tmp_path, latin__txt="naïve".encode("latin1"))
    with pytest.raises(DataError, match=r"latin\.txt: not UTF-8: byte 0xef at byte 2\..*iconv"):
        list(read_input(tmp_path / "latin.txt"))


def test_jsonl_is_one_document_a_line(tmp_path):
    write(tmp_path, many__jsonl=JSONL + '{"text": "q"}\n')
    assert [(document.id, document.text) for document in read_input(tmp_path / "many.jsonl")] == [
        ("7", "p53"),
        ("2", "q"),
    ]


def test_token_files_are_read_for_their_text(tmp_path):
    write(tmp_path, tokens__conll="p53\tB-Gene\nhelps\tO\n\n")
    assert [document.text for document in read_input(tmp_path / "tokens.conll")] == ["p53 helps"]


def test_a_folder_gives_its_readable_files_in_order_and_those_below(tmp_path):
    (tmp_path / "below").mkdir()
    write(tmp_path, b__txt="b", a__TXT="a", image__png="", notes="", c__jsonl=JSONL)
    write(tmp_path / "below", d__txt__gz=gzip.compress(b"d"))
    names = [path.relative_to(tmp_path).as_posix() for path in expand_inputs([tmp_path])]
    assert names == ["a.TXT", "b.txt", "below/d.txt.gz", "c.jsonl"]
    assert [document.id for document in read_inputs([tmp_path])] == ["a", "b", "d", "7"]


def test_files_and_folders_come_in_the_order_given(tmp_path):
    write(tmp_path, b__txt="b", a__txt="a")
    assert [path.name for path in expand_inputs([tmp_path / "b.txt", str(tmp_path)])] == ["b.txt", "a.txt", "b.txt"]


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.txt: no such file or folder"):
        expand_inputs([tmp_path / "nowhere.txt"])


def test_a_folder_without_files_to_tag_says_which_would_do(tmp_path):
    write(tmp_path, image__png="")
    with pytest.raises(DataError, match=r"holds no file to tag\. Files may end in \.txt.*\.jsonl"):
        expand_inputs([tmp_path])


def test_annotating_drops_what_the_documents_came_with(tmp_path):
    """Their words too: the tagger splits text as it did when it was trained."""
    write(tmp_path, one__jsonl=JSONL)
    tagged = list(annotate(cast(Any, Parrot()), read_inputs([tmp_path])))
    assert tagged == [Document("7", "p53", (Span(0, 3, "All"),), group="g")]


def test_annotating_streams(tmp_path):
    """A fault in the second file comes after the first file's results."""
    write(tmp_path, a__txt="a", b__txt=b"\xff")
    tagged = annotate(cast(Any, Parrot()), read_inputs([tmp_path]))
    assert next(tagged).id == "a"
    with pytest.raises(DataError, match=r"b\.txt"):
        next(tagged)
