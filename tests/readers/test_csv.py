"""Tables: a text a row, whatever its characters; a mention a row, as the writer makes them."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import consume, peak_memory
from tests.strategies import documents

from openmed.errors import ConfigError, DataError
from openmed.readers import read, read_csv
from openmed.readers.losses import TEXT_NOT_IN_FILE
from openmed.spans import Document, Span
from openmed.writers import write_csv
from openmed.writers.csv import NO_ROW

CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("csv") / "x.csv"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@given(texts=st.lists(CELLS, max_size=4), separator=st.sampled_from(",;\t"))
def test_texts_come_back_as_they_are(scratch, texts, separator):
    with scratch.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=separator)
        rows.writerow(["id", "text", "other"])
        rows.writerows([f"n{number}", text, "x"] for number, text in enumerate(texts))
    assert list(read_csv(scratch)) == [Document(f"n{number}", text) for number, text in enumerate(texts)]


def test_columns_separator_and_compression_can_be_what_they_are(tmp_path):
    path = write(tmp_path / "x.tsv.gz", gzip.compress("\ufeffpmid\tabstract\n7\tp53, α\r\n\n8\tq\n".encode()))
    assert list(read_csv(path, text="abstract", id="pmid")) == [Document("7", "p53, α"), Document("8", "q")]
    assert [document.id for document in read_csv(path, text="abstract")] == ["1", "2"]
    assert [document.text for document in read(write(tmp_path / "x.csv", "text\na b\n"))] == ["a b"]
    assert [document.text for document in read_csv(tmp_path / "x.csv", separator=",")] == ["a b"]


def test_a_column_that_is_not_there_is_named_with_the_nearest(tmp_path):
    path = write(tmp_path / "x.csv", "id,abstract\n1,a\n")
    with pytest.raises(ConfigError, match=r"no column 'abstrakt'.*Did you mean 'abstract'"):
        read_csv(path, text="abstrakt")
    with pytest.raises(ConfigError, match="no column 'pmid'"):
        read_csv(path, text="abstract", id="pmid")


@pytest.mark.parametrize(
    ("content", "line", "part"),
    [
        (b"id,text\n1,a\n2\n3,c\n", 3, "a row of 1 cells below a header of 2"),
        (b"id,text\n1,a\n2,\xff\n3,c\n", 3, "not UTF-8"),
        (b'id,text\n1,"a"\n2,b,"x"\n3,c\n', 3, "a row of 3 cells"),
        (b'id,text\n1,"a\n\nb"\n2,"b"x\n3,"c"\n', 5, "the quoting is broken"),
        (b'id,text\r\n1,a\r\n2,"he said "no" to it"\r\n3,c\r\n', 3, "the quoting is broken"),
    ],
)
def test_a_row_that_is_none_is_refused_or_told_and_left_out(tmp_path, content, line, part):
    path = write(tmp_path / "x.csv", content)
    with pytest.raises(DataError, match=part) as caught:
        list(read_csv(path))
    assert caught.value.line == line
    assert caught.value.mend
    told: list[DataError] = []
    assert [document.id for document in read_csv(path, refused=told.append)] == ["1", "3"]
    assert [str(error) for error in told] == [str(caught.value)]


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,a\n2,"b\n3,c\n4,d\n',  # never closed
        'id,text\n1,a\n2,"b\n3,"c\n4,d\n',  # another row's quote closes it
        'id,text\n1,a\n2,"he said "no" to\n3, and 4\nthem"\n5,c\n',  # its cell goes on below
    ],
)
def test_where_a_row_may_go_on_below_its_line_nothing_after_it_is_made_up(tmp_path, content):
    told: list[DataError] = []
    rows = read_csv(write(tmp_path / "x.csv", content), refused=told.append)
    assert next(rows).id == "1"
    with pytest.raises(DataError, match="this row and all below it are left out") as caught:
        next(rows)
    assert caught.value.line == 3
    assert told == []


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "the file is empty"), (b'id,text\n1,"a\n2,b\n', "the quoting is broken"), (b'id,text\n1,"a"b\n', "quoting")],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, part):
    with pytest.raises(DataError, match=part):
        list(read_csv(write(tmp_path / "x.csv", content)))


def test_a_compressed_file_cut_off_is_refused_after_what_came_whole(tmp_path):
    content = "id,text\n" + "".join(f"{number},{hash(str(number))}\n" for number in range(30_000))
    rows = read_csv(write(tmp_path / "x.csv.gz", gzip.compress(content.encode())[:-20]))
    assert next(rows).id == "0"
    with pytest.raises(DataError, match="cut off or damaged"):
        consume(rows)


def test_a_cell_may_be_megabytes_long(tmp_path):
    (document,) = read_csv(write(tmp_path / "x.csv", f"text\n{'p53 ' * 500_000}\n"))
    assert len(document.text) == 2_000_000


def test_rows_stream(tmp_path):
    def path(number: int) -> Path:
        return write(tmp_path / f"{number}.csv", "text\n" + "p53 helps\n" * number)

    few, many = path(2_000), path(20_000)
    assert peak_memory(lambda: consume(read_csv(many))) < 1.5 * peak_memory(lambda: consume(read_csv(few)))


# --- tables of mentions ---------------------------------------------------------------------------------------------


@given(drawn=documents())
def test_mentions_come_back_at_their_places_with_blanks_between(scratch, drawn):
    losses: Counter[str] = Counter()
    write_csv([drawn], scratch)
    found = list(read_csv(scratch, losses=losses))
    assert len(found) == losses[TEXT_NOT_IN_FILE] == bool(drawn.spans)
    for document in found:
        assert (document.id, document.group, document.spans) == (drawn.id, drawn.group, drawn.spans)
        assert [document.mention(s) for s in document.spans] == [drawn.mention(s) for s in drawn.spans]
        facts = [(s.identifier or None, s.score if s.score is None else round(s.score, 6)) for s in drawn.spans]
        assert [(s.identifier, s.score) for s in document.spans] == facts


def test_models_come_back_and_what_has_no_mention_has_no_row(tmp_path):
    losses: Counter[str] = Counter()
    spans = (Span(0, 3, "A", score=0.5, model="one"), Span(0, 3, "A", score=0.25, model="two"))
    write_csv([Document("1", "p53 x", spans), Document("2", "none")], tmp_path / "x.csv", losses=losses)
    assert losses[NO_ROW] == 1
    (found,) = read_csv(tmp_path / "x.csv")
    assert [(span.model, span.score) for span in found.spans] == [("one", 0.5), ("two", 0.25)]
    assert found.text == "p53"


@pytest.mark.parametrize("row", ["1,0,3,A,p5", "1,3,0,A,p53", "1,x,3,A,p53", "1,1,4,A,q53", "1,0,3,,p53"])
def test_a_mention_at_odds_with_itself_or_another_is_refused(tmp_path, row):
    path = write(tmp_path / "x.csv", f"document,start,end,label,text\n1,0,3,A,p53\n{row}\n")
    with pytest.raises(DataError, match="row 2 is no mention"):
        list(read_csv(path))
