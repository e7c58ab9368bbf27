"""Scores are transformers' own, and a word's do not depend on its batch: for each architecture, in float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.backbones import (
    FAMILIES,
    INFO,
    MAX_POSITIONS,
    backbone_spec,
    local_spec,
    make_batch,
    make_network,
    offline_hub,
)
from torch.nn.functional import pad

from openmed.encoding import Batch
from openmed.networks import LoraSpec, Tagger, build_tagger, load_tokenizer
from openmed.networks.network import cast_frozen

TEXTS = [
    "Aspirin (100 mg), ibuprofen (200 mg), and naproxen relieved headache in 12 patients.",
    "p53",
    "IL-2-induced proliferation of T-cells was blocked by cyclosporin A.",
    "Mutations of BRCA1 and BRCA2 predispose to breast cancer (OMIM: 114480), ovarian cancer (OMIM: 167000).",
]
NUM_TAGS = len(INFO.tags)


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(hub_cache: Path, name: str) -> Tagger:
    with offline_hub(hub_cache):
        return make_network(backbone_spec(name), LoraSpec(4, 8))


@pytest.fixture(scope="module")
def tokenizer(hub_cache: Path, name: str):
    with offline_hub(hub_cache):
        return load_tokenizer(backbone_spec(name))


def scores(network: Tagger, tokenizer, texts: list[str]) -> list[torch.Tensor]:
    """Of each text, when they go through together: (words, tags)."""
    batch = make_batch(tokenizer, texts)
    with torch.inference_mode():
        emissions = network(batch)
    rows = batch.positions // batch.input_ids.shape[1]
    return [emissions[rows == row] for row in range(len(texts))]


def padded(batch: Batch, by: int) -> Batch:
    """The same batch, `by` columns wider."""
    width = batch.input_ids.shape[1]
    return replace(
        batch,
        input_ids=pad(batch.input_ids, (0, by)),
        attention_mask=pad(batch.attention_mask, (0, by)),
        positions=batch.positions + by * (batch.positions // width),
    )


def test_each_owned_word_gets_one_score_per_tag_in_float32(network, tokenizer):
    batch = make_batch(tokenizer, TEXTS)
    emissions = network(batch)
    assert emissions.shape == (len(batch.positions), NUM_TAGS)
    assert emissions.dtype == torch.float32
    assert emissions.isfinite().all()


def test_words_are_told_apart(network, tokenizer):
    """So that the invariances below say something."""
    emissions = torch.cat(scores(network, tokenizer, TEXTS))
    assert emissions.std(dim=0).min() > 0.1


def test_scores_are_those_of_the_transformers_model_at_the_first_pieces(network, tokenizer):
    batch = make_batch(tokenizer, TEXTS)
    with torch.inference_mode():
        logits = network.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).logits
        torch.testing.assert_close(network(batch), logits.flatten(0, 1)[batch.positions], rtol=1e-5, atol=1e-5)


def test_padding_changes_no_score(network, tokenizer):
    batch = make_batch(tokenizer, TEXTS)
    with torch.inference_mode():
        torch.testing.assert_close(network(padded(batch, 96)), network(batch), rtol=1e-5, atol=1e-5)


def test_the_rest_of_the_batch_changes_no_score(network, tokenizer):
    together = scores(network, tokenizer, TEXTS)
    backwards = scores(network, tokenizer, TEXTS[::-1])[::-1]
    for number, text in enumerate(TEXTS):
        alone = scores(network, tokenizer, [text])[0]
        torch.testing.assert_close(together[number], alone, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(backwards[number], alone, rtol=1e-5, atol=1e-5)


def test_context_does_change_scores(network, tokenizer):
    """The network is no table of words: what the invariances hold for is attention."""
    alone = scores(network, tokenizer, ["aspirin"])[0]
    assert not torch.allclose(scores(network, tokenizer, ["aspirin relieves headache"])[0][:1], alone, atol=1e-3)


def test_bfloat16_scores_are_float32_and_near(hub, name, network, tokenizer):
    low = make_network(backbone_spec(name), LoraSpec(4, 8)).requires_grad_(False)
    cast_frozen(low.model, torch.bfloat16, vectors=True)
    batch = make_batch(tokenizer, TEXTS)
    with torch.inference_mode():
        emissions = low(batch)
    assert emissions.dtype == torch.float32
    with torch.inference_mode():
        difference = (emissions - network(batch)).abs()
    assert 0 < difference.max() < 0.25


def test_the_head_is_reached_through_its_dropout(bert):
    spec = local_spec(bert, dropout=0.0, attention_dropout=0.0)
    network = build_tagger(spec, None, num_tags=3, head_dropout=0.5)
    batch = make_batch(load_tokenizer(spec), ["aspirin"])
    assert not torch.allclose(network(batch), network(batch))
    assert torch.equal(network.eval()(batch), network(batch))


def test_the_longest_window_is_what_the_encoder_has_positions_for(network, name):
    assert network.max_pieces == (MAX_POSITIONS if name in ("bioelectra", "pubmedbert") else None)
