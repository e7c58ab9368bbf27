"""What is written as CoNLL is read back with the same words, tags, sentences and groups; what cannot be is counted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.memory import peak_memory
from tests.strategies import ODD, PLAIN, documents, flat_spans

from openmed.encoding import split_words
from openmed.errors import DataError
from openmed.readers.conll import read_conll
from openmed.spans import Document, Range, Span, join_documents
from openmed.tagging import CUT_BY_WORD, DISCONTINUOUS, NESTED
from openmed.writers.conll import CROSSES_SENTENCE, REPLACED, write_conll
from openmed.writers.losses import IDENTIFIERS_NOT_WRITTEN, IDS_NOT_WRITTEN, SCORES_NOT_WRITTEN, WORDS_NOT_WRITTEN

AWKWARD = ["#", "##", "#x", "#=", "-", "--", "-X-", "O", "B-Disease", "0", "PMID", "\u00a0", "\u3000", "\u200b", "|"]
MARKS = ["-DOCSTART-", "-DOCSTART-1", "--DOCSTART-", "#-DOCSTART-", "##MEDLINE:9", "#PMID", "#pmid=1", "#\u00a0PMID:1"]
SPLITTING = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\0"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file to overwrite: Hypothesis does not renew `tmp_path` between examples."""
    return tmp_path_factory.mktemp("conll") / "x.tsv"


def split(document: Document) -> Sequence[Range]:
    return split_words(document.text, "punctuation") if document.words is None else document.words


def texts(document: Document, words: Sequence[Range]) -> list[str]:
    return [document.text[start:end] for start, end in words]


def sentence(tokens: Sequence[str]) -> Document:
    """Those words, one space apart."""
    starts = [sum(len(token) + 1 for token in tokens[:i]) for i in range(len(tokens))]
    words = tuple((start, start + len(token)) for start, token in zip(starts, tokens, strict=True))
    text = " ".join(tokens)
    return Document("s", text, words=words, sentences=((0, len(text)),))


@st.composite
def sentences(draw: st.DrawFn) -> Document:
    """Tokenised, every mention made of whole words, as token files have them."""
    held = [*PLAIN, *AWKWARD, *(token for token in ODD if not set(token) & set(SPLITTING))]
    made = sentence(draw(st.lists(st.sampled_from(held), min_size=1, max_size=6)))
    assert made.words is not None
    return made.with_spans(draw(flat_spans(made.words)))


@st.composite
def parts_and_groups(draw: st.DrawFn) -> tuple[list[Document], str]:
    return draw(st.lists(sentences(), min_size=1, max_size=3)), draw(st.sampled_from(["7", "PMID 8"]))


@given(st.lists(parts_and_groups(), min_size=1, max_size=4))
def test_tokenised_documents_come_back_sentence_by_sentence(scratch, drawn):
    losses: Counter[str] = Counter()
    written = [join_documents(parts, id=f"{i}", group=group) for i, (parts, group) in enumerate(drawn)]
    assert write_conll(written, scratch, losses=losses) == len(written)
    again = list(read_conll(scratch, losses=losses))
    expected = [(part, document.group) for document, (parts, _) in zip(written, drawn, strict=True) for part in parts]
    assert [(d.text, d.words, d.sentences, d.spans, d.group) for d in again] == [
        (part.text, part.words, part.sentences, part.spans, group) for part, group in expected
    ]
    assert losses == {IDS_NOT_WRITTEN: len(written)}


@given(st.lists(documents(), min_size=1, max_size=3).filter(lambda drawn: any(split(document) for document in drawn)))
def test_of_any_document_every_word_comes_back_and_no_mention_is_lost_uncounted(scratch, drawn):
    losses: Counter[str] = Counter()
    write_conll(drawn, scratch, words=split, losses=losses)
    again = list(read_conll(scratch, losses=losses))
    words = [(at, word) for at, document in enumerate(drawn) for word in split(document)]
    tokens = [token for document in again for token in texts(document, document.words or ())]
    assert len(tokens) == len(words)
    changed = [
        old != new
        for (at, (start, end)), token in zip(words, tokens, strict=True)
        for old, new in zip(drawn[at].text[start:end], token, strict=True)
    ]
    assert sum(changed) == losses.pop(REPLACED, 0)
    lost = Counter((at, span) for at, document in enumerate(drawn) for span in document.spans)
    lost.subtract(_located(again, words))
    assert (+lost).total() <= losses.total()
    assert "illegal_tag" not in losses


def _located(read: Sequence[Document], words: Sequence[tuple[int, Range]]) -> Iterator[tuple[int, Span]]:
    """The mentions read, with the place of their document and their offsets in it."""
    first = 0
    for document in read:
        assert document.words is not None
        own = words[first : first + len(document.words)]
        starts, ends = zip(*document.words, strict=True)
        for span in document.spans:
            at, (start, _) = own[starts.index(span.start)]
            yield at, Span(start, own[ends.index(span.end)][1][1], span.label)
        first += len(own)


def test_the_lines_are_those_of_the_format(tmp_path):
    spans = (Span(0, 7, "Chemical"), Span(17, 30, "Disease"))
    one = Document("1", "Aspirin helps. A severe headache.", spans, sentences=((0, 14), (15, 33)))
    same = Document("2", "p53", group="1")
    other = Document("3", "p53", (Span(0, 3, "Gene"),), words=((0, 1), (1, 3)))
    losses: Counter[str] = Counter()
    assert write_conll([one, same, other], tmp_path / "x", words=split, losses=losses) == 3
    assert (tmp_path / "x").read_text(encoding="utf-8").split("\n") == [
        "-DOCSTART- (1)",
        "",
        "Aspirin\tB-Chemical",
        "helps\tO",
        ".\tO",
        "",
        "A\tO",
        "severe\tB-Disease",
        "headache\tI-Disease",
        ".\tO",
        "",
        "p53\tO",
        "",
        "-DOCSTART- (3)",
        "",
        "p\tB-Gene",
        "53\tI-Gene",
        "",
        "",
    ]
    assert losses == {CUT_BY_WORD: 1, IDS_NOT_WRITTEN: 1}


def test_what_tags_cannot_say_is_counted_by_kind(tmp_path):
    spans = (
        Span(0, 8, "Gene", ((0, 2), (6, 8))),
        Span(0, 5, "Gene"),
        Span(3, 5, "Gene"),
        Span(3, 8, "Gene"),
        Span(6, 7, "Gene"),
    )
    document = Document("1", "aa bb cc", spans, words=((0, 2), (3, 5), (6, 8)), sentences=((0, 5), (6, 8)))
    losses: Counter[str] = Counter()
    write_conll([document], tmp_path / "x", losses=losses)
    assert losses == {DISCONTINUOUS: 1, NESTED: 1, CROSSES_SENTENCE: 1, CUT_BY_WORD: 1}
    first, second = read_conll(tmp_path / "x")
    assert [(d.text, d.spans) for d in (first, second)] == [
        ("aa bb", (Span(0, 5, "Gene"),)),
        ("cc", (Span(0, 2, "Gene"),)),
    ]


def test_words_between_sentences_are_written_with_the_one_before(tmp_path):
    words = ((0, 1), (2, 3), (4, 5), (6, 7))
    write_conll([Document("1", "a b c d", words=words, sentences=((2, 3), (6, 7)))], tmp_path / "x")
    assert [document.text for document in read_conll(tmp_path / "x")] == ["a", "b c", "d"]


@pytest.mark.parametrize("character", SPLITTING)
def test_what_splits_lines_or_columns_is_replaced_and_counted(tmp_path, character):
    losses: Counter[str] = Counter()
    document = Document("1", f"a{character}b{character} c", words=((0, 4), (5, 6)))
    write_conll([document], tmp_path / "x", losses=losses)
    assert (tmp_path / "x").read_text(encoding="utf-8").split("\n")[2:] == ["a_b_\tO", "c\tO", "", ""]
    assert losses == {REPLACED: 2}


@pytest.mark.parametrize("token", MARKS)
def test_a_word_that_looks_like_a_mark_stays_a_word(tmp_path, token):
    losses: Counter[str] = Counter()
    # A type that ends the marks' pattern: "#PMID<tab>B-9" would be one.
    marked = sentence(["a", token, "b"]).with_spans([Span(2, 2 + len(token), "9")])
    write_conll([marked], tmp_path / "x", losses=losses)
    (document,) = read_conll(tmp_path / "x")
    assert texts(document, document.words or ()) == ["a", f"_{token[1:]}", "b"]
    assert document.spans == marked.spans
    assert document.group == "s"
    assert losses == {REPLACED: 1}


@pytest.mark.parametrize("group", ["8528200", "PMID:7", "a b", "sub/dir_1.txt", "train#12", "7 8", "β-1", "-DOCSTART-"])
def test_groups_come_back_from_the_marks(tmp_path, group):
    write_conll([Document("1", "a", words=((0, 1),), group=group)], tmp_path / "x")
    assert [document.group for document in read_conll(tmp_path / "x")] == [group]


@pytest.mark.parametrize("group", ["a(1)", "a)", " a", "a ", "a\nb", "a\u2028b", "a\0b"])
def test_a_group_that_no_mark_can_hold_is_refused(tmp_path, group):
    with pytest.raises(DataError, match="a document mark cannot hold the group") as caught:
        write_conll([Document("1", "a", words=((0, 1),), group=group)], tmp_path / "x")
    assert caught.value.mend
    assert list(tmp_path.iterdir()) == []


def test_a_type_with_blanks_is_refused(tmp_path):
    with pytest.raises(DataError, match="a tag cannot hold the type 'cell line'") as caught:
        write_conll([Document("1", "HeLa", (Span(0, 4, "cell line"),), words=((0, 4),))], tmp_path / "x")
    assert caught.value.mend


def test_raw_text_without_a_splitter_is_refused(tmp_path):
    with pytest.raises(DataError, match="document '1' has no words of its own") as caught:
        write_conll([Document("1", "HeLa")], tmp_path / "x")
    assert caught.value.mend
    assert "words=" in caught.value.mend
    assert str(tmp_path / "x") in str(caught.value)


def test_identifiers_and_scores_are_counted(tmp_path):
    losses: Counter[str] = Counter()
    spans = (Span(0, 1, "X", identifier="D1", score=0.5), Span(2, 3, "X", identifier="D2"), Span(4, 5, "X", score=0.0))
    write_conll([Document("1", "a b c", spans, words=((0, 1), (2, 3), (4, 5)))], tmp_path / "x", losses=losses)
    assert losses == {IDENTIFIERS_NOT_WRITTEN: 2, SCORES_NOT_WRITTEN: 2}


def test_own_words_that_give_way_to_others_are_counted(tmp_path):
    losses: Counter[str] = Counter()
    write_conll([Document("1", "ab", words=((0, 2),))], tmp_path / "x", words=lambda _: [(0, 1), (1, 2)], losses=losses)
    assert losses == {WORDS_NOT_WRITTEN: 1}


def test_memory_does_not_grow_with_the_documents(tmp_path):
    spans = (Span(9, 12, "Gene"), Span(24, 33, "Gene"))

    def stream(size: int) -> Iterator[Document]:
        return (Document(str(i), "The gene p53. It binds TNF alpha.", spans) for i in range(size))

    def peak(size: int) -> int:
        return peak_memory(lambda: write_conll(stream(size), tmp_path / "x", words=split))

    # Interpreters keep some kilobytes of their own now and then; 4,000 documents more would be megabytes.
    assert peak(5_000) < peak(1_000) + 100_000


@pytest.mark.skipif(not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora")
@pytest.mark.parametrize(
    ("name", "num_sentences", "num_mentions"), [("NCBI-disease/test.tsv", 940, 960), ("BC2GM/devel.tsv", 2519, 3061)]
)
def test_a_real_corpus_is_read_written_and_read_as_it_was(tmp_path, name, num_sentences, num_mentions):
    path = Path(os.environ["OPENMED_DATA"]) / "ner" / name
    losses: Counter[str] = Counter()
    read = list(read_conll(path))
    assert write_conll(read, tmp_path / path.name, losses=losses) == len(read) == num_sentences
    again = list(read_conll(tmp_path / path.name, losses=losses))
    assert again == read
    assert sum(len(document.spans) for document in again) == num_mentions
    assert losses == {}
