"""Last hidden states made larger: a language model predicts what it did, on states that are larger by the factor."""

from __future__ import annotations

import pytest
import torch
from tests.backbones import HUB_BACKBONES, build_checkpoint, local_spec

from openmed.networks.backbone import load_encoder, load_masked_lm
from openmed.networks.hidden_scale import keeps_size, scale_hidden

IDS = torch.tensor([[2, 7, 11, 9, 13, 3]])
FACTOR = 2.5


@pytest.fixture(params=sorted(set(HUB_BACKBONES.values())))
def spec(request, tmp_path):
    return local_spec(build_checkpoint(tmp_path / "base", request.param))


@torch.no_grad()
def test_states_grow_and_predictions_stay(spec):
    model = load_masked_lm(spec)[0].eval()
    states, logits = model.base_model(IDS).last_hidden_state, model(IDS).logits
    scale_hidden(model, FACTOR)
    grown = FACTOR if keeps_size(model) else 1.0
    torch.testing.assert_close(model.base_model(IDS).last_hidden_state, grown * states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model(IDS).logits, logits, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_tagger_has_no_head_that_takes_it_back(spec):
    model = load_encoder(spec, num_tags=3).eval()
    states = model.base_model(IDS).last_hidden_state
    scale_hidden(model, FACTOR)
    grown = FACTOR if keeps_size(model) else 1.0
    torch.testing.assert_close(model.base_model(IDS).last_hidden_state, grown * states, atol=1e-5, rtol=1e-5)


def test_only_modernbert_takes_its_head_along(spec):
    model = load_encoder(spec, num_tags=3)
    assert keeps_size(model) != hasattr(model, "head")


def test_a_factor_of_one_changes_nothing(spec):
    model = load_masked_lm(spec)[0]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    scale_hidden(model, 1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
