"""What was seen is found, whatever its spacing and order, and nothing else, in any order and any process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.planted import LONG, MIDDLE, OTHER, SHORT, raw, seen_of, tokens
from tests.strategies import PLAIN

from openmed.analysis.leakage import (
    EXACT,
    NEAR,
    RESPACED,
    SAME_ID,
    SHARE,
    Rule,
    Seen,
    clean_units,
    leaked_documents,
    passage_of,
    sentences_of,
)
from openmed.analysis.leakage.near import NearIndex, grams_of, jaccard
from openmed.errors import ConfigError
from openmed.spans import Document, Span


def reasons(documents: list[Document], seen: Seen) -> list[list[str | None]]:
    return [[leak and leak.reason for leak in leaks] for leaks in seen.leaks(documents)]


# ---- sentences


def test_each_kind_of_twin_is_found_once():
    seen = seen_of(tokens("a", LONG, OTHER, SHORT, MIDDLE))
    respaced = LONG.replace("headache", "head ache")
    near = LONG.replace("years", "months")
    (found,) = seen.leaks([tokens("t", respaced, "Something else was seen here .", near, OTHER, SHORT, MIDDLE)])
    assert [leak and leak.reason for leak in found] == [RESPACED, None, NEAR, EXACT, None, EXACT]
    assert [(leak.split, leak.document_id, leak.sentence_index) for leak in found if leak] == [
        ("train", "a", 0),
        ("train", "a", 0),
        ("train", "a", 1),
        ("train", "a", 3),
    ]
    assert [leak.similarity for leak in found if leak and leak.reason != NEAR] == [1, 1, 1]
    assert found[2] is not None
    assert found[2].similarity == jaccard(grams_of(near.replace(" ", "")), grams_of(LONG.replace(" ", "")))


def test_a_token_file_and_its_raw_twin_agree():
    text = "Aspirin (ASA) relieves headache in adults, but it may harm the stomach. Nine of twelve families had it too."
    twin = tokens(
        "t",
        "Aspirin ( ASA ) relieves headache in adults , but it may harm the stomach .",
        "Nine of twelve families had it too .",
    )
    assert reasons([twin], seen_of(raw("a", text))) == [[EXACT, EXACT]]
    assert reasons([raw("a", text)], seen_of(twin)) == [[EXACT, EXACT]]


def test_labels_agree_by_place_in_the_letters():
    gold = Span(0, 7, "Chemical"), Span(17, 25, "Disease")
    seen = seen_of(tokens("a", LONG, spans=gold))
    (same,), (other,) = seen.leaks([tokens("t", LONG, spans=gold), tokens("u", LONG, spans=gold[:1])])
    assert same is not None
    assert same.same_labels
    assert other is not None
    assert not other.same_labels
    shifted = "Yes , " + LONG
    (near,) = seen.leaks([tokens("v", shifted, spans=tuple(span.shifted(6) for span in gold))])[0]
    assert near is not None
    assert (near.reason, near.same_labels) == (NEAR, True)


def test_of_several_twins_one_with_the_same_labels_is_told():
    gold = (Span(0, 7, "Chemical"),)
    seen = seen_of(tokens("a", LONG), tokens("b", LONG, spans=gold))
    (leak,) = seen.leaks([tokens("t", LONG, spans=gold)])[0]
    assert leak is not None
    assert (leak.document_id, leak.same_labels) == ("b", True)


def test_of_twins_alike_in_all_the_first_by_name_is_told_in_any_order():
    documents = [tokens("b", LONG), tokens("a", OTHER, LONG)]
    for order in (documents, documents[::-1]):
        leak = seen_of(*order).leak(passage_of(tokens("t", LONG)))
        assert leak is not None
        assert (leak.document_id, leak.sentence_index) == ("a", 1)


def test_case_is_no_difference_between_near_copies():
    leak = seen_of(tokens("a", LONG)).leak(passage_of(tokens("t", LONG.upper())))
    assert leak is not None
    assert (leak.reason, leak.similarity) == (NEAR, 1.0)


def test_what_is_added_later_is_seen_too():
    seen = seen_of(tokens("a", LONG))
    sentence = passage_of(tokens("t", OTHER))
    assert seen.leak(sentence) is None
    seen.add("train", [tokens("b", OTHER)])
    assert seen.leak(sentence) is not None


def test_short_sentences_return_without_counting():
    seen = seen_of(tokens("a", SHORT, MIDDLE))
    sentence = passage_of(tokens("t", SHORT))
    assert seen.leak(sentence) is None
    found = seen.find(sentence, "train")
    assert found is not None
    assert found.reason == EXACT
    assert not Rule().counts(found, sentence.num_words)
    assert seen_of(tokens("a", MIDDLE), rule=Rule(min_words=7)).leak(passage_of(tokens("t", MIDDLE))) is None


def test_a_near_copy_needs_its_length_on_both_sides():
    nine = "Aspirin relieves severe headache in most adults within hours"
    ten = f"{nine} ."
    assert reasons([tokens("t", ten)], seen_of(tokens("a", nine))) == [[None]]
    assert reasons([tokens("t", ten)], seen_of(tokens("a", f"{nine} !"))) == [[NEAR]]


@pytest.mark.parametrize(
    "wrong", [{"near": 0.5}, {"near": 1.1}, {"min_words": 0}, {"document_share": 0.0}, {"min_words": 11}]
)
def test_a_rule_out_of_range_is_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        Rule(**wrong)


# ---- documents and units


def test_documents_are_seen_whole_by_id_or_by_their_sentences():
    seen = seen_of(tokens("10228407", LONG, OTHER, SHORT), tokens("10228408", MIDDLE))
    fresh = "A third sentence that nobody has ever written down before in any corpus of the world ."
    documents = [
        tokens("x1", LONG, OTHER, SHORT),
        tokens("x2", LONG, OTHER, "METHODS :"),
        tokens("x3", MIDDLE, fresh, fresh.replace("third", "fourth"), group="10228408"),
        tokens("x4", LONG, fresh[:40]),
        tokens("x5", MIDDLE, fresh, fresh.replace("third", "fourth")),
        tokens("x6", SHORT, fresh, group="10228407"),
        tokens("x7", MIDDLE, fresh, fresh.replace("third", "fifth"), group="10228407"),
    ]
    found = leaked_documents(documents, seen)
    assert [leak and leak.reason for leak in found] == [EXACT, NEAR, SAME_ID, SHARE, None, None, None]
    assert [seen.same_group(document, "train") for document in documents[2:]] == [True, False, False, True, True]
    assert found[3] is not None
    assert found[3].similarity == 16 / (16 + len(fresh[:40].split()))


def test_units_are_kept_by_view():
    fresh = "A third sentence that nobody has ever written down before in any corpus of the world ."
    seen = seen_of(tokens("a", LONG))
    both = tokens("t", LONG, fresh)
    sentences = [Document(f"t#{n}", text, words=tokens("t", text).words) for n, text in enumerate((LONG, fresh), 1)]
    assert clean_units(sentences, seen, view="sentences") == [False, True]
    assert clean_units([both], seen, view="documents") == [True]
    assert clean_units([tokens("t", LONG, MIDDLE)], seen, view="documents") == [False]
    with pytest.raises(ConfigError, match="sentence"):
        clean_units(sentences, seen, view="sentence")


def test_a_unit_is_one_sentence_even_if_it_looks_like_two():
    two = "They took aspirin every day . Nobody fell ill ."
    unit = Document("t#1", two, words=tokens("t", two).words)
    assert clean_units([unit], seen_of(tokens("a", two)), view="sentences") == [False]


def test_empty_texts_are_nobodys_twins():
    empty = raw("e", " ")
    seen = seen_of(empty, raw("f", ""))
    assert seen.leaks([empty]) == [[]]
    assert leaked_documents([empty], seen) == [None]


# ---- laws

sentence_texts = st.lists(st.sampled_from([*PLAIN, "β-catenin", "漢字", "İstanbul"]), min_size=1, max_size=30).map(
    " ".join
)


@st.composite
def splits_of_sentences(draw: st.DrawFn) -> list[Document]:
    count = draw(st.integers(1, 4))
    return [tokens(f"d{n}", *draw(st.lists(sentence_texts, min_size=1, max_size=3))) for n in range(count)]


@given(sentence_texts)
def test_a_text_is_its_own_near_copy(text):
    index = NearIndex(1.0)
    index.add(text)
    assert index.find(text) == [(1.0, text)]


@given(splits_of_sentences())
@settings(max_examples=25)
def test_what_was_trained_on_is_seen_whole(documents):
    seen = seen_of(*documents)
    for document in documents:
        for sentence in sentences_of(document):
            assert (seen.leak(sentence) is not None) == (sentence.num_words >= 5)
        if passage_of(document).num_words >= 5:
            assert seen.document_leak(document) is not None


@given(splits_of_sentences(), splits_of_sentences(), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_documents_does_not_matter(train, test, random):
    shuffled = random.sample(train, len(train))
    assert seen_of(*train).leaks(test) == seen_of(*shuffled).leaks(test)
    backwards = seen_of(*train).leaks(test[::-1])
    assert seen_of(*train).leaks(test) == backwards[::-1]


@given(splits_of_sentences(), st.data())
@settings(max_examples=25)
def test_a_stricter_rule_never_finds_more(train, data):
    changed = [
        tokens(f"t{n}", *(data.draw(_edited(s.text)) for s in sentences_of(document)))
        for n, document in enumerate(train)
    ]
    before: set[str] | None = None
    for near in (0.7, 0.8, 0.9, 1.0):
        seen = seen_of(*train, rule=Rule(near=near))
        leaked = {sentence.text for d in changed for sentence in sentences_of(d) if seen.leak(sentence)}
        assert before is None or leaked <= before
        before = leaked


@st.composite
def _edited(draw: st.DrawFn, text: str) -> str:
    words = text.split()
    words[draw(st.integers(0, len(words) - 1))] = "Xyz"
    return " ".join(words)


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_finds_are_the_same_in_any_process(seed):
    """Neither hash seeds nor the order of sets decide what is seen."""
    code = (
        "from openmed.analysis.leakage.near import NearIndex\n"
        "words = [f'w{i * i % 977}' for i in range(60)]\n"
        "index = NearIndex(0.7)\n"
        "for i in range(40): index.add(''.join(words[i:i + 20]))\n"
        "found = index.find(''.join(words[3:22]))\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    arguments = [sys.executable, "-c", f"{code}print(found)"]
    output = subprocess.run(arguments, env=environment, capture_output=True, check=True, text=True).stdout
    here: dict[str, list[tuple[float, str]]] = {}
    exec(code, here)
    assert len(here["found"]) > 1
    assert output == f"{here['found']}\n"
