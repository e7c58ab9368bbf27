"""Tokenising many texts at once gives what each gets alone, with every family of tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import texts
from tests.tokenizers import build_wordpiece
from tokenizers import AddedToken

from openmed.encoding.backend import BulkTokenizer


@pytest.fixture(scope="module")
def bulk(tokenizer) -> BulkTokenizer:
    return BulkTokenizer(tokenizer.backend_tokenizer)


@pytest.fixture(scope="module")
def alone(tokenizer):
    """The tokenizer as the library has it, one text at a time."""
    backend = type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str())
    backend.encode_special_tokens = True
    return backend


def pieces_by_text(bulk: BulkTokenizer, texts: Sequence[str]) -> list[list[tuple[int, int, int]]]:
    """(id, begin, end) of the pieces of each text."""
    grouped: list[list[tuple[int, int, int]]] = [[] for _ in texts]
    for id_, text, begin, end in zip(*(values.tolist() for values in bulk(texts)), strict=True):
        grouped[text].append((id_, begin, end))
    return grouped


def pieces_alone(backend, text: str) -> list[tuple[int, int, int]]:
    encoding = backend.encode(text, add_special_tokens=False)
    return [(id_, begin, end) for id_, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True)]


@given(many=st.lists(st.one_of(texts(max_fragments=3), st.text(max_size=6)), max_size=8))
@settings(max_examples=100)
def test_each_text_gets_the_pieces_it_gets_alone(bulk, alone, many):
    assert pieces_by_text(bulk, many) == [pieces_alone(alone, text) for text in many]


def test_more_texts_than_go_into_one_run(bulk, alone):
    many = [f"IL-{number}" for number in range(1_001)]
    assert pieces_by_text(bulk, many) == [pieces_alone(alone, text) for text in many]


def test_an_added_token_that_looks_beyond_its_own_text_is_kept_within(wordpiece):
    """`p53 b` would be one token were the two texts put together; BERT's tokenizer is otherwise parted by spaces."""
    tokenizer = build_wordpiece()
    tokenizer.add_tokens([AddedToken("p53 b", normalized=False)])
    joined, apart = (
        pieces_by_text(BulkTokenizer(tokenizer.backend_tokenizer), many) for many in (["p53 b"], ["p53", "b"])
    )
    assert [id_ for id_, _, _ in joined[0]] == [tokenizer.convert_tokens_to_ids("p53 b")]
    assert apart == pieces_by_text(BulkTokenizer(wordpiece.backend_tokenizer), ["p53", "b"])


def test_half_an_emoji_counts_as_the_one_character_it_is(bulk):
    (pieces,) = pieces_by_text(bulk, ["\ud83da"])
    assert max(end for _, _, end in pieces) == 2


def test_no_texts_have_no_pieces(bulk):
    assert [values.tolist() for values in bulk([])] == [[], [], [], []]
