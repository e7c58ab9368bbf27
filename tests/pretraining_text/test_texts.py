"""From a text to passages: normalising, cutting, and finding what stands in a dev or test split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tokenizers import build_wordpiece

from openmed.errors import ConfigError
from openmed.pretraining_text.decontaminate import ContaminationIndex
from openmed.pretraining_text.normalise import normalise
from openmed.pretraining_text.passages import SENTENCE_CUT, SHORT, PassageCutter
from openmed.pretraining_text.words import ngram_hashes, words
from openmed.spans import Document


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("one\ntwo\n\n\n three ", ["one two", "three"]),
        ("zero\u200bwidth\u00ad and\u2009thin", ["zerowidth and thin"]),
        ("cafe\u0301 10\u00b2", ["caf\u00e9 10\u00b2"]),
        ("seen by Dr. [**Last Name (STitle) 123**] on [**2101-10-20**] at [**Hospital1 18**]", None),
        ("half \ud800 a pair", ["half a pair"]),
        ("page one\x0cPage two\u2028line", ["page one Page two line"]),
        ("[**Hospital Ward Name 5**]", ["PLACE"]),
        ("", []),
        (" \n\n \n", []),
    ],
)
def test_normalising(text, paragraphs):
    wanted = ["seen by Dr. NAME on DATE at PLACE"] if paragraphs is None else paragraphs
    assert normalise(text) == wanted


@given(st.text())
def test_normalising_twice_is_normalising_once(text):
    once = normalise(text)
    assert normalise("\n\n".join(once)) == once


def test_a_sources_own_marks_are_replaced():
    assert normalise("il-<dig> at <dig>%", {"<dig>": "0"}) == ["il-0 at 0%"]


@given(st.lists(st.sampled_from(["il", "0", "rose", "by", "x", "the"]), max_size=30), st.integers(1, 8))
def test_equal_runs_have_equal_hashes_and_others_have_others(found, size):
    hashes = ngram_hashes(found, size)
    runs = [tuple(found[at : at + size]) for at in range(len(found) - size + 1)]
    assert len(hashes) == len(runs)
    assert len(set(hashes.tolist())) == len(set(runs))
    by_run = dict(zip(runs, hashes.tolist(), strict=True))
    assert [by_run[run] for run in runs] == hashes.tolist()


def test_words_are_alike_in_running_and_tokenised_text():
    assert words("IL-2 (31%) rose.") == words("il - 2 ( 45 % ) rose .") == ["il", "0", "0", "rose"]


def cutter(min_tokens=5, max_tokens=12) -> PassageCutter:
    return PassageCutter(build_wordpiece(), min_tokens=min_tokens, max_tokens=max_tokens)


def num_tokens(text: str) -> int:
    return len(build_wordpiece()(text, add_special_tokens=False)["input_ids"])


sentences = st.sampled_from(["Aspirin relieves headache.", "No drug.", "The patient has a fever today in the ward."])


@given(st.lists(st.lists(sentences, min_size=1, max_size=4).map(" ".join), max_size=4))
def test_passages_hold_the_text_in_order_within_bounds(paragraphs):
    passages, losses = cutter().cut(paragraphs)
    everything, none_short = cutter(min_tokens=1).cut(paragraphs)
    assert [word for text, _ in everything for word in text.split()] == " ".join(paragraphs).split()
    assert SHORT not in none_short
    assert losses[SHORT] == len(everything) - len(passages)
    for text, tokens in passages:
        assert 5 <= tokens <= 12
        assert tokens == num_tokens(text)


def test_a_long_sentence_is_cut_between_words_and_nothing_is_lost():
    sentence = "aspirin " * 40 + "end"
    passages, losses = cutter(min_tokens=1).cut([sentence])
    assert losses == {SENTENCE_CUT: 1}
    assert " ".join(text for text, _ in passages).split() == sentence.split()
    assert all(tokens <= 12 for _, tokens in passages)


def test_bounds_of_no_sense_are_refused():
    with pytest.raises(ConfigError, match="no passage fits"):
        cutter(min_tokens=20, max_tokens=10)


TEST = "Mutations of the BRCA1 gene were found in 12 of 31 families with breast cancer in this study of kindreds"


def index(ngram=8) -> ContaminationIndex:
    texts = [("ncbi/test", Document("1", TEST, group="123")), ("s800/dev", Document("2", "Too short to match"))]
    return ContaminationIndex.build(texts, ngram=ngram)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"Before it. {TEST}. After it.", True),
        ("mutations of the brca - 1 gene were found in 9 of 70 families", True),
        (" ".join(TEST.split()[:6]), False),
        ("Something else altogether, which no split of any corpus has ever held in its documents", False),
        ("", False),
    ],
)
def test_shared_runs_are_found(text, found):
    hit = index().find(text)
    assert (hit is not None) == found
    if hit is not None:
        assert hit.split == "ncbi/test"
        assert len(hit.shared.split()) == 8


def test_a_document_shorter_than_a_run_is_looked_for_whole():
    short = "Patients had fever, cough and a mild rash."
    texts = [("bc2gm/test", Document("1", short)), ("bc2gm/test", Document("2", "They had fever."))]
    found = ContaminationIndex.build(texts, ngram=13, missing=["fsu"])
    assert found.missing == ["fsu"]
    hit = found.find(f"At first {short} Then they recovered.")
    assert hit is not None
    assert hit.shared == "patients had fever cough and a mild rash"
    assert found.find("They had fever. Patients had fever and a mild rash.") is None


def test_documents_are_found_by_their_id(tmp_path):
    assert index().find("other words", pmid="123") == ("ncbi/test", "document 123")
    assert index().find("other words", pmid="124") is None
    index().save(tmp_path / "index")
    loaded = ContaminationIndex.load(tmp_path / "index")
    assert loaded.find(TEST) == index().find(TEST)
    assert np.array_equal(loaded.hashes, index().hashes)


def test_a_number_is_a_pubmed_id_in_some_corpora_alone():
    texts = [(f"{corpus}/test", Document("1", TEST, group="7")) for corpus in ("jnlpba", "linnaeus_documents")]
    assert ContaminationIndex.build(texts, ngram=8).find("other words", pmid="7") is None
    found = ContaminationIndex.build([*texts, ("ncbi/dev", Document("1", TEST, group="7"))], ngram=8)
    assert found.find("other words", pmid="7") == ("ncbi/dev", "document 7")


def test_runs_that_chance_would_find_are_refused():
    with pytest.raises(ConfigError, match="common phrases"):
        index(ngram=2)


def test_marks_of_tokenised_text_are_no_words_for_the_rules_on_quality():
    steps = pytest.importorskip("openmed.pretraining_text.steps", reason="datatrove (extra: text) is not installed")
    running, tokenised = "Not at all (p<0.05), it was β-actin.", "Not at all ( p < 0.05 ) , it was β-actin ."
    assert steps.SpacedWords().word_tokenize(tokenised) == ["Not", "at", "all", "p", "0.05", "it", "was", "β-actin"]
    assert steps.SpacedWords().word_tokenize(running) == ["Not", "at", "all", "(p<0.05),", "it", "was", "β-actin."]
