"""Sentences get their document back: none lost, none moved, no run too long, native ids where the text is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from openmed.corpora import group_by_native, group_in_runs
from openmed.corpora.grouping import NOT_IN_NATIVE
from openmed.readers import read
from openmed.spans import Document, Span

LONG = "Mutations of BRCA1 predispose to breast cancer ."
LONGER = "Carriers are advised to undergo screening every year ."


def sentence(text: str, id: str = "s", group: str = "") -> Document:
    """As the CoNLL reader gives it: words, one sentence, the first word a mention."""
    words, offset = [], 0
    for word in text.split(" "):
        words.append((offset, offset + len(word)))
        offset += len(word) + 1
    return Document(id, text, (Span(*words[0], "Gene"),), group, tuple(words), ((0, len(text)),))


def sentences(*texts: str) -> list[Document]:
    return [sentence(text, f"s{number}") for number, text in enumerate(texts)]


def parts(documents: Sequence[Document]) -> list[list[str]]:
    """The texts of the sentences of each document."""
    return [[document.text[start:end] for start, end in document.sentences or ()] for document in documents]


def by_native(given: Sequence[Document], *native: tuple[str, str]) -> tuple[list[Document], Counter[str]]:
    losses: Counter[str] = Counter()
    documents = (Document(id, text) for id, text in native)
    return list(group_by_native(given, documents, losses, max_words=250)), losses


def texts() -> st.SearchStrategy[str]:
    """Few words, so that sentences repeat, begin alike and hold one another."""
    return st.lists(st.sampled_from(["a", "ab", "gene", "µ", "."]), min_size=1, max_size=6).map(" ".join)


@st.composite
def streams(draw: st.DrawFn) -> list[Document]:
    """Sentences of which some stand below a document mark."""
    drawn = draw(st.lists(st.tuples(texts(), st.sampled_from(["", "", "PMID1", "PMID2"])), max_size=12))
    return [sentence(text, f"s{number}", group) for number, (text, group) in enumerate(drawn)]


# ---- laws of both ways


@given(streams(), st.integers(1, 12))
def test_runs_lose_and_move_no_sentence(given, max_words):
    documents = list(group_in_runs(given, max_words=max_words))
    assert [text for document in parts(documents) for text in document] == [each.text for each in given]


@given(streams(), st.lists(texts(), max_size=6), st.integers(1, 12))
def test_grouping_by_native_loses_and_moves_no_sentence(given, native, max_words):
    numbered = [Document(f"n{number}", text) for number, text in enumerate(native)]
    documents = list(group_by_native(given, numbered, Counter(), max_words=max_words))
    assert [text for document in parts(documents) for text in document] == [each.text for each in given]


@given(streams(), st.integers(1, 12))
def test_a_document_is_its_sentences_joined_with_their_words_and_mentions(given, max_words):
    queue = iter(given)
    for document in group_in_runs(given, max_words=max_words):
        assert document.text == " ".join(parts([document])[0])
        members = [next(queue) for _ in document.sentences or ()]
        mentions = [document.mention(span) for span in document.spans]
        assert mentions == [member.mention(member.spans[0]) for member in members]
        words = [document.text[start:end] for start, end in document.words or ()]
        assert words == [word for member in members for word in member.text.split(" ")]


@given(streams(), st.integers(1, 12))
def test_a_document_never_crosses_a_mark(given, max_words):
    queue = iter(given)
    for document in group_in_runs(given, max_words=max_words):
        members = [next(queue) for _ in document.sentences or ()]
        marks = {member.group if member.group != member.id else "" for member in members}
        assert len(marks) == 1
        assert document.group in marks or marks == {""}


@given(streams(), st.integers(1, 12))
def test_runs_are_no_longer_than_told_but_for_single_sentences_and_marked_documents(given, max_words):
    for document in group_in_runs(given, max_words=max_words):
        marked = document.group.startswith("PMID")
        assert marked or len(document.sentences or ()) == 1 or len(document.words or ()) <= max_words


@given(st.lists(st.lists(texts(), min_size=1, max_size=4), max_size=6))
def test_cut_native_documents_come_back_whole(native):
    titled = {f"n{number}": [f"Title {number} .", *rest] for number, rest in enumerate(native)}
    given = sentences(*(text for document in titled.values() for text in document))
    documents, losses = by_native(given, *((id, "".join(document)) for id, document in reversed(titled.items())))
    assert {document.id: parts([document])[0] for document in documents} == titled
    assert not losses


# ---- runs


def test_a_run_is_as_long_as_fits():
    documents = list(group_in_runs(sentences("a b c", "d e", "f", "g h i j k l", "m"), max_words=5))
    assert parts(documents) == [["a b c", "d e"], ["f"], ["g h i j k l"], ["m"]]
    assert [document.id for document in documents] == ["s0", "s2", "s3", "s4"]


def test_raw_sentences_without_words_are_measured_too():
    raw = [Document(f"s{number}", "two words") for number in range(3)]
    assert len(list(group_in_runs(raw, max_words=4))) == 2


def test_marks_in_the_file_end_runs_and_keep_documents_whole(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(
        "stray\tO\n\n-DOCSTART- (1)\tO\n\na\tB-X\n\nb\tO\n\n-DOCSTART- (2)\tO\n\nc\tO\n\nd\tO\n", encoding="utf-8"
    )
    documents = list(group_in_runs(read(path), max_words=1))
    assert parts(documents) == [["stray"], ["a", "b"], ["c", "d"]]
    assert [document.id for document in documents[1:]] == ["1", "2"]
    assert [document.group for document in documents[1:]] == ["1", "2"]


def test_pubmed_headers_end_runs(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("###MEDLINE:101\n\na\tB-X\n\nb\tO\n\n###MEDLINE:102\n\nc\tO\n", encoding="utf-8")
    documents = list(group_in_runs(read(path), max_words=250))
    assert [(document.group, *parts([document])[0]) for document in documents] == [("101", "a", "b"), ("102", "c")]


def test_a_file_ends_a_run(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.tsv").write_text(f"{name}1\tB-X\n\n{name}2\tO\n", encoding="utf-8")
    documents = list(group_in_runs(read(tmp_path), max_words=250))
    assert parts(documents) == [["a1", "a2"], ["b1", "b2"]]


def test_a_document_that_is_marked_in_two_files_stays_whole(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.tsv").write_text(f"###MEDLINE:101\n\n{name}\tB-X\n", encoding="utf-8")
    assert parts(list(group_in_runs(read(tmp_path), max_words=250))) == [["a", "b"]]


# ---- native files


def test_sentences_are_found_whatever_the_spaces_and_get_the_native_id():
    documents, losses = by_native(
        sentences("p53 ( TP53 ) binds .", "It acts .", "Mice lack it ."),
        ("7", "p53(TP53) binds. It acts."),
        ("9", "Mice  lack\nit."),
    )
    assert [(document.id, document.group) for document in documents] == [("7", "7"), ("9", "9")]
    assert parts(documents) == [["p53 ( TP53 ) binds .", "It acts ."], ["Mice lack it ."]]
    assert not losses


def test_native_documents_may_come_in_another_order_and_with_others():
    documents, losses = by_native(sentences("B b .", "A a ."), ("1", "A a."), ("2", "C c."), ("3", "B b."))
    assert [document.id for document in documents] == ["3", "1"]
    assert not losses


def test_a_native_document_that_stands_twice_keeps_its_group_with_distinct_ids():
    twice = ("8528200", "Title. Text.")
    documents, losses = by_native(sentences("Title .", "Text .", "Title .", "Text ."), twice, twice)
    assert [(document.id, document.group) for document in documents] == [
        ("8528200", "8528200"),
        ("8528200/2", "8528200"),
    ]
    assert not losses


def test_a_native_document_that_stands_twice_may_come_once():
    twice = ("8528200", "Title. Text.")
    documents, _ = by_native(sentences("Title .", "Text ."), twice, twice)
    assert [document.id for document in documents] == ["8528200"]


def test_documents_that_begin_alike_are_told_apart_by_what_follows():
    documents, losses = by_native(
        sentences("Editorial .", "Second .", "Editorial .", "First .", "Editorial ."),
        ("1", "Editorial. First."),
        ("2", "Editorial. Second."),
        ("3", "Editorial."),
    )
    assert [document.id for document in documents] == ["2", "1", "3"]
    assert not losses


def test_sentences_found_nowhere_are_counted_and_make_runs_of_their_own():
    documents, losses = by_native(
        sentences("A a .", "Not there .", "Nor this .", "B b ."), ("1", "A a."), ("2", "B b.")
    )
    assert parts(documents) == [["A a ."], ["Not there .", "Nor this ."], ["B b ."]]
    assert [document.group for document in documents] == ["1", "s1", "2"]
    assert losses == {NOT_IN_NATIVE: 2}


def test_an_altered_sentence_stays_between_its_neighbours_and_is_counted():
    documents, losses = by_native(
        sentences("Title .", "Altered !", LONG, "End ."), ("1", f"Title. Original. {LONG} End.")
    )
    assert parts(documents) == [["Title .", "Altered !", LONG, "End ."]]
    assert losses == {NOT_IN_NATIVE: 1}


def test_a_sentence_that_the_token_file_lacks_does_not_lose_the_rest():
    documents, losses = by_native(sentences("Title .", LONGER, "End ."), ("1", f"Title. {LONG} {LONGER} End."))
    assert [document.id for document in documents] == ["1"]
    assert not losses


def test_few_letters_are_not_looked_for_past_a_gap():
    _, losses = by_native(sentences("Title .", "It ."), ("1", f"Title. {LONG} It."))
    assert losses == {NOT_IN_NATIVE: 1}


def test_a_letter_or_two_are_no_proof_of_a_long_document():
    documents, losses = by_native(sentences("Ge"), ("1", f"Genes. {LONG}"))
    assert [document.group for document in documents] == ["s0"]
    assert losses == {NOT_IN_NATIVE: 1}
    whole, losses = by_native(sentences("I."), ("1", "I."))
    assert [document.group for document in whole] == ["1"]
    assert not losses


def test_mentions_of_the_native_file_are_not_taken_over():
    native = Document("1", "A a.", (Span(0, 1, "Chemical"),))
    (document,) = group_by_native(sentences("A a ."), [native], Counter(), max_words=250)
    assert document.spans == (Span(0, 1, "Gene"),)
