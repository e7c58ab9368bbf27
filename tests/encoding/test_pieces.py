"""Pieces respect words with every family of tokenizer, and are the tokenizer's own wherever words allow it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.memory import peak_memory
from tests.strategies import plain_texts, ranges, texts
from tests.tokenizers import build_unigram

from openmed.encoding import SPLITTERS, PieceEncoder, split_words
from openmed.encoding.pieces import EMPTY_WORD, SHARED_PIECE, Pieces


@pytest.fixture(scope="module")
def encoder(tokenizer) -> PieceEncoder:
    return PieceEncoder(tokenizer)


def encode(encoder: PieceEncoder, text: str, words) -> Pieces:
    encoder.losses.clear()
    return encoder.encode(text, words)


def words_and_tokens(tokenizer, text: str, splitter: str = "punctuation") -> list[tuple[str, list[str]]]:
    """Each word with its pieces, written out."""
    words = split_words(text, splitter)
    pieces = PieceEncoder(tokenizer).encode(text, words)
    tokens = tokenizer.convert_ids_to_tokens(pieces.ids.tolist())
    return [
        (text[start:end], tokens[first:last])
        for (start, end), first, last in zip(words, pieces.word_starts, pieces.word_starts[1:], strict=False)
    ]


def own_ids(tokenizer, text: str) -> list[int]:
    """What the tokenizer makes of the whole text (byte-level BPE: as if it stood after a space)."""
    space = " " if tokenizer.tokenize("a b")[1] != "b" and tokenizer.tokenize("b")[0] == "b" else ""
    return tokenizer(space + text, add_special_tokens=False)["input_ids"]


@given(text=texts(), data=st.data())
@settings(max_examples=60)
def test_every_word_has_a_piece_of_its_own(encoder, text, data):
    words = data.draw(ranges(len(text)) | st.sampled_from([split_words(text, name) for name in SPLITTERS]))
    pieces = encode(encoder, text, words)
    assert len(pieces.word_starts) == len(words) + 1
    assert pieces.word_starts[0] == 0
    assert pieces.word_starts[-1] == len(pieces.ids)
    assert (np.diff(pieces.word_starts) >= 1).all()


@given(text=plain_texts())
@settings(max_examples=40)
def test_words_between_spaces_get_the_pieces_of_the_whole_text(tokenizer, encoder, text):
    chunks = [(start, end) for start, end in _chunks(text)]
    pieces = encode(encoder, text, chunks)
    assert pieces.ids.tolist() == own_ids(tokenizer, text)
    assert not encoder.losses


@given(chunks=texts().map(str.split))
@settings(max_examples=40)
def test_chunks_tokenised_together_get_the_pieces_that_each_gets_alone(tokenizer, chunks):
    """Any characters: control characters, marks without a letter before them, half an emoji."""
    text = " ".join(chunks)
    together = PieceEncoder(tokenizer).encode(text, _chunks(text))
    alone = [PieceEncoder(tokenizer).encode(chunk, [(0, len(chunk))]) for chunk in chunks]
    assert together.ids.tolist() == [id_ for pieces in alone for id_ in pieces.ids.tolist()]
    assert np.diff(together.word_starts).tolist() == [len(pieces.ids) for pieces in alone]


@pytest.mark.parametrize("splitter", SPLITTERS)
@given(text=plain_texts(max_fragments=5))
@settings(max_examples=40)
def test_pieces_are_the_tokenizers_own_where_none_is_shared(tokenizer, encoder, splitter, text):
    pieces = encode(encoder, text, split_words(text, splitter))
    if not encoder.losses:
        assert pieces.ids.tolist() == own_ids(tokenizer, text)


def test_wordpiece_shares_no_piece(wordpiece):
    """So the law above is not empty: for BERT and ELECTRA it always holds."""
    encoder = PieceEncoder(wordpiece)
    text = "IL-2-induced (10 mg), patient's e.g., 3.5%"
    encode(encoder, text, split_words(text, "punctuation"))
    assert not encoder.losses


@given(text=plain_texts())
@settings(max_examples=40)
def test_the_pieces_of_a_word_spell_it(tokenizer, text):
    for word, tokens in words_and_tokens(tokenizer, text):
        spelt = "".join(tokens).replace("##", "").replace("▁", "").replace("Ġ", "")
        if word.isascii() and tokenizer.unk_token not in tokens:
            assert spelt.lower() == word.lower()


def test_a_piece_across_words_is_taken_apart_and_counted_each_time(tokenizers_by_family):
    tokenizer = tokenizers_by_family["unigram"]
    assert ")," in tokenizer.tokenize("(10 mg),")
    assert words_and_tokens(tokenizer, "mg),")[1:] == [(")", ["▁", ")"]), (",", ["▁", ","])]
    encoder = PieceEncoder(tokenizer)
    words = split_words("(a), (a), (a)", "punctuation")
    for _ in range(2):  # the second time from memory
        encode(encoder, "(a), (a), (a)", words)
        assert encoder.losses == {SHARED_PIECE: 2}


def test_a_piece_across_bytes_of_two_words_is_taken_apart(tokenizers_by_family):
    words = dict(words_and_tokens(tokenizers_by_family["byte_bpe"], "(10 mg),"))
    assert words == {"(": ["Ġ("], "10": ["1", "0"], "mg": ["Ġmg"], ")": [")"], ",": [","]}


def test_a_word_of_nothing_the_tokenizer_knows_gets_the_unknown_piece_and_is_counted_each_time(wordpiece):
    encoder = PieceEncoder(wordpiece)
    text = "a \u200b \u200b b"
    for _ in range(2):
        pieces = encode(encoder, text, split_words(text, "punctuation"))
        assert pieces.ids[1:3].tolist() == [wordpiece.unk_token_id] * 2
        assert encoder.losses == {EMPTY_WORD: 2}


def test_losses_add_up_over_calls(wordpiece):
    encoder = PieceEncoder(wordpiece)
    encoder.encode("\u200b a", [(0, 1), (2, 3)])
    encoder.encode("\u200b", [(0, 1)])
    assert encoder.losses == {EMPTY_WORD: 2}


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_raw_text_cannot_write_special_tokens(tokenizer, encoder, splitter):
    text = "a[SEP] [MASK] [PAD]"
    ids = set(encode(encoder, text, split_words(text, splitter)).ids.tolist())
    assert not ids & {tokenizer.sep_token_id, tokenizer.mask_token_id, tokenizer.pad_token_id}


@pytest.mark.parametrize("family", ["wordpiece", "byte_bpe"])  # in a Unigram model they are pieces like others
def test_words_of_a_corpus_cannot_write_special_tokens(tokenizers_by_family, family):
    tokenizer = tokenizers_by_family[family]
    ids = PieceEncoder(tokenizer).encode("[SEP]", [(0, 5)]).ids
    assert tokenizer.sep_token_id not in ids


def test_half_an_emoji_is_a_word_like_any_other(encoder):
    """JSON may hold a lone surrogate ("\\ud83d"), which is no text to a tokenizer."""
    pieces = encode(encoder, "a \ud83d b", [(0, 1), (2, 3), (4, 5)])
    assert len(pieces.word_starts) == 4


def test_the_tokenizers_own_padding_and_truncation_are_off_here_and_stay_on_there():
    tokenizer = build_unigram()
    tokenizer.backend_tokenizer.enable_padding(length=20)
    tokenizer.backend_tokenizer.enable_truncation(4)
    text = "p53-induced apoptosis of T-cells"
    pieces = PieceEncoder(tokenizer).encode(text, _chunks(text))
    assert pieces.ids.tolist() == own_ids(build_unigram(), text)
    assert tokenizer.backend_tokenizer.padding["length"] == 20
    assert tokenizer.backend_tokenizer.truncation["max_length"] == 4


def test_a_memory_started_anew_changes_nothing(tokenizer):
    text = "IL-2-induced (10 mg), patient's IL-2-induced"
    words = split_words(text, "punctuation")
    forgetful = PieceEncoder(tokenizer, max_clusters=0)
    expected = PieceEncoder(tokenizer).encode(text, words)
    for _ in range(2):
        assert forgetful.encode(text, words).ids.tolist() == expected.ids.tolist()


def test_memory_of_clusters_stays_flat_on_a_stream(wordpiece):
    def encode_stream(num_texts: int) -> None:
        encoder = PieceEncoder(wordpiece, max_clusters=1_000)
        for number in range(num_texts):
            text = " ".join(f"{number}-{place}" for place in range(500))
            encoder.encode(text, _chunks(text))

    assert peak_memory(lambda: encode_stream(20)) < 1.2 * peak_memory(lambda: encode_stream(5))


def test_texts_without_words_have_no_pieces(encoder):
    for text in ("", " \n"):
        ids, starts = encode(encoder, text, [])
        assert ids.tolist() == []
        assert starts.tolist() == [0]


def test_a_tokenizer_without_offsets_is_refused():
    with pytest.raises(ValueError, match="not a fast tokenizer"):
        PieceEncoder(SimpleNamespace(is_fast=False))


def _chunks(text: str) -> list[tuple[int, int]]:
    chunks, position = [], 0
    for chunk in text.split(" "):
        if chunk:
            chunks.append((position, position + len(chunk)))
        position += len(chunk) + 1
    return chunks
