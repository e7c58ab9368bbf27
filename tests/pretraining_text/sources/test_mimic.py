"""NOTEEVENTS.csv, of notes made up here: what csv wrote comes back, lines joined, rows left out are counted."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openmed.errors import ConfigError, DataError
from openmed.pretraining_text.sources import RawText, read_source
from openmed.pretraining_text.sources.mimic import COLUMNS, read_mimic
from openmed.pretraining_text.sources.raw_text import paragraphs

HEADER = ",".join(f'"{column}"' for column in COLUMNS)


def row(id: int, text: str, category: str = "Nursing", is_error: str = "") -> str:
    quoted = text.replace('"', '""')
    return f'{id},9,"","2101-01-01","","","{category}","Report","","{is_error}","{quoted}"'


def read(path: Path, *lines: str, losses: Counter[str] | None = None, **options: object) -> list[RawText]:
    path = path / "NOTEEVENTS.csv"
    path.write_bytes("\n".join(lines).encode())
    return list(read_source(path, format="mimic", losses=losses, **options))


def test_lines_are_joined_and_heads_open_paragraphs(tmp_path):
    note = (
        'Admission Date:  [**2101-1-1**]\nChief Complaint:\nmade-up pain, "sharp"\nin quality\n'
        "History of Present Illness: none,\nHe said that: nothing\n\nDischarge medications:\naspirin\n[**A\nname**]\n"
    )
    assert read(tmp_path, HEADER, row(1, note)) == [
        RawText(
            "mimic:1",
            'Admission Date:  [**2101-1-1**]\n\nChief Complaint: made-up pain, "sharp" in quality\n\n'
            "History of Present Illness: none, He said that: nothing\n\nDischarge medications: aspirin [**A name**]",
        )
    ]


def test_errors_and_other_categories_are_counted(tmp_path):
    lines = [row(1, "a", "Physician "), row(2, "b", is_error="1"), row(3, "c", "ECG"), row(4, " ", "Physician")]
    losses: Counter[str] = Counter()
    texts = read(tmp_path, HEADER, *lines, losses=losses, categories=["physician"])
    assert [text.id for text in texts] == ["mimic:1"]
    assert losses == {"note_marked_as_error": 1, "record_of_another_category": 1, "record_without_text": 1}


def test_columns_in_another_order_and_small_letters(tmp_path):
    assert read(tmp_path, "text,iserror,category,row_id", "a,,ECG,7") == [RawText("mimic:7", "a")]


def test_crlf_is_a_line_end_too(tmp_path):
    assert [text.text for text in read(tmp_path, f"{HEADER}\r", row(1, "a\r\nb\r\n\r\nc") + "\r")] == ["a b\n\nc"]


@given(
    notes=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), min_size=1),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_csv_wrote_comes_back(tmp_path_factory, notes, quoting):
    target = io.StringIO(newline="")
    writer = csv.writer(target, quoting=quoting)
    writer.writerow(COLUMNS)
    writer.writerows([str(number), *[""] * 5, "ECG", "", "", "", note] for number, note in enumerate(notes))
    path = tmp_path_factory.mktemp("mimic") / "x.csv"
    path.write_text(target.getvalue(), encoding="utf-8", newline="")
    losses: Counter[str] = Counter()
    texts = {text.id: text.text for text in read_source(path, format="mimic", losses=losses)}
    expected = {f"mimic:{number}": note for number, note in enumerate(notes) if note.strip()}
    assert texts.keys() == expected.keys()
    assert all("".join(texts[id].split()) == "".join(note.split()) for id, note in expected.items())
    assert losses["record_without_text"] == len(notes) - len(texts)


def test_an_unknown_category_is_refused_at_once():
    with pytest.raises(ConfigError, match="Did you mean 'Radiology'"):
        read_mimic("no such file", losses=Counter(), categories=["Radiologie"])


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ([""], None, "the file is empty"),
        (["ROW_ID,TEXT", "1,a"], 1, "no column CATEGORY or ISERROR"),
        ([HEADER, row(1, "a\nb"), "2,3"], 4, "2 columns instead of 11 (text: '2,3')"),
        ([HEADER, row(1, "a\nb"), '2,"never closed\n\n'], 4, "the row that begins here cannot be read"),
        ([HEADER, row(1, "a\nb"), '2,"never closed' + "x\n" * 100_000], 4, "field larger than field limit"),
        ([HEADER, row(1, "a\nb"), '2,"a"b"'], 4, "the row that begins here cannot be read"),
    ],
)
def test_refusals(tmp_path, lines, line, problem):
    with pytest.raises(DataError) as caught:
        read(tmp_path, *lines)
    assert problem in str(caught.value)
    assert caught.value.line == line
    assert caught.value.mend


def test_what_is_not_utf8_is_named_and_what_came_before_is_given(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(f"{HEADER}\n{row(1, 'a')}\n".encode() + row(2, "tumör").encode("latin-1"))
    texts = read_source(path, format="mimic")
    assert next(texts).id == "mimic:1"
    with pytest.raises(DataError, match="not UTF-8"):
        next(texts)


def test_paragraphs_of_any_line_ends():
    assert paragraphs("a\rb\r\n c \n\n \nd") == ["a b c", "d"]
