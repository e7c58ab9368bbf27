"""Words and sentences of raw text: nothing lost, nothing doubled, abbreviations kept, the corpus's own habit found."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from tests.strategies import texts

from openmed.encoding import SPLITTERS, choose_splitter, split_sentences, split_words
from openmed.encoding.words import is_lower_cased, words_of
from openmed.errors import ConfigError
from openmed.spans import Document


def tokenised(*sentences: str) -> list[Document]:
    """Documents as token files give them: words with single spaces between them."""
    documents = []
    for number, text in enumerate(sentences):
        words, position = [], 0
        for word in text.split(" "):
            words.append((position, position + len(word)))
            position += len(word) + 1
        documents.append(Document(str(number), text, words=tuple(words)))
    return documents


def words(text: str, splitter: str) -> list[str]:
    return [text[start:end] for start, end in split_words(text, splitter)]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def assert_cover_all_but_spaces(text: str, ranges: Sequence[tuple[int, int]]) -> None:
    covered = [place for start, end in ranges for place in range(start, end)]
    assert covered == sorted(set(covered)), "a character stands in two ranges, or out of order"
    assert {place for place, character in enumerate(text) if not character.isspace()} <= set(covered)


@pytest.mark.parametrize("splitter", SPLITTERS)
@given(text=texts())
@settings(max_examples=80)
def test_every_character_but_spaces_is_in_exactly_one_word(splitter, text):
    ranges = split_words(text, splitter)
    assert_cover_all_but_spaces(text, ranges)
    assert not any(character.isspace() for start, end in ranges for character in text[start:end])


def test_punctuation_splits_at_every_mark():
    assert words("IL-2-induced (10 mg).", "punctuation") == ["IL", "-", "2", "-", "induced", "(", "10", "mg", ")", "."]


def test_edges_keeps_inner_punctuation():
    assert words("IL-2-induced (10 mg). NF_kB_", "edges") == ["IL-2-induced", "(", "10", "mg", ")", ".", "NF_kB", "_"]


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_a_combining_mark_stays_with_its_letter(splitter):
    assert words("cafe\u0301 (nai\u0308ve)", splitter) == ["cafe\u0301", "(", "nai\u0308ve", ")"]


def test_an_unknown_splitter_names_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'punctuation'"):
        split_words("a", "punctuatoin")


def test_a_corpus_keeps_its_own_words_even_when_it_has_none():
    assert words_of(Document("1", "p53-induced", words=((0, 11),)), "punctuation") == ((0, 11),)
    assert words_of(Document("1", "p53", words=()), "punctuation") == ()
    assert words_of(Document("1", "p53-x"), "punctuation") == [(0, 3), (3, 4), (4, 5)]


def test_splitter_of_a_corpus_that_keeps_hyphens_is_edges():
    assert choose_splitter(tokenised("IL-2 activates NF-kappa B .", "The GATA-1 gene .")) == "edges"


def test_splitter_of_a_corpus_that_cuts_hyphens_is_punctuation():
    assert choose_splitter(tokenised("IL - 2 activates NF - kappa B .")) == "punctuation"


def test_a_few_odd_words_do_not_outvote_a_corpus_that_cuts_hyphens():
    # S800 keeps "sp." and "^0C" whole, and cuts hundreds of hyphens.
    assert choose_splitter(tokenised("P . sp.nov grows with IL - 2 , A - T and beta - catenin")) == "punctuation"


def test_splitter_of_raw_text_is_punctuation():
    assert choose_splitter([Document("1", "IL-2-induced")]) == choose_splitter([]) == "punctuation"


def test_choosing_a_splitter_stops_reading_after_enough_words():
    def endless():
        while True:
            yield from tokenised("NF-kappa B")

    assert choose_splitter(endless(), max_words=100) == "edges"


@pytest.mark.parametrize("lower_cased", [False, True])
@given(text=texts())
@settings(max_examples=80)
def test_sentences_cover_all_but_spaces(lower_cased, text):
    ranges = split_sentences(text, lower_cased=lower_cased)
    assert_cover_all_but_spaces(text, ranges)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in ranges)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n ", []),
        ("No end mark", ["No end mark"]),
        ("One. Two!  Three? 4 ends.", ["One.", "Two!", "Three?", "4 ends."]),
        ("It was seen (p < 0.05). Then it went.", ["It was seen (p < 0.05).", "Then it went."]),
        ('He said "no." (He left.) Then', ['He said "no."', "(He left.)", "Then"]),
        ("See Smith et al. 2003 and Fig. 2 for details.", ["See Smith et al. 2003 and Fig. 2 for details."]),
        ("Growth of E. Coli, e.g. K-12, vs. Dr. Koch's.", ["Growth of E. Coli, e.g. K-12, vs. Dr. Koch's."]),
        ("Bacillus sp. NOV was found. It grew.", ["Bacillus sp. NOV was found.", "It grew."]),
        ("Take approx. 5 mg of it. Salmonella subsp. II.", ["Take approx. 5 mg of it.", "Salmonella subsp. II."]),
        ("Not at p = 0.05. not before small letters.", ["Not at p = 0.05. not before small letters."]),
        ("A line.\nAnother line.", ["A line.", "Another line."]),
        ("Vitamin C. Deficiency", ["Vitamin C. Deficiency"]),  # the price of initials
    ],
)
def test_sentence_splitting_by_example(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one ends here. two (p < 0.05). 3 mice.", ["one ends here.", "two (p < 0.05).", "3 mice."]),
        (
            "growth of e. coli and p. syringae pv. tomato in fig. 2.",
            ["growth of e. coli and p. syringae pv. tomato in fig. 2."],
        ),
        ("seen by smith et al. in bacillus sp. nov. here", ["seen by smith et al. in bacillus sp. nov.", "here"]),
        ("RESULTS\nβ-actin was high. it fell at 5 μm.", ["RESULTS\nβ-actin was high.", "it fell at 5 μm."]),
    ],
)
def test_lower_cased_text_is_cut_before_small_letters(text, expected):
    assert is_lower_cased(text)
    assert [text[start:end] for start, end in split_sentences(text, lower_cased=True)] == expected


def test_a_text_with_a_capitalised_word_is_not_lower_cased():
    assert not is_lower_cased("the gene of Arabidopsis. it")
    assert is_lower_cased("DNA of p53, pH 7. it")


def test_splitting_sentences_takes_time_in_proportion_to_the_text():
    text = "Aspirin relieves headache in 10 patients. It was safe (p = 0.05). " * 1_500
    start = time.process_time()
    assert len(split_sentences(text)) == 3_000
    assert time.process_time() - start < 1
