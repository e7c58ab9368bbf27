"""The quick forwards give what PEFT's and transformers' own give: scores and every gradient, for each architecture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tests.backbones import FAMILIES, INFO, backbone_spec, make_batch, offline_hub, spread
from torch import nn
from torch.nn.functional import cross_entropy, layer_norm, softmax

from openmed.encoding import Batch
from openmed.networks import LoraSpec, Tagger, build_tagger, load_tokenizer
from openmed.networks.fast.attention import ATTENTION, additive_mask, attend
from openmed.networks.fast.dropout import Dropout, keep_mask
from openmed.networks.fast.lora import lora_forward
from openmed.networks.fast.residual import add_and_norm

TEXTS = [
    "Aspirin (100 mg), ibuprofen (200 mg), and naproxen relieved headache in 12 patients.",
    "p53",
    "IL-2-induced proliferation of T-cells was blocked by cyclosporin A.",
]
BERT_LIKE = ("bioelectra", "pubmedbert")


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest, hub_cache: Path) -> Iterator[str]:
    with offline_hub(hub_cache):
        yield request.param


@pytest.fixture
def batch(name: str) -> Batch:
    return make_batch(load_tokenizer(backbone_spec(name)), TEXTS)


def build(name: str, *, fast: bool, dtype: torch.dtype = torch.float32, targets: str = "all_linear") -> Tagger:
    """Adapters that already do something, no dropout anywhere, the same weights in each build."""
    torch.manual_seed(3)
    spec = backbone_spec(name, dropout=0.0)
    network = build_tagger(
        spec, LoraSpec(4, 8, targets=targets), num_tags=len(INFO.tags), frozen_dtype=dtype, fast=fast
    )
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.2)
    return network


def learn(network: Tagger, batch: Batch, *, autocast: bool = False) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Scores of the words, and the gradients of a loss on made-up tags."""
    tags = torch.arange(len(batch.positions)) % len(INFO.tags)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        scores = network(batch)
    cross_entropy(scores, tags).backward()
    gradients = {n: p.grad for n, p in network.named_parameters() if p.requires_grad}
    assert all(gradient is not None for gradient in gradients.values())
    return scores.detach(), gradients  # pyright: ignore[reportReturnType]


@pytest.mark.parametrize("targets", ["all_linear", "query_value"])
def test_scores_and_gradients_are_the_references_in_float32(name, batch, targets):
    assert not batch.attention_mask.all(), "padding is part of the test"
    scores, gradients = learn(build(name, fast=True, targets=targets), batch)
    expected_scores, expected = learn(build(name, fast=False, targets=targets), batch)
    torch.testing.assert_close(scores, expected_scores, rtol=1e-4, atol=1e-5)
    assert gradients.keys() == expected.keys()
    for key, gradient in gradients.items():
        scale = float(expected[key].abs().max())
        assert float((gradient - expected[key]).abs().max()) <= 1e-4 * scale + 1e-9, key


def test_bfloat16_is_as_near_to_float32_as_the_references_autocast_is(name, batch):
    exact, exact_gradients = learn(build(name, fast=False), batch)
    quick, quick_gradients = learn(build(name, fast=True, dtype=torch.bfloat16), batch)
    reference, reference_gradients = learn(build(name, fast=False, dtype=torch.bfloat16), batch, autocast=True)

    def error(gradients: dict[str, torch.Tensor]) -> float:
        wrong = sum(float((gradients[k] - g).square().sum()) for k, g in exact_gradients.items())
        return (wrong / sum(float(g.square().sum()) for g in exact_gradients.values())) ** 0.5

    assert 0 < error(quick_gradients) < 2 * error(reference_gradients) + 0.01
    assert float((quick - exact).abs().max()) < 3 * float((reference - exact).abs().max()) + 0.01


def test_autocast_over_a_frozen_encoder_in_float32_gives_what_the_reference_gives(name, batch):
    """As from Python, where `frozen_dtype` is left alone and the Trainer's precision is bf16-mixed."""
    scores, gradients = learn(build(name, fast=True), batch, autocast=True)
    expected_scores, expected = learn(build(name, fast=False), batch, autocast=True)
    assert float((scores - expected_scores).abs().max()) < 0.1 * float(expected_scores.abs().max())
    flat, flat_expected = (torch.cat([tensors[k].flatten() for k in expected]) for tensors in (gradients, expected))
    assert float(torch.cosine_similarity(flat, flat_expected, dim=0)) > 0.98


def test_the_quick_code_is_in_place_where_it_should_be_and_off_on_request(name):
    quick, plain = build(name, fast=True), build(name, fast=False)
    assert (quick.transformer.config._attn_implementation == ATTENTION) == (name in BERT_LIKE)
    adapters = [m for m in quick.modules() if hasattr(m, "lora_A")]
    assert adapters
    assert all("forward" in vars(m) for m in adapters)
    assert not any("forward" in vars(m) for m in plain.modules())
    assert not any(type(m) is nn.Dropout for m in quick.transformer.base_model.modules())
    assert not any(isinstance(m, Dropout) for m in plain.modules())
    assert quick.state_dict().keys() == plain.state_dict().keys()


def test_loras_dropout_reaches_the_adapter_alone(name, batch):
    """With B at zero this dropout changes no score; with B elsewhere it does."""
    spec = backbone_spec(name, dropout=0.0)
    network = build_tagger(spec, LoraSpec(4, 8, dropout=0.5), num_tags=3)
    assert torch.equal(network(batch), network(batch))
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "lora_B" in key:
                parameter.normal_()
    assert not torch.allclose(network(batch), network(batch))
    assert torch.equal(network.eval()(batch), network(batch))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_loras_dropout_is_that_of_the_formula(dtype, training):
    torch.manual_seed(0)
    rate, scale = 0.3, 2.0
    base = nn.Linear(24, 10, dtype=dtype).requires_grad_(False)
    a, b = nn.Linear(24, 4, bias=False), nn.Linear(4, 10, bias=False)
    dropout = nn.Dropout(rate).train(training)
    layer = SimpleNamespace(merged=False, disable_adapters=False, active_adapters=["default"], base_layer=base,
                            lora_dropout={"default": dropout}, scaling={"default": scale},
                            lora_A={"default": a}, lora_B={"default": b})  # fmt: skip
    x = torch.randn(5, 7, 24, dtype=dtype, requires_grad=True)
    dy = torch.randn(5, 7, 10, dtype=dtype)
    torch.manual_seed(1)
    y = lora_forward(layer, x)
    found = torch.autograd.grad(y, (x, a.weight, b.weight), dy)

    torch.manual_seed(1)
    mask = keep_mask(x, rate).view_as(x).float() / (1 - rate) if training else torch.ones(x.shape)
    exact = x.detach().float().requires_grad_()
    expected = nn.functional.linear(exact, base.weight.float(), base.bias.float()) + scale * b(a(exact * mask))
    wanted = torch.autograd.grad(expected, (exact, a.weight, b.weight), dy.float())
    assert y.dtype == found[0].dtype == dtype
    near = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 0.03, "atol": 0.15}
    for got, want in ((y, expected), *zip(found, wanted, strict=True)):
        torch.testing.assert_close(got.float(), want, **near)


def test_switched_off_adapters_leave_the_base_model(name, batch):
    network = build(name, fast=True).eval()
    with network.model.disable_adapter():  # pyright: ignore[reportCallIssue]
        without = network(batch)
    assert not torch.allclose(network(batch), without)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "lora_B" in key:
                parameter.zero_()
    saved = network(batch)
    with network.model.disable_adapter():  # pyright: ignore[reportCallIssue]
        torch.testing.assert_close(network(batch), without)
    assert saved.shape == without.shape


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.5, 0.999999])
def test_masks_keep_the_right_share_and_follow_the_seed(rate):
    like = torch.empty(400, 1001, dtype=torch.bfloat16)
    torch.manual_seed(5)
    mask = keep_mask(like, rate)
    assert mask.shape == like.shape
    assert mask.dtype == like.dtype
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    tolerance = 4 * (rate * (1 - rate) / like.numel()) ** 0.5 + 2e-5
    assert float(mask.float().mean()) == pytest.approx(1 - rate, abs=tolerance)
    assert not torch.equal(keep_mask(like, 0.5), keep_mask(like, 0.5))
    torch.manual_seed(5)
    assert torch.equal(keep_mask(like, rate), mask)


def test_dropout_scales_what_it_keeps_and_its_gradient_alike():
    x = torch.ones(64, 64, requires_grad=True)
    y = Dropout(0.25)(x)
    y.sum().backward()
    assert y.detach().unique().tolist() == pytest.approx([0, 4 / 3])
    assert x.grad is not None
    assert torch.equal(x.grad, y.detach())
    assert torch.equal(Dropout(0.25).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_layer_ends_are_dropout_residual_and_norm(rate):
    torch.manual_seed(0)
    h, residual = (torch.randn(3, 5, 16, dtype=torch.float64, requires_grad=True) for _ in range(2))
    norm = nn.LayerNorm(16, dtype=torch.float64).requires_grad_(False)
    spread(norm)

    def quick(h: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(1)
        return add_and_norm(h, residual, norm, rate=rate)

    torch.manual_seed(1)
    mask = keep_mask(h, rate) / (1 - rate) if rate else torch.ones_like(h)
    expected = layer_norm(h * mask + residual, (16,), norm.weight, norm.bias, norm.eps)
    torch.testing.assert_close(quick(h, residual), expected)
    assert torch.autograd.gradcheck(quick, (h, residual))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_softmax_of_scaled_products(masked):
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, 6, 4, dtype=torch.float64, requires_grad=True) for _ in range(3))
    ones = torch.ones(2, 6, dtype=torch.int64)
    if masked:
        ones[1, 4:] = 0
    mask = additive_mask(ones, torch.float64)
    assert (mask is None) != masked

    def quick(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return attend(nn.Identity(), q, k, v, mask, scaling=0.3)[0]

    scores = (q @ k.transpose(2, 3) * 0.3).masked_fill(ones[:, None, None, :] == 0, -torch.inf)
    torch.testing.assert_close(quick(q, k, v), (softmax(scores, -1) @ v).transpose(1, 2))
    assert torch.autograd.gradcheck(quick, (q, k, v))


def test_a_dropout_on_attention_weights_keeps_transformers_attention(hub_cache):
    with offline_hub(hub_cache):
        spec = backbone_spec("pubmedbert", attention_dropout=0.1)
        network = build_tagger(spec, LoraSpec(4, 8), num_tags=3)
    assert network.transformer.config._attn_implementation == spec.attention


def test_training_all_weights_leaves_norms_and_products_alone(hub_cache):
    with offline_hub(hub_cache):
        network = build_tagger(backbone_spec("pubmedbert"), None, num_tags=3)
    assert not any("forward" in vars(module) for module in network.modules())
    assert any(isinstance(module, Dropout) for module in network.modules())
