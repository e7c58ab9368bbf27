"""The masked language model of each architecture: the same scores as transformers', trained where it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.backbones import FAMILIES, backbone_spec, local_spec, offline_hub, spread
from torch.nn.functional import cross_entropy

from openmed.encoding.masking import MaskedBatch, Masking
from openmed.networks import BackboneSpec, LoraSpec, load_tokenizer
from openmed.networks.backbone import load_masked_lm
from openmed.networks.masked_lm import MaskedLM, build_masked_lm


@pytest.fixture(scope="module", params=FAMILIES)
def spec(request: pytest.FixtureRequest, hub_cache: Path) -> Iterator[BackboneSpec]:
    with offline_hub(hub_cache):
        yield backbone_spec(request.param, dropout=0.0)


@pytest.fixture
def batch(spec: BackboneSpec) -> MaskedBatch:
    tokenizer = load_tokenizer(spec)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, len(tokenizer), size=(3, 40))
    return Masking.of(tokenizer, fraction=0.3, whole_words=False).batch(rows, rng)


def build(spec: BackboneSpec, lora: LoraSpec | None = LoraSpec(4, 8), **settings) -> MaskedLM:  # noqa: B008 (frozen)
    torch.manual_seed(5)
    network, _ = build_masked_lm(spec, lora, **settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        spread(network)
    return network


def learn(network: MaskedLM, batch: MaskedBatch) -> dict[str, torch.Tensor]:
    cross_entropy(network(batch).float(), batch.labels).backward()
    return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}


def test_scores_are_those_of_transformers(spec, batch):
    network = build(spec).eval()
    logits = network.model(batch.input_ids, attention_mask=batch.attention_mask).logits
    wanted = logits.flatten(0, 1)[batch.positions]
    assert network(batch).shape == (len(batch.labels), wanted.shape[-1])
    torch.testing.assert_close(network(batch), wanted, atol=2e-4, rtol=2e-4)


def test_quick_and_plain_learn_the_same(spec, batch):
    quick, plain = (learn(build(spec, fast=fast), batch) for fast in (True, False))
    assert quick.keys() == plain.keys()
    for name in plain:
        torch.testing.assert_close(quick[name], plain[name], atol=1e-4, rtol=1e-3)


def test_adapters_and_head_learn_and_the_tied_table_does_not(spec, batch):
    network = build(spec)
    gradients = learn(network, batch)
    assert any("lora_B" in name and grad.abs().sum() > 0 for name, grad in gradients.items())
    prefix = f"{network.transformer.base_model_prefix}."
    inside = {id(p) for n, p in network.transformer.named_parameters() if n.startswith(prefix) and "lora_" not in n}
    assert not inside & {id(p) for name, p in network.named_parameters() if name in gradients}
    assert not network.transformer.get_input_embeddings().weight.requires_grad
    table, decoder = network.transformer.get_input_embeddings(), network.transformer.get_output_embeddings()
    assert table.weight.data_ptr() == decoder.weight.data_ptr()
    heads = {id(p) for p in network.head_parameters()}
    assert heads == {id(p) for n, p in network.named_parameters() if p.requires_grad and "lora_" not in n}


def test_without_lora_all_of_it_learns_and_the_head_alone_on_demand(spec, batch):
    everything = learn(build(spec, None), batch)
    assert any("embeddings" in name for name in everything)
    head = build(spec, None, train_encoder=False)
    assert learn(head, batch).keys() == head.trainable_state().keys() - {"model.cls.predictions.decoder.bias"}
    assert 0 < head.num_parameters()["trainable_percent"] < 60


def test_scores_come_in_the_precision_of_the_encoders_products(spec, batch):
    frozen = build(spec, frozen_dtype=torch.bfloat16)
    whole = build(spec, None)
    assert frozen(batch).dtype == torch.bfloat16
    assert whole(batch).dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert whole(batch).dtype == frozen(batch).dtype == torch.bfloat16


def test_the_work_of_a_step_is_counted(spec):
    """By hand: weights of linear layers times 2 forward, 2 back through them, 2 for their own gradient."""
    network = build(spec)
    prefix = f"{network.transformer.base_model_prefix}."
    linear = {n: m.weight for n, m in network.transformer.named_modules() if isinstance(m, torch.nn.Linear)}
    inside = {n: w for n, w in linear.items() if n.startswith(prefix)}
    frozen = sum(w.numel() for w in inside.values() if not w.requires_grad)
    adapters = sum(w.numel() for w in inside.values() if w.requires_grad)
    outside = {n: w for n, w in linear.items() if n not in inside}
    head = sum((6 if w.requires_grad else 4) * w.numel() for w in outside.values())
    assert adapters
    assert network.flops_per_token(0.15) == pytest.approx(4 * frozen + 6 * adapters + 0.15 * head)
    alone = build(spec, None, train_encoder=False)
    assert alone.flops_per_token(0.5) == pytest.approx(2 * frozen + 0.5 * head)


def test_it_says_whether_the_head_came_with_the_weights(hub_cache, tmp_path):
    with offline_hub(hub_cache):
        found = {name: load_masked_lm(backbone_spec(name))[1] for name in FAMILIES}
    # In the fake hub BERT is saved with its pretraining heads, ELECTRA as a discriminator.
    assert found == {"bioclinical_modernbert": True, "bioelectra": False, "deberta": True, "pubmedbert": True}
    with offline_hub(hub_cache):
        model, _ = load_masked_lm(backbone_spec("pubmedbert"))
    model.bert.save_pretrained(tmp_path)
    assert load_masked_lm(local_spec(tmp_path))[1] is False
