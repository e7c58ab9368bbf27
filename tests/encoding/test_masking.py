"""Masking: what is hidden, how much of it, and that the truth can be put back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.tokenizers import build_byte_bpe, build_unigram, build_wordpiece

from openmed.encoding.masking import MASKED, RANDOM, MaskedBatch, Masking, stack
from openmed.errors import BackboneError, ConfigError

ROWS, LENGTH, VOCABULARY = 64, 128, 500
MASK, START, END = 4, 1, 2


@pytest.fixture
def rows() -> np.ndarray:
    ids = np.random.default_rng(0).integers(5, VOCABULARY, size=(ROWS, LENGTH))
    ids[:, 0], ids[:, -1] = START, END
    return ids


def masking(**changes) -> Masking:
    special = np.zeros(VOCABULARY, dtype=bool)
    special[:5] = True
    return Masking(**{"fraction": 0.15, "mask_id": MASK, "special": special, **changes})


def restored(batch: MaskedBatch) -> np.ndarray:
    ids = batch.input_ids.flatten().clone()
    ids[batch.positions] = batch.labels
    return ids.view(batch.input_ids.shape).numpy()


def test_labels_are_what_stood_there_and_nothing_else_changed(rows):
    batch = masking().batch(rows, np.random.default_rng(1))
    assert np.array_equal(restored(batch), rows)
    assert (batch.input_ids[:, 0] == START).all()
    assert (batch.input_ids[:, -1] == END).all()
    assert batch.num_tokens == rows.size
    assert bool(batch.attention_mask.all())


def test_the_shares_are_those_of_bert(rows):
    """Within four standard deviations of the binomials."""
    batches = [masking().batch(rows, np.random.default_rng(seed)) for seed in range(20)]
    chosen = sum(len(batch.positions) for batch in batches)
    possible = 20 * ROWS * (LENGTH - 2)
    assert abs(chosen / possible - 0.15) < 4 * (0.15 * 0.85 / possible) ** 0.5
    shown = torch.cat([batch.input_ids.flatten()[batch.positions] for batch in batches])
    truth = torch.cat([batch.labels for batch in batches])
    masked = (shown == MASK).float().mean().item()
    kept = (shown == truth).float().mean().item()
    assert abs(masked - MASKED) < 4 * (MASKED * (1 - MASKED) / chosen) ** 0.5
    assert abs(kept - (1 - MASKED - RANDOM)) < 4 * (0.1 * 0.9 / chosen) ** 0.5 + 1 / VOCABULARY
    assert not (shown < 5).logical_and(shown != MASK).any()  # no random piece is a special token


def test_no_batch_is_without_a_hidden_piece(rows):
    """Its loss would be 0 / 0."""
    rarely = masking(fraction=1e-9)
    for seed in range(20):
        batch = rarely.batch(rows[:1], np.random.default_rng(seed))
        assert len(batch.positions) == 1
        assert np.array_equal(restored(batch), rows[:1])
        assert batch.labels.min() >= 5


def test_the_same_generator_hides_the_same(rows):
    first, second = (masking().batch(rows, np.random.default_rng(7)) for _ in range(2))
    assert torch.equal(first.input_ids, second.input_ids)
    assert not torch.equal(first.input_ids, masking().batch(rows, np.random.default_rng(8)).input_ids)


def test_whole_words_are_hidden_together(rows):
    begins = np.random.default_rng(2).random(VOCABULARY) < 0.5
    batch = masking(begins_word=begins).batch(rows, np.random.default_rng(1))
    chosen = np.zeros(rows.size, dtype=bool)
    chosen[batch.positions.numpy()] = True
    chosen = chosen.reshape(rows.shape)
    goes_on = ~begins[rows[:, 2:-1]]
    assert goes_on.any()
    assert (chosen[:, 2:-1] == chosen[:, 1:-2])[goes_on].all()
    assert abs(chosen.mean() - 0.15) < 0.02


def test_batches_stacked_are_one_batch(rows):
    parts = [masking().batch(rows[at : at + 8], np.random.default_rng(at)) for at in range(0, ROWS, 8)]
    whole = stack(parts)
    assert np.array_equal(restored(whole), rows)
    assert whole.num_tokens == rows.size
    assert torch.equal(whole.input_ids, torch.cat([part.input_ids for part in parts]))


@pytest.mark.parametrize("build", [build_wordpiece, build_unigram, build_byte_bpe])
def test_every_family_shows_where_words_begin(build):
    tokenizer = build()
    masking = Masking.of(tokenizer, fraction=0.15, whole_words=True)
    text = "Aspirin relieves headache in patients"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert masking.begins_word is not None
    found = masking.begins_word[ids]
    found[0] = True  # the first piece of a text begins a word, marked or not
    assert found.sum() == len(text.split())
    assert masking.special[tokenizer.all_special_ids].all()


def test_a_fraction_of_no_sense_and_a_tokenizer_without_a_mask_are_refused():
    with pytest.raises(ConfigError, match="fraction"):
        masking(fraction=1.0)
    tokenizer = build_wordpiece()
    tokenizer.mask_token = None
    with pytest.raises(BackboneError, match="mask token"):
        Masking.of(tokenizer, fraction=0.15, whole_words=False)
