"""The NER module by itself: loss, schedule, optimiser groups, checkpoints."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from tests.backbones import build_checkpoint, local_spec, make_batch

from openmed.encoding import IGNORE
from openmed.errors import ConfigError
from openmed.modules import NerModule
from openmed.modules.optim import OptimSpec, make_optimizer
from openmed.modules.schedule import factor

INFO = {"types": ["Disease"], "splitter": "punctuation", "max_pieces": 64, "overlap": 8}


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return local_spec(build_checkpoint(tmp_path_factory.mktemp("bert") / "model", "bert"), dropout=0.0)


def make_module(spec, **settings) -> NerModule:
    lora = settings.pop("lora", {"rank": 4, "alpha": 8})
    optim = {"lr": 1e-2, **settings.pop("optim", {})}
    return NerModule(backbone=spec.as_dict(), lora=lora, optim=optim, info=INFO, unit="sentences", **settings)


def test_hyperparameters_are_plain_data(bert):
    import json

    assert json.loads(json.dumps(make_module(bert).hparams))["unit"] == "sentences"


def test_loss_is_smoothed_and_skips_words_without_gold(bert):
    module = make_module(bert, label_smoothing=0.2)
    scores = torch.tensor([[2.0, 0.0, 0.0], [9.0, 9.0, 9.0]])
    log_probs = torch.log_softmax(scores[0], dim=0)
    wanted = -(0.8 * log_probs[0] + 0.2 * log_probs.mean())
    assert module.loss(scores, torch.tensor([0, IGNORE])) == pytest.approx(wanted.item(), rel=1e-6)


def test_a_few_steps_learn_a_sentence_by_heart(bert):
    from openmed.networks import load_tokenizer

    torch.manual_seed(0)
    module = make_module(bert, label_smoothing=0.0)
    batch = make_batch(load_tokenizer(bert), ["the patient has a fever today"])
    gold = torch.tensor([0, 0, 0, 0, 1, 0])
    optimizer = module.configure_optimizers()
    losses = []
    for _ in range(60):
        loss = module.loss(module(batch), gold)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < losses[0]


def test_head_and_adapters_have_rates_of_their_own(bert):
    module = make_module(bert, optim={"lr": 1e-3, "head_lr": 5e-2, "weight_decay": 0.1})
    groups = module.configure_optimizers().param_groups
    rates = {(group["peak_lr"], group["weight_decay"]): len(group["params"]) for group in groups}
    assert rates == {(1e-3, 0.1): 2 * 6 * 2, (5e-2, 0.1): 1, (5e-2, 0.0): 1}  # A and B of 6 matrices in 2 layers
    assert sum(rates.values()) == sum(p.requires_grad for p in module.network.parameters())


def test_full_fine_tuning_trains_everything_and_spares_vectors_from_decay(bert):
    module = make_module(bert, lora=None, optim={"weight_decay": 0.1})
    assert module.network.num_parameters()["trainable_percent"] == 100
    for group in make_optimizer(module.network, OptimSpec(lr=1e-3, weight_decay=0.1)).param_groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])


def test_checkpoint_of_another_setting_is_refused(bert):
    checkpoint: dict = {}
    make_module(bert).on_save_checkpoint(checkpoint)
    make_module(bert).on_load_checkpoint(copy.deepcopy(checkpoint))
    with pytest.raises(ConfigError, match="differ in"):
        make_module(bert, lora=None).on_load_checkpoint(checkpoint)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_schedule_rises_then_falls(schedule):
    values = [factor(i / 100, warmup_fraction=0.1, schedule=schedule) for i in range(101)]
    assert values[0] == 0
    assert values[5] == pytest.approx(0.5)
    assert values[10] == 1
    assert values[10:] == sorted(values[10:], reverse=True)
    assert values[-1] == pytest.approx(1.0 if schedule == "constant" else 0.0, abs=1e-12)


def test_cosine_is_a_cosine():
    assert factor(0.55, warmup_fraction=0.1, schedule="cosine") == pytest.approx(0.5)
    assert factor(0.325, warmup_fraction=0.1, schedule="cosine") == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "above 0"),
        ({"lr": 1e-3, "weight_decay": -1.0}, "negative"),
        ({"lr": 1e-3, "warmup_fraction": 1.0}, "outside 0..1"),
        ({"lr": 1e-3, "schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"lr": 1e-3, "momentum": 0.9}, "unknown key optim.momentum"),
        ({}, "optim.lr is missing"),
    ],
)
def test_impossible_optimisers_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        OptimSpec.from_mapping(settings)
