"""An epoch: each word once, in windows of mixed length, in batches under a budget, from its seed alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from openmed.encoding import (
    NUM_SPECIAL,
    EncodedCorpus,
    SpecialTokens,
    Window,
    collate,
    epoch_rng,
    ordered_batches,
    training_batches,
    training_windows,
    window_lengths,
)
from openmed.errors import BackboneError, ConfigError

SPECIAL = SpecialTokens(start=-1, end=-2, pad=-3)

# Documents as sentences as words as numbers of pieces; a sentence may be long, a document may have no words.
STRUCTURES = st.lists(st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=12), max_size=6), max_size=4)


def corpus_of(structure: list[list[list[int]]]) -> EncodedCorpus:
    """A split with that structure; piece number i has id i, word number i has tag i."""
    sentences = [sentence for document in structure for sentence in document or [[]]]
    lengths = [length for sentence in sentences for length in sentence]
    return EncodedCorpus(
        piece_ids=np.arange(sum(lengths), dtype=np.int32),
        word_starts=np.cumsum([0, *lengths]),
        word_ranges=np.zeros((len(lengths), 2), dtype=np.int32),
        tag_ids=np.arange(len(lengths), dtype=np.int16),
        sentence_starts=np.cumsum([0, *(len(sentence) for sentence in sentences)]),
        document_starts=np.cumsum([0, *(max(len(document), 1) for document in structure)]),
        losses={},
    )


def windows_of(corpus, *, capacity=8, overlap=3, max_sentences=4, seed=1, epoch=0) -> list[Window]:
    rng = epoch_rng(seed, epoch)
    return training_windows(corpus, capacity=capacity, overlap=overlap, max_sentences=max_sentences, rng=rng)


def sentences_of(corpus: EncodedCorpus, window: Window) -> set[int]:
    words = np.arange(window.start, window.end)
    return set((np.searchsorted(corpus.sentence_starts, words, side="right") - 1).tolist())


@given(structure=STRUCTURES, capacity=st.integers(4, 40), max_sentences=st.integers(1, 8), epoch=st.integers(0, 99))
def test_an_epoch_has_every_word_once_in_windows_that_fit(structure, capacity, max_sentences, epoch):
    corpus = corpus_of(structure)
    windows = windows_of(corpus, capacity=capacity, overlap=capacity // 3, max_sentences=max_sentences, epoch=epoch)
    owned = [word for window in windows for word in range(window.own_start, window.own_end)]
    assert sorted(owned) == list(range(corpus.num_words))
    assert (window_lengths(corpus.word_starts, windows, NUM_SPECIAL) <= capacity + NUM_SPECIAL).all()


@given(structure=STRUCTURES, max_sentences=st.integers(1, 3), epoch=st.integers(0, 99))
def test_a_window_is_a_run_of_whole_sentences_of_one_document_or_part_of_a_long_one(structure, max_sentences, epoch):
    corpus = corpus_of(structure)
    for window in windows_of(corpus, max_sentences=max_sentences, epoch=epoch):
        sentences = sentences_of(corpus, window)
        assert 1 <= len(sentences) <= max_sentences
        documents = np.searchsorted(corpus.document_starts, sorted(sentences), side="right") - 1
        assert len(set(documents.tolist())) == 1
        if len(sentences) > 1:
            assert window.start in corpus.sentence_starts
            assert window.end in corpus.sentence_starts
            assert window[:2] == window[2:], "a run that fits is one window and owns all its words"


@given(structure=STRUCTURES, seed=st.integers(0, 2**32), epoch=st.integers(0, 99))
@settings(max_examples=30)
def test_the_same_seed_and_epoch_give_the_same_windows_and_batches(structure, seed, epoch):
    def epoch_of_batches() -> tuple[list[Window], list[list[int]]]:
        corpus, rng = corpus_of(structure), epoch_rng(seed, epoch)
        windows = training_windows(corpus, capacity=9, overlap=4, max_sentences=4, rng=rng)
        return windows, training_batches(window_lengths(corpus.word_starts, windows, 2), max_tokens=30, rng=rng)

    assert epoch_of_batches() == epoch_of_batches()


def test_epochs_and_seeds_differ():
    corpus = corpus_of([[[1] * 5] * 40])
    drawn = [windows_of(corpus, capacity=40, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert all(a != b for i, a in enumerate(drawn) for b in drawn[:i])


def test_all_run_lengths_up_to_the_most_are_drawn_and_single_sentences_on_demand():
    corpus = corpus_of([[[1, 1]] * 200])
    drawn = {len(sentences_of(corpus, window)) for window in windows_of(corpus, capacity=100, max_sentences=4)}
    assert drawn == {1, 2, 3, 4}
    singles = windows_of(corpus, capacity=100, max_sentences=1)
    assert [len(sentences_of(corpus, window)) for window in singles] == [1] * 200


def test_a_long_sentence_becomes_overlapping_windows():
    assert windows_of(corpus_of([[[1] * 13]]), capacity=8, overlap=3) == [Window(0, 8, 0, 7), Window(5, 13, 7, 13)]


LENGTHS = st.lists(st.integers(3, 40), max_size=60).map(np.asarray)


@given(lengths=LENGTHS, max_tokens=st.integers(1, 200), num_replicas=st.integers(1, 4), seed=st.integers(0, 99))
def test_training_batches_hold_each_window_once_under_the_budget(lengths, max_tokens, num_replicas, seed):
    if max_tokens < 80 or len(lengths) < num_replicas:
        num_replicas = 1  # windows alone in their batches may not come out even: refused, see below
    lengths = lengths.astype(np.int64)
    batches = training_batches(lengths, max_tokens=max_tokens, rng=epoch_rng(seed, 0), num_replicas=num_replicas)
    _assert_all_once_under_budget(batches, lengths, max_tokens)
    assert len(batches) % num_replicas == 0


@given(lengths=LENGTHS, max_tokens=st.integers(1, 200))
def test_ordered_batches_hold_each_window_once_under_the_budget_longest_first(lengths, max_tokens):
    lengths = lengths.astype(np.int64)
    batches = ordered_batches(lengths, max_tokens=max_tokens)
    _assert_all_once_under_budget(batches, lengths, max_tokens)
    longest = [int(lengths[batch].max()) for batch in batches]
    assert longest == sorted(longest, reverse=True)


def _assert_all_once_under_budget(batches: list[list[int]], lengths: np.ndarray, max_tokens: int) -> None:
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= max_tokens


def test_batches_of_an_epoch_come_in_random_order_and_differ_between_epochs():
    lengths = np.random.default_rng(0).integers(5, 100, size=2_000)
    first, second = (training_batches(lengths, max_tokens=1_000, rng=epoch_rng(1, epoch)) for epoch in (0, 1))
    assert {frozenset(batch) for batch in first}.isdisjoint({frozenset(batch) for batch in second})
    longest = [lengths[batch].max() for batch in first]
    assert abs(np.corrcoef(longest, range(len(longest)))[0, 1]) < 0.3


def test_bucketing_pads_far_less_than_chance():
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(3.5, 0.7, size=5_000).astype(np.int64), 5, 256)

    def padding(batches: list[list[int]]) -> float:
        return 1 - lengths.sum() / sum(len(batch) * lengths[batch].max() for batch in batches)

    by_chance = padding([batch.tolist() for batch in np.array_split(rng.permutation(len(lengths)), 100)])
    bucketed = padding(training_batches(lengths, max_tokens=4_096, rng=rng))
    assert by_chance > 0.6
    assert bucketed < 0.1 * by_chance
    assert padding(ordered_batches(lengths, max_tokens=4_096)) < 0.1 * by_chance


def test_too_many_devices_for_too_few_windows_is_refused_with_the_mend():
    with pytest.raises(ConfigError, match=r"fewer devices or a larger batch\.max_tokens"):
        training_batches(np.asarray([5] * 4), max_tokens=9, rng=epoch_rng(1, 0), num_replicas=3)
    assert len(training_batches(np.asarray([5] * 4), max_tokens=16, rng=epoch_rng(1, 0), num_replicas=3)) == 3


def test_no_windows_make_no_batches():
    none = window_lengths(np.zeros(1, dtype=np.int64), [], NUM_SPECIAL)
    assert training_batches(none, max_tokens=9, rng=epoch_rng(1, 0), num_replicas=2) == []
    assert ordered_batches(none, max_tokens=9) == []


@given(structure=STRUCTURES, epoch=st.integers(0, 99))
@settings(max_examples=60)
def test_positions_point_at_the_first_piece_of_each_owned_word(structure, epoch):
    corpus = corpus_of(structure)
    windows = windows_of(corpus, epoch=epoch)
    assume(windows)
    batch = collate(corpus, windows, SPECIAL)
    assert sorted(batch.words.tolist()) == list(range(corpus.num_words))
    assert batch.tag_ids.tolist() == batch.words.tolist(), "in this corpus a word's tag is its number"
    first_pieces = batch.input_ids.flatten()[batch.positions]
    assert first_pieces.tolist() == corpus.word_starts[batch.words.numpy()].tolist()


def test_collated_rows_are_framed_and_padded_to_a_multiple_of_eight():
    corpus = corpus_of([[[1, 2], [3, 1, 1]]])
    batch = collate(corpus, [Window(0, 2, 0, 2), Window(1, 5, 2, 5)], SPECIAL)
    assert batch.input_ids.tolist() == [[-1, 0, 1, 2, -2, -3, -3, -3, *[-3] * 8], [-1, *range(1, 8), -2, *[-3] * 7]]
    assert batch.attention_mask.tolist() == [[1] * 5 + [0] * 11, [1] * 9 + [0] * 7]
    assert batch.positions.tolist() == [1, 2, 16 + 3, 16 + 6, 16 + 7]
    assert batch.num_tokens == int(batch.attention_mask.sum()) == 14


def test_a_batch_moves_to_a_device_but_for_its_word_numbers():
    batch = collate(corpus_of([[[1, 2]]]), [Window(0, 2, 0, 2)], SPECIAL)
    moved = batch.to(torch.device("meta"))
    assert {moved.input_ids.device.type, moved.attention_mask.device.type, moved.positions.device.type} == {"meta"}
    assert moved.tag_ids.device.type == "meta"
    assert moved.words is batch.words


def test_special_tokens_of_every_family(tokenizer):
    assert SpecialTokens.of(tokenizer) == SpecialTokens(start=2, end=3, pad=0)
    assert tokenizer("p53", add_special_tokens=True)["input_ids"][:: len(tokenizer("p53")["input_ids"]) - 1] == [2, 3]


def test_a_tokenizer_without_padding_token_is_refused():
    class Decoder:
        cls_token_id = sep_token_id = pad_token_id = None
        bos_token_id = eos_token_id = 1

    with pytest.raises(BackboneError, match="no start, end or padding token"):
        SpecialTokens.of(Decoder())
    Decoder.pad_token_id = 0
    assert SpecialTokens.of(Decoder()) == SpecialTokens(1, 1, 0)
