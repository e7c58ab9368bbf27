"""The parts of an audit against a slow and simple count of the same; tokenizers; the real corpora's known figures."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import documents

from openmed.analysis.audit.characters import characters, lengths
from openmed.analysis.audit.mentions import forms_of, mention_conflicts
from openmed.analysis.audit.offsets import offset_faults
from openmed.analysis.audit.repeats import repeats
from openmed.analysis.audit.tokenizers import _unalignable, measure
from openmed.analysis.leakage import Rule
from openmed.corpora import CorpusSpec, load_split
from openmed.encoding.words import choose_splitter, words_of
from openmed.readers import read_conll
from openmed.spans import Document, Span

# ---- the same text tagged here and not there


def places(document: Document) -> list[tuple[tuple[str, ...], int, int]]:
    """Every run of words: its words, first and last character."""
    ranges = words_of(document, "punctuation")
    texts = [document.text[start:end] for start, end in ranges]
    return [
        (tuple(texts[first:end]), ranges[first][0], ranges[end - 1][1])
        for first in range(len(ranges))
        for end in range(first + 1, len(ranges) + 1)
    ]


@given(st.lists(documents(), max_size=3))
def test_each_place_of_a_mention_text_is_counted_once(drawn):
    forms = {form.text: form for form in forms_of({"train": drawn})}
    mentions = {
        " ".join(words)
        for document in drawn
        for words, start, end in places(document)
        for span in document.spans
        if (span.start, span.end) == (start, end) and not span.discontinuous and len("".join(words)) >= 2
    }
    assert set(forms) == mentions
    for text, form in forms.items():
        tagged = untagged = inside = 0
        for document in drawn:
            for words, start, end in places(document):
                if " ".join(words) != text:
                    continue
                at = [s for s in document.spans if (s.start, s.end) == (start, end) and not s.discontinuous]
                tagged += len(at)
                if not at:
                    touched = any(
                        s.start < b and a < s.end and start <= a and b <= end
                        for s in document.spans
                        for a, b in words_of(document, "punctuation")
                    )
                    inside += touched
                    untagged += not touched
        assert (form.total, form.untagged, form.inside) == (tagged, untagged, inside)


def test_forms_are_ranked_by_what_is_in_doubt():
    text = "APC binds APC and apc. MSH2 binds APC, MSH2 and MSH2. The APC gene binds A and A."
    spans = [(0, 3, "Gene"), (10, 13, "Gene"), (23, 27, "Gene"), (58, 66, "Gene"), (73, 74, "Gene")]
    untagged, types = mention_conflicts({"train": [Document("1", text, tuple(Span(*span) for span in spans))]})
    assert untagged.counts == {"texts": 3, "mentions": 4, "conflicting_texts": 2, "in_doubt": 2}
    assert [list(row) for row in untagged.examples[0].rows] == [["APC", "Gene", 2, 1, 1], ["MSH2", "Gene", 1, 2, 0]]
    assert types.counts["conflicting_texts"] == 0


def test_a_place_across_the_edge_of_a_mention_is_not_untagged():
    text = "No colon cancer was seen, but colon cancer cells were."
    spans = (Span(3, 15, "Disease"), Span(36, 48, "Cell"))
    (form,) = [form for form in forms_of({"train": [Document("1", text, spans)]}) if form.text == "colon cancer"]
    assert (form.total, form.untagged, form.inside) == (1, 0, 1)


@pytest.mark.parametrize(
    ("mention", "stray"),
    [("(+)-x", False), ("p53 (wild)", False), ("x (y", False), ("x (", True), ("x)", True), ("x.", True), (",x", True)],
)
def test_brackets_are_stray_without_their_partner(mention, stray):
    counts = offset_faults({"train": [Document("1", mention, (Span(0, len(mention), "X"),))]}).counts
    assert counts == {"train": {"punctuation_at_edge": 1} if stray else {}}


class _Walked(tuple):
    """A tuple that counts how often it is gone through."""

    times = 0

    def __iter__(self):
        type(self).times += 1
        return super().__iter__()


def test_the_sentences_of_a_long_document_are_gone_through_once():
    unit = "The dose works well. "
    starts = range(0, 200 * len(unit), len(unit))
    sentences = _Walked((start, start + len(unit) - 1) for start in starts)
    spans = (*(Span(start + 4, start + 8, "X") for start in starts[:-1]), Span(starts[-1] - 6, starts[-1] + 3, "X"))
    document = Document("1", unit * 200, spans, sentences=sentences)
    _Walked.times = 0
    assert offset_faults({"train": [document]}).counts["train"]["crosses_sentence_edge"] == 1
    assert _Walked.times < 5


# ---- tokenizers


def test_a_known_text_is_measured(wordpiece):
    """The vocabulary knows neither ☃ nor words of more than 100 letters."""
    text = f"aspirin ☃ nephrotoxicity {'ac' * 60} naproxen"
    spans = tuple(Span(text.index(m), text.index(m) + len(m), "X") for m in ("aspirin", "☃ nephrotoxicity", "toxicity"))
    counts, rows = measure(wordpiece, [Document("1", text, spans)])
    assert counts["words"] == 5
    assert counts["words_with_unknown_piece"] == 2
    assert counts["mentions_with_unknown_piece"] == 1
    assert counts["mentions_lost"] == 1
    assert counts["losses"]["nested"] == 1
    assert counts["unalignable_mentions"] == len(rows)


def test_words_beyond_the_limit_are_counted(tokenizers_by_family):
    counts, _ = measure(tokenizers_by_family["byte_bpe"], [Document("1", "\U0001f600" * 40 + " aspirin")])
    assert counts["words_cut"] == counts["losses"].get("word_pieces_cut", 0)
    counts, _ = measure(tokenizers_by_family["byte_bpe"], [Document("1", "Ω7" * 60 + " aspirin")])
    assert counts["words_cut"] == 1


@pytest.mark.parametrize(("family", "unalignable"), [("wordpiece", 0), ("byte_bpe", 1), ("unigram", 1)])
def test_an_edge_inside_a_piece_is_found_where_pieces_cross_words(tokenizers_by_family, family, unalignable):
    """`),` is one piece of the Unigram and of the BPE vocabulary; a space before a word is part of no word."""
    text = "Aspirin (ibuprofen), and naproxen relieved headache"
    spans = tuple(Span(text.index(m), text.index(m) + len(m), "X") for m in ("Aspirin (ibuprofen)", "naproxen"))
    counts, rows = measure(tokenizers_by_family[family], [Document("1", text, spans)])
    assert counts["unalignable_mentions"] == unalignable
    assert [row[1:] for row in rows] == [["Aspirin (ibuprofen)", "),"]] * unalignable
    assert counts["mentions_lost"] == 0


@pytest.mark.slow
def test_a_long_document_is_measured_in_seconds(wordpiece):
    unit = "the aspirin dose works well . "
    spans = tuple(Span(at + 4, at + 11, "X") for at in range(0, 8000 * len(unit), len(unit)))
    document = Document("1", unit * 8000, spans)
    begun = time.process_time()
    assert not list(_unalignable(wordpiece, [document]))
    assert time.process_time() - begun < 10


@given(st.lists(documents(expressible=True), max_size=3))
@settings(max_examples=30)
def test_measuring_takes_any_text(tokenizer, drawn):
    counts, _ = measure(tokenizer, drawn)
    splitter = choose_splitter(drawn)
    assert counts["words"] == sum(len(words_of(document, splitter)) for document in drawn)
    assert counts["mentions_with_unknown_piece"] <= counts["mentions"] == sum(len(d.spans) for d in drawn)
    if splitter == "punctuation":
        assert counts["mentions_lost"] == counts["mentions_changed"] == 0


# ---- the real files

needs_corpora = pytest.mark.skipif(
    not os.environ.get("OPENMED_DATA"), reason="OPENMED_DATA does not name a folder of corpora"
)


def real_splits(name: str) -> dict[str, list[Document]]:
    folder = Path(os.environ["OPENMED_DATA"]) / "ner" / name
    files = {"train": "train.tsv", "dev": "devel.tsv", "test": "test.tsv"}
    values = {split: str(folder / file) for split, file in files.items()}
    options = {"scheme": "iob2", "default_type": "Entity"}
    spec = CorpusSpec.from_mapping({"name": name, **values, "format": "conll", "options": options})
    return {split: load_split(spec, split).documents for split in spec.splits}


# corpus: sentences that repeat another of their split; distinct ones in train with other tags
REPEATS = {
    "AnatEM": ((152, 37, 72), 0),
    "BC2GM": ((76, 17, 23), 2),
    "NCBI-disease": ((24, 0, 3), 1),
    "linnaeus": ((1100, 258, 576), 0),
    "S800": ((186, 22, 101), 0),
}


@needs_corpora
@pytest.mark.slow
@pytest.mark.parametrize("name", REPEATS)
def test_the_real_repeats_are_found_again(name):
    counts = repeats(real_splits(name), Rule()).counts
    repeated, contradictions = REPEATS[name]
    assert tuple(part["repeated"] for part in counts.values()) == repeated
    assert counts["train"]["other_tags"] == contradictions


@needs_corpora
@pytest.mark.slow
def test_the_real_oddities_are_found_again():
    anatem = lengths(real_splits("AnatEM")).counts
    assert [part["longest_word"] for part in anatem.values()] == [32, 505, 28]
    assert [part["longest_sentence"] for part in anatem.values()] == [334, 187, 175]
    assert {split: part["long_words"] for split, part in anatem.items()}["dev"] >= 1
    path = Path(os.environ["OPENMED_DATA"]) / "ner" / "BC4CHEMD-huner-devel" / "devel.tsv"
    sentences = list(read_conll(path, scheme="iob2", default_type="Chemical"))
    assert characters({"dev": sentences}).counts["dev"]["invisible_character"] == 2
    assert not any(characters({"test": real_splits("NCBI-disease")["test"]}).counts.values())
