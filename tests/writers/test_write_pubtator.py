"""What is written as PubTator is read back as the same documents; what the format cannot hold is counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import peak_memory
from tests.strategies import documents

from openmed.errors import DataError
from openmed.readers.pubtator import read_pubtator
from openmed.spans import Document, Span
from openmed.tagging import DISCONTINUOUS
from openmed.writers.losses import (
    GROUPS_NOT_WRITTEN,
    SCORES_NOT_WRITTEN,
    SENTENCES_NOT_WRITTEN,
    WORDS_NOT_WRITTEN,
)
from openmed.writers.pubtator import WRITTEN_AS_SPACE, write_pubtator

BREAKING = "\t\n\r\0"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("pubtator") / "x.pubtator"


def held(document: Document) -> Document:
    """What PubTator can hold of it."""
    text = document.text.translate({ord(character): " " for character in BREAKING})
    return Document(document.id, text, tuple(span for span in document.spans if not span.discontinuous))


@given(st.lists(documents(), min_size=1, max_size=3))
def test_what_is_written_is_read_back_and_the_rest_is_counted(scratch, written):
    losses: Counter[str] = Counter()
    assert write_pubtator(written, scratch, losses=losses) == len(written)
    losses_read: Counter[str] = Counter()
    assert list(read_pubtator(scratch, losses=losses_read)) == [held(document) for document in written]
    assert losses_read == {}
    characters = sum(character in BREAKING for document in written for character in document.text)
    discontinuous = sum(span.discontinuous for document in written for span in document.spans)
    views = {
        WORDS_NOT_WRITTEN: sum(document.words is not None for document in written),
        SENTENCES_NOT_WRITTEN: sum(document.sentences is not None for document in written),
    }
    assert losses == Counter({WRITTEN_AS_SPACE: characters, DISCONTINUOUS: discontinuous, **views})
    assert 0 not in losses.values()


@pytest.mark.parametrize(
    ("text", "sentences", "title"),
    [
        ("A title. An abstract. Its end.", None, "A title."),
        ("Is it? (Yes.) End.", None, "Is it?"),
        ("Growth of E. coli in IL-2. Cells grow.", None, "Growth of E. coli in IL-2."),
        ("A title of p53 Gene", None, None),
        ("Two spaces.  Held as one.", None, None),
        ("From an empty abstract. ", None, "From an empty abstract."),
        ("A title.\nA line", None, "A title."),
        ("No end mark An abstract.", ((0, 11), (12, 24)), "No end mark"),
        ("One. Sentence. Only.", ((0, 20),), None),
        ("Two.  Spaces.", ((0, 4), (6, 13)), None),
        ("Touching.Sentences. Here.", ((0, 9), (9, 25)), None),
        ("", None, None),
        (" ", None, None),
        ("A t|itle|a|b. Bars |t| too.", None, "A t|itle|a|b."),
    ],
)
def test_the_title_ends_where_the_first_sentence_does(tmp_path, text, sentences, title):
    write_pubtator([Document("7", text, sentences=sentences)], tmp_path / "x")
    first, *others = (tmp_path / "x").read_text(encoding="utf-8").split("\n")
    text = text.replace("\n", " ")
    assert first == f"7|t|{text if title is None else title}"
    assert others == ([] if title is None else [f"7|a|{text[len(title) + 1 :]}"]) + ["", ""]
    assert next(read_pubtator(tmp_path / "x")).text == text


def test_the_lines_are_those_of_the_format(tmp_path):
    aspirin, headache = Span(0, 7, "Chemical", identifier="D001241", score=0.5), Span(17, 25, "Disease")
    nested = Span(17, 21, "Organ")
    document = Document("1", "Aspirin helps. A headache goes.", (aspirin, headache, nested))
    write_pubtator([document, document], tmp_path / "x")
    lines = [
        "1|t|Aspirin helps.",
        "1|a|A headache goes.",
        "1\t0\t7\tAspirin\tChemical\tD001241",
        "1\t17\t21\thead\tOrgan",
        "1\t17\t25\theadache\tDisease",
        "",
    ]
    assert (tmp_path / "x").read_text(encoding="utf-8") == "\n".join([*lines, *lines, ""])
    again, _ = read_pubtator(tmp_path / "x")
    assert [span.identifier for span in again.spans] == ["D001241", None, None]


@pytest.mark.parametrize(
    "document",
    [
        Document("", "Aspirin."),
        Document("1|2", "Aspirin."),
        Document("1\t2", "Aspirin."),
        Document("1\n", "Aspirin."),
        Document("\ufeff1", "Aspirin."),
        Document("1", "Aspirin.", (Span(0, 7, "a\tb"),)),
        Document("1", "Aspirin.", (Span(0, 7, "a\r"),)),
        Document("1", "Aspirin.", (Span(0, 7, " "),)),
        Document("1", "Aspirin.", (Span(0, 7, "Chemical", identifier="a\nb"),)),
    ],
)
def test_what_would_break_a_column_is_refused_and_leaves_no_file(tmp_path, document):
    with pytest.raises(DataError, match=r"PubTator cannot hold the (id|type|identifier)") as caught:
        write_pubtator([Document("0", "Before."), document], tmp_path / "x")
    assert caught.value.mend
    assert str(tmp_path / "x") in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_pubtator_has_no_place_for_is_counted(tmp_path):
    losses: Counter[str] = Counter()
    scored = (Span(0, 1, "X", score=0.5), Span(0, 2, "X", identifier="D1", score=0.0))
    documents = [Document("1", "xy", scored), Document("2", "xy", group="g"), Document("3", "xy", words=((0, 2),))]
    write_pubtator([*documents, Document("4", "xy", sentences=((0, 2),))], tmp_path / "x", losses=losses)
    assert losses == {SCORES_NOT_WRITTEN: 2, GROUPS_NOT_WRITTEN: 1, WORDS_NOT_WRITTEN: 1, SENTENCES_NOT_WRITTEN: 1}


def test_memory_does_not_grow_with_the_documents(tmp_path):
    spans = (Span(9, 12, "Gene"), Span(24, 33, "Gene"))

    def stream(size: int) -> Iterator[Document]:
        return (Document(str(i), "The gene p53. It binds TNF alpha.", spans) for i in range(size))

    def peak(size: int) -> int:
        return peak_memory(lambda: write_pubtator(stream(size), tmp_path / "x"))

    assert peak(10_000) < 1.1 * peak(200)


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(
    ("name", "num_mentions"),
    [("NCBI-disease/NCBItrainset_corpus.txt", 5145), ("BC5CDR/CDR_TestSet.PubTator.txt", 9809)],
)
def test_a_real_corpus_is_read_written_and_read_as_it_was(tmp_path, name, num_mentions):
    losses: Counter[str] = Counter()
    read = list(read_pubtator(Path(os.environ["OPENMED_DATA"]) / "native" / name))
    assert write_pubtator(read, tmp_path / "x", losses=losses) == len(read)
    again = list(read_pubtator(tmp_path / "x", losses=losses))
    assert again == read
    identifiers = [span.identifier for document in read for span in document.spans]
    assert [span.identifier for document in again for span in document.spans] == identifiers
    assert len(identifiers) == num_mentions
    assert losses == {}
