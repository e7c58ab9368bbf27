"""What words can say survives encode -> windows -> batches -> decode exactly; all else is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import LABELS, splits

from openmed.encoding import (
    IGNORE,
    NUM_SPECIAL,
    SPLITTERS,
    VIEWS,
    EncodedCorpus,
    PieceEncoder,
    SpecialTokens,
    TaggingInfo,
    Units,
    collate,
    encode_documents,
    legal_matrix,
    log_softmax,
    ordered_batches,
    window_lengths,
)
from openmed.encoding.corpus import ARRAYS, LONG_WORD, MENTION_CUT, SENTENCE_CUT
from openmed.encoding.words import words_of
from openmed.errors import ConfigError
from openmed.spans import Document, Span
from openmed.tagging import CUT_BY_WORD, DISCONTINUOUS, NESTED, NO_WORD, encode_document

SPECIAL = SpecialTokens(start=-1, end=-2, pad=-3)
MENTION_LOSSES = (DISCONTINUOUS, NESTED, CUT_BY_WORD, NO_WORD)


@st.composite
def infos(draw: st.DrawFn) -> TaggingInfo:
    """Any legal window, from one piece of text upwards."""
    max_pieces = draw(st.integers(NUM_SPECIAL + 1, 40) | st.just(256))
    overlap = draw(st.integers(0, (max_pieces - NUM_SPECIAL) // 2))
    return TaggingInfo(LABELS, "punctuation", max_pieces, overlap)


@pytest.fixture(scope="module")
def encoder(tokenizer) -> PieceEncoder:
    return PieceEncoder(tokenizer)


@pytest.fixture(scope="module")
def wordpiece_encoder(wordpiece) -> PieceEncoder:
    return PieceEncoder(wordpiece)


def encode(documents: Sequence[Document], encoder: PieceEncoder, info: TaggingInfo, **options) -> EncodedCorpus:
    options = {"splitter": info.splitter, "tags": info.tag_ids, "max_word_pieces": info.max_word_pieces, **options}
    return encode_documents(documents, encoder=encoder, **options)


def perfect_predictions(units: Units, info: TaggingInfo, max_tokens: int = 100) -> list[tuple[Span, ...]]:
    """Decoded from the emissions of a tagger that is always right, gathered window by window as evaluation does."""
    encoded = units.encoded
    windows = units.windows(capacity=info.capacity, overlap=info.overlap)
    lengths = window_lengths(encoded.word_starts, windows, NUM_SPECIAL)
    assert (lengths <= info.max_pieces).all()
    emissions = np.full((encoded.num_words, len(info.tags)), np.nan)
    for batch in ordered_batches(lengths, max_tokens=max_tokens):
        tensors = collate(encoded, [windows[i] for i in batch], SPECIAL)
        words = tensors.words.numpy()
        assert np.isnan(emissions[words]).all(), "a word was tagged twice"
        emissions[words] = 20 * np.eye(len(info.tags))[tensors.tag_ids.numpy()]
    owned = [word for first, last in units.bounds.tolist() for word in range(first, last)]
    assert not np.isnan(emissions[owned]).any(), "a word was not tagged"
    legal = legal_matrix(info.tags)
    return [
        units.decode(unit, log_softmax(emissions[first:last]) if first < last else emissions[:0], info.tags, legal)
        for unit, (first, last) in enumerate(units.bounds.tolist())
    ]


def sentence_edges(encoded: EncodedCorpus, document: int) -> list[int]:
    """First characters of the document's sentences but the first."""
    first, last = encoded.document_starts[document : document + 2]
    return [int(encoded.word_ranges[encoded.sentence_starts[sentence], 0]) for sentence in range(first + 1, last)]


@given(documents=splits(expressible=True), info=infos())
@settings(max_examples=50)
def test_spans_of_whole_words_come_back_exactly_at_any_window_length(encoder, documents, info):
    encoded = encode(documents, encoder, info)
    assert not {*MENTION_LOSSES} & encoded.losses.keys()
    assert perfect_predictions(Units(documents, encoded, "documents"), info) == [d.spans for d in documents]


@given(documents=splits(expressible=True), info=infos())
@settings(max_examples=50)
def test_sentence_by_sentence_only_mentions_across_an_edge_are_lost(encoder, documents, info):
    encoded = encode(documents, encoder, info)
    units = Units(documents, encoded, "sentences")
    for number, document in enumerate(documents):
        edges = sentence_edges(encoded, number)
        whole = [span for span in document.spans if not any(span.start < edge < span.end for edge in edges)]
        predicted = zip(perfect_predictions(units, info), units.owner, strict=True)
        found = [span for spans, owner in predicted if owner == number for span in spans]
        assert [span for span in found if span in document.spans] == whole
    crossed = sum(
        span.start < edge < span.end
        for number, document in enumerate(documents)
        for edge in sentence_edges(encoded, number)
        for span in document.spans
    )
    assert encoded.losses.get(MENTION_CUT, 0) == crossed


@given(documents=splits(), info=infos())
@settings(max_examples=50)
def test_every_mention_comes_back_or_is_counted_as_lost(encoder, documents, info):
    encoded = encode(documents, encoder, info)
    predicted = perfect_predictions(Units(documents, encoded, "documents"), info)
    lost = sum((Counter(d.spans) - Counter(found) for d, found in zip(documents, predicted, strict=True)), Counter())
    counted = sum(encoded.losses.get(name, 0) for name in MENTION_LOSSES)
    if lost.total() != counted:
        # A mention cut by a word ("p53 " with its space) may come back as what was dropped as nested in it ("p53").
        assert lost.total() < counted
        assert encoded.losses[CUT_BY_WORD] >= counted - lost.total()


@given(documents=splits(), info=infos())
@settings(max_examples=50)
def test_tags_and_lost_mentions_are_those_of_each_document_alone(wordpiece_encoder, documents, info):
    encoded = encode(documents, wordpiece_encoder, info)
    lost: Counter[str] = Counter()
    for number, document in enumerate(documents):
        first, last = encoded.document_words(number)
        words = [(start, end) for start, end in encoded.word_ranges[first:last].tolist()]
        tags, lost_here = encode_document(words, document.spans)
        assert encoded.tag_ids[first:last].tolist() == [info.tag_ids[tag] for tag in tags]
        lost += lost_here
    assert {name: count for name, count in encoded.losses.items() if name in MENTION_LOSSES} == lost


@pytest.mark.parametrize("view", VIEWS)
@given(documents=splits(), info=infos())
@settings(max_examples=30)
def test_units_hold_all_words_and_all_gold_once(wordpiece_encoder, view, documents, info):
    encoded = encode(documents, wordpiece_encoder, info)
    units = Units(documents, encoded, view)
    words = [word for first, last in units.bounds.tolist() for word in range(first, last)]
    assert sorted(words) == list(range(encoded.num_words))
    gold = Counter((int(units.owner[unit]), span) for unit in range(len(units)) for span in units.gold(unit))
    assert gold == Counter((number, span) for number, document in enumerate(documents) for span in document.spans)
    windows = units.windows(capacity=info.capacity, overlap=info.overlap)
    assert sorted(word for w in windows for word in range(w.own_start, w.own_end)) == sorted(words)


@pytest.mark.parametrize("view", VIEWS)
@given(documents=splits(), info=infos())
@settings(max_examples=30)
def test_a_unit_as_a_document_says_what_the_unit_says(wordpiece_encoder, view, documents, info):
    units = Units(documents, encode(documents, wordpiece_encoder, info), view)
    cut_out = [units.document(unit) for unit in range(len(units))]
    assert len({document.id for document in cut_out}) == len(cut_out)
    for unit, document in enumerate(cut_out):
        whole = documents[units.owner[unit]]
        assert document.group == whole.group
        assert [document.mention(span) for span in document.spans] == [whole.mention(s) for s in units.gold(unit)]
        assert (document.words is None) == (whole.words is None)


@given(documents=splits(), chunk=st.integers(1, 3), info=infos())
@settings(max_examples=30)
def test_encoding_is_the_same_in_any_chunks_and_the_second_time(wordpiece_encoder, documents, chunk, info):
    one = encode(documents, wordpiece_encoder, info)
    other = encode(iter(documents), wordpiece_encoder, info, chunk=chunk)
    for name in ARRAYS:
        assert getattr(one, name).dtype == getattr(other, name).dtype
        assert getattr(one, name).tolist() == getattr(other, name).tolist()
    assert one.losses == other.losses


@given(documents=splits(), info=infos())
@settings(max_examples=50)
def test_tags_and_their_losses_are_those_of_each_document_alone(wordpiece_encoder, documents, info):
    encoded = encode(documents, wordpiece_encoder, info)
    alone = [encode_document(words_of(document, info.splitter), document.spans) for document in documents]
    assert encoded.tag_ids.tolist() == [info.tag_ids[tag] for tags, _ in alone for tag in tags]
    lost = sum((losses for _, losses in alone), Counter())
    assert {name: count for name, count in encoded.losses.items() if name in MENTION_LOSSES} == lost


@given(documents=splits(), info=infos())
@settings(max_examples=30)
def test_levels_point_into_each_other(wordpiece_encoder, documents, info):
    encoded = encode(documents, wordpiece_encoder, info)
    assert encoded.num_documents == len(documents)
    assert len(encoded.word_ranges) == len(encoded.word_starts) - 1 == encoded.num_words
    for starts, below in (
        (encoded.word_starts, len(encoded.piece_ids)),
        (encoded.sentence_starts, encoded.num_words),
        (encoded.document_starts, encoded.num_sentences),
    ):
        assert starts[0] == 0
        assert starts[-1] == below
        assert all(a <= b for a, b in pairwise(starts.tolist()))
    assert (np.diff(encoded.word_starts) <= info.max_word_pieces).all()
    assert (np.diff(encoded.document_starts) >= 1).all()
    for number, document in enumerate(documents):
        first, last = encoded.document_words(number)
        if document.words is not None:
            assert encoded.word_ranges[first:last].tolist() == [list(word) for word in document.words]


INFO = TaggingInfo(LABELS, "punctuation", 16, 4)


def test_words_of_too_many_pieces_are_cut_and_counted(tokenizer, encoder):
    document = Document(
        "1", "GATTACAGATTACA binds p53 and GATTACAGATTACA", words=((0, 14), (15, 20), (21, 24), (29, 43))
    )
    full = encode([document], encoder, INFO, max_word_pieces=64)
    lengths = np.diff(full.word_starts)
    limit = int(lengths[0]) - 1
    assert limit >= lengths[1:3].max(), "else the example shows nothing"
    cut = encode([document], encoder, INFO, max_word_pieces=limit)
    assert cut.losses == {LONG_WORD: 2}
    assert full.losses == {}
    for word in range(4):
        pieces = full.piece_ids[full.word_starts[word] : full.word_starts[word + 1]]
        assert cut.piece_ids[cut.word_starts[word] : cut.word_starts[word + 1]].tolist() == pieces[:limit].tolist()


def test_no_documents_make_an_empty_split(wordpiece_encoder):
    encoded = encode([], wordpiece_encoder, INFO)
    assert (encoded.num_documents, encoded.num_sentences, encoded.num_words) == (0, 0, 0)
    for view in VIEWS:
        units = Units([], encoded, view)
        assert len(units) == 0
        assert units.windows(capacity=9, overlap=2) == []


@pytest.mark.parametrize("view", VIEWS)
def test_documents_without_words_are_units_and_their_mentions_are_missed(wordpiece_encoder, view):
    documents = [
        Document("empty", ""),
        Document("spaces", "  \n", (Span(0, 2, "Disease"),)),
        Document("a", "Ataxia. Autism."),
        Document("wordless", "Ataxia", (Span(0, 6, "Disease"),), words=()),
    ]
    encoded = encode(documents, wordpiece_encoder, INFO)
    assert encoded.losses == {NO_WORD: 2}
    units = Units(documents, encoded, view)
    names = [units.document(unit).id for unit in range(len(units))]
    assert names == ["empty", "spaces", *(["a"] if view == "documents" else ["a#1", "a#2"]), "wordless"]
    gold = {name: units.gold(unit) for unit, name in enumerate(names)}
    assert [name for name, spans in gold.items() if spans] == ["spaces", "wordless"]
    assert perfect_predictions(units, INFO) == [()] * len(names)


def test_text_without_gold_has_no_tags(wordpiece_encoder):
    encoded = encode([Document("1", "Ataxia.", (Span(0, 6, "Disease"),))], wordpiece_encoder, INFO, tags=None)
    assert encoded.tag_ids.tolist() == [IGNORE, IGNORE]
    assert encoded.losses == {}


def test_a_type_without_a_tag_is_an_error(wordpiece_encoder):
    with pytest.raises(KeyError, match="B-Gene"):
        encode([Document("1", "BRCA1", (Span(0, 5, "Gene"),))], wordpiece_encoder, INFO)


def test_sentences_are_the_corpuss_own_else_by_rule(wordpiece_encoder):
    def first_words(**own) -> list[int]:
        document = Document("1", "Ataxia is rare. Autism is not.", **own)
        return encode([document], wordpiece_encoder, INFO).sentence_starts.tolist()

    assert first_words() == [0, 4, 8]
    assert first_words(sentences=((0, 9), (10, 30))) == [0, 2, 8]
    assert first_words(sentences=((0, 30),)) == first_words(sentences=()) == [0, 8]


def test_a_sentence_edge_inside_a_word_moves_behind_it_and_is_counted(wordpiece_encoder):
    document = Document("1", "Ataxia is rare", sentences=((0, 8), (8, 14)))
    encoded = encode([document], wordpiece_encoder, INFO)
    assert encoded.sentence_starts.tolist() == [0, 2, 3]
    assert encoded.losses == {SENTENCE_CUT: 1}


def test_a_mention_across_a_sentence_edge_is_counted_and_belongs_to_the_sentence_it_starts_in(wordpiece_encoder):
    document = Document("1", "Tay Sachs disease", (Span(0, 17, "Disease"),), sentences=((0, 3), (4, 17)))
    encoded = encode([document], wordpiece_encoder, INFO)
    assert encoded.losses == {MENTION_CUT: 1}
    units = Units([document], encoded, "sentences")
    assert [units.gold(0), units.gold(1)] == [document.spans, ()]
    assert [units.document(0).text, units.document(1).text] == ["Tay Sachs disease", "Sachs disease"]
    assert perfect_predictions(units, INFO) == [(Span(0, 3, "Disease"),), (Span(4, 17, "Disease"),)]


def test_a_mention_that_starts_before_the_first_word_is_within_its_unit(wordpiece_encoder):
    document = Document("1", " Ataxia. Autism.", (Span(0, 7, "Disease"),))
    unit = Units([document], encode([document], wordpiece_encoder, INFO), "sentences").document(0)
    assert (unit.text, unit.spans) == (" Ataxia.", (Span(0, 7, "Disease"),))


def test_pieces_that_words_share_are_among_the_losses_each_time(tokenizers_by_family):
    encoder = PieceEncoder(tokenizers_by_family["unigram"])
    documents = [Document("1", "(a), (b),"), Document("2", "(a),")]
    assert [encode(documents, encoder, INFO).losses for _ in range(2)] == [{"piece_shared_by_words": 3}] * 2


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_the_splitter_named_is_the_one_used(wordpiece_encoder, splitter):
    encoded = encode([Document("1", "IL-2")], wordpiece_encoder, INFO, splitter=splitter)
    assert encoded.num_words == {"punctuation": 3, "edges": 1}[splitter]


def test_another_view_is_refused(wordpiece_encoder):
    with pytest.raises(ConfigError, match="sentences, documents"):
        Units([], encode([], wordpiece_encoder, INFO), "paragraphs")


def test_what_data_and_network_agree_on_comes_back_from_a_mapping():
    assert TaggingInfo.from_mapping(INFO.as_dict()) == INFO
    assert INFO.tags == ("O", *(f"{letter}-{label}" for label in LABELS for letter in "BI"))
    assert (INFO.capacity, INFO.max_word_pieces) == (14, 14)
    assert TaggingInfo(LABELS, "edges", 256, 50).max_word_pieces == 64
    with pytest.raises(ConfigError, match="overlap"):
        TaggingInfo(LABELS, "edges", 256, 128)
