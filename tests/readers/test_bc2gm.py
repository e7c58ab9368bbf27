"""BC2GM: offsets without spaces become offsets of the text; any order of mentions; mistakes are named."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import consume, peak_memory
from tests.strategies import any_spans, texts

from openmed.errors import DataError
from openmed.readers.bc2gm import read_bc2gm
from openmed.readers.losses import MENTION_DIFFERS
from openmed.spans import Document, Span

SENTENCES = """\
P00000042T0000 Aspirin and the p53 gene.
P00000042A0123b TNF - alpha is  bound by p53
BC2GM000000007 Nothing here.
"""
MENTIONS = """\
P00000042T0000|13 19|p53 gene
P00000042A0123b|0 8|TNF - alpha
P00000042A0123b|18 20|p53
"""


def write(folder: Path, sentences: str | bytes = SENTENCES, mentions: str | bytes = MENTIONS) -> Path:
    for name, content in (("x.in", sentences), ("GENE.eval", mentions)):
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "x.in"


def read(folder: Path, sentences: str | bytes = SENTENCES, mentions: str | bytes = MENTIONS) -> list[Document]:
    return list(read_bc2gm(write(folder, sentences, mentions)))


def refusal(folder: Path, sentences: str | bytes = SENTENCES, mentions: str | bytes = MENTIONS) -> DataError:
    with pytest.raises(DataError) as caught:
        read(folder, sentences, mentions)
    assert caught.value.mend
    assert str(folder) in str(caught.value)
    return caught.value


def test_example(tmp_path):
    losses: Counter[str] = Counter()
    first, second, third = read_bc2gm(write(tmp_path), losses=losses)
    assert (first.id, first.group) == ("P00000042T0000", "42")
    assert (second.id, second.group) == ("P00000042A0123b", "42")
    assert (third.id, third.group) == ("BC2GM000000007", "BC2GM000000007")
    assert first.text == "Aspirin and the p53 gene."
    assert first.sentences == ((0, len(first.text)),)
    assert first.words is None
    assert first.spans == (Span(16, 24, "GENE"),)
    assert [second.mention(span) for span in second.spans] == ["TNF - alpha", "p53"]
    assert third.spans == ()
    assert losses == {}


@pytest.mark.parametrize(
    "dialect",
    [
        (SENTENCES.replace("\n", "\r\n"), MENTIONS.replace("\n", "\r\n")),
        ("\ufeff" + SENTENCES, "\ufeff" + MENTIONS),
        (SENTENCES.rstrip("\n"), MENTIONS.rstrip("\n")),
        (SENTENCES.replace("\n", "\n\n"), "\n" + MENTIONS),
        (SENTENCES, "".join(reversed(MENTIONS.splitlines(keepends=True)))),
        (SENTENCES, "\n".join(line.rpartition("|")[0] for line in MENTIONS.splitlines())),
        (SENTENCES, "\n".join(f"{line.rpartition('|')[0]}|" for line in MENTIONS.splitlines())),
    ],
    ids=["CRLF", "BOM", "no last newline", "blank lines", "mentions in another order", "no text", "an empty text"],
)
def test_dialects_read_as_the_same_documents(tmp_path, dialect):
    expected = read(tmp_path)
    losses: Counter[str] = Counter()
    assert list(read_bc2gm(write(tmp_path, *dialect), losses=losses)) == expected
    assert losses == {}


def test_folder_label_and_names_can_be_told(tmp_path):
    expected = read(tmp_path)
    assert list(read_bc2gm(tmp_path)) == expected
    (tmp_path / "y.in.gz").write_bytes(gzip.compress(SENTENCES.encode()))
    (tmp_path / "GENE.eval").rename(tmp_path / "gold")
    others = list(read_bc2gm(tmp_path / "y.in.gz", annotations="gold", label="Protein"))
    assert [document.text for document in others] == [document.text for document in expected]
    assert {span.label for document in others for span in document.spans} == {"Protein"}


@st.composite
def sentences(draw: st.DrawFn) -> Document:
    text = draw(texts()).translate({ord(character): " " for character in "\n\r\0"})
    text = f"x{text}x"
    # A mention's edges are characters, not spaces: the format can say no others.
    spans = (span for span in draw(any_spans(len(text))) if not span.discontinuous)
    edged = (span for span in spans if not text[span.start].isspace() and not text[span.end - 1].isspace())
    return Document("", text, tuple(Span(span.start, span.end, "GENE") for span in edged), sentences=((0, len(text)),))


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bc2gm")


def without_spaces(text: str) -> int:
    return sum(not character.isspace() for character in text)


@given(st.lists(sentences(), min_size=1, max_size=3), st.randoms())
def test_offsets_that_leave_out_spaces_come_back_as_those_of_the_text(scratch, drawn, random):
    expected = [Document(f"s{i}", d.text, d.spans, sentences=d.sentences) for i, d in enumerate(drawn)]
    mentions = [
        f"{document.id}|{without_spaces(document.text[: span.start])} "
        f"{without_spaces(document.text[: span.end]) - 1}|{document.mention(span)}\n"
        for document in expected
        for span in document.spans
    ] or ["s0|0 0|x\n"]
    if not any(document.spans for document in expected):
        expected[0] = expected[0].with_spans([Span(0, 1, "GENE")])
    random.shuffle(mentions)
    losses: Counter[str] = Counter()
    path = write(scratch, "".join(f"{document.id} {document.text}\n" for document in expected), "".join(mentions))
    assert list(read_bc2gm(path, losses=losses)) == expected
    assert losses == {}


def test_a_mention_that_differs_is_counted_and_its_offsets_are_believed(tmp_path):
    losses: Counter[str] = Counter()
    first, *_ = read_bc2gm(write(tmp_path, mentions="P00000042T0000|13 15|p52\n"), losses=losses)
    assert first.mention(first.spans[0]) == "p53"
    assert losses == {MENTION_DIFFERS: 1}


def test_overlapping_mentions_are_kept(tmp_path):
    mention = "P00000042T0000|13 19|p53 gene\n"
    first, *_ = read(tmp_path, mentions=f"{mention}{mention}P00000042T0000|13 15|p53\n")
    assert len(first.spans) == 3


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("P00000042T0000", "not a sentence"),
        ("P00000042T0000  ", "not a sentence"),
        (" Aspirin helps", "not a sentence"),
        ("P00000042T0000|13 19|p53 gene", "not a sentence"),
        ("P00000042T0000 Again.", "sentence P00000042T0000 stands in line 1 already"),
    ],
)
def test_a_wrong_line_of_sentences_is_named(tmp_path, line, problem):
    error = refusal(tmp_path, sentences=f"{SENTENCES}{line}\n")
    assert problem in str(error)
    assert (error.path, error.line) == (str(tmp_path / "x.in"), 4)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("P00000042T0000 13 19 p53 gene", "not a mention"),
        ("P00000042T0000|13|p53", "not a mention"),
        ("P00000042T0000|-1 2|Asp", "not a mention"),
        ("P00000042T0000|0 99999999999|Asp", "not a mention"),
        ("P00000042T0000|13 21|p53 gene.", "offsets 13 21 lie outside sentence P00000042T0000 of 21 characters"),
        ("P00000042T0000|13 12|p", "offsets 13 12 lie outside"),
        (
            "P00000099T0000|0 2|Asp\nP00000098T0000|0 2|p53",
            "a mention of sentence P00000099T0000, which x.in does not hold",
        ),
    ],
)
def test_a_wrong_line_of_mentions_is_named(tmp_path, line, problem):
    error = refusal(tmp_path, mentions=f"{MENTIONS}{line}\n")
    assert problem in str(error)
    assert (error.path, error.line) == (str(tmp_path / "GENE.eval"), 4)
    assert error.text
    assert error.text in line


@pytest.mark.parametrize(
    ("content", "line"), [("", None), ("\n \n", None), ("a\0b", 1), ("tumör".encode("latin-1"), 1)]
)
@pytest.mark.parametrize("file", ["sentences", "mentions"])
def test_what_is_no_text_is_refused_in_either_file(tmp_path, file, content, line):
    error = refusal(tmp_path, **{file: content})
    assert (error.path, error.line) == (str(tmp_path / {"sentences": "x.in", "mentions": "GENE.eval"}[file]), line)


def test_missing_files_are_named(tmp_path):
    path = write(tmp_path)
    (tmp_path / "y.in").touch()
    with pytest.raises(DataError, match="the folder holds 2 files"):
        next(read_bc2gm(tmp_path))
    with pytest.raises(DataError, match=r"z\.in: cannot be opened"):
        next(read_bc2gm(tmp_path / "z.in"))
    (tmp_path / "GENE.eval").unlink()
    with pytest.raises(DataError, match=r"GENE\.eval: no mention file beside"):
        next(read_bc2gm(path))


def test_memory_does_not_grow_with_the_files(tmp_path):
    def pair(name: str, size: int) -> Path:
        (tmp_path / name).mkdir()
        ids = [f"P{number:08}A0000" for number in range(1, size + 1)]
        return write(
            tmp_path / name,
            "".join(f"{id} The gene p53 is bound by TNF alpha.\n" for id in ids),
            "".join(f"{id}|7 9|p53\n{id}|17 24|TNF alpha\n" for id in reversed(ids)),
        )

    small, large = pair("small", 200), pair("large", 10_000)
    assert peak_memory(lambda: consume(read_bc2gm(large))) < 1.1 * peak_memory(lambda: consume(read_bc2gm(small)))


# ---- the real files, as counted when they were brought here


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(
    ("name", "num_sentences", "num_mentions", "num_groups", "expected_losses"),
    [("train", 15000, 18265, 14278, {MENTION_DIFFERS: 1}), ("test", 5000, 6331, 5000, {})],
)
def test_the_real_files_give_their_counts(name, num_sentences, num_mentions, num_groups, expected_losses):
    losses: Counter[str] = Counter()
    documents = list(read_bc2gm(Path(os.environ["OPENMED_DATA"]) / "native/BC2GM" / name, losses=losses))
    assert len(documents) == num_sentences
    assert sum(len(document.spans) for document in documents) == num_mentions
    assert len({document.group for document in documents}) == num_groups
    assert losses == expected_losses
