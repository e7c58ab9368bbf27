"""Adapters stand on exactly the layers meant, on no other; they and the head learn, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.backbones import FAMILIES, HUB_BACKBONES, NUM_LAYERS, backbone_spec, local_spec, make_batch, offline_hub
from torch import nn
from torch.nn.functional import cross_entropy

from openmed.errors import ConfigError
from openmed.modules.optim import OptimSpec, make_optimizer
from openmed.networks import LoraSpec, Tagger, build_tagger, load_tokenizer
from openmed.networks.backbone import load_encoder
from openmed.networks.lora import check_targets

LORA = LoraSpec(rank=4, alpha=8)
# backbone -> the linear layers of one encoder layer, and those of the paper's "query and value"
LINEAR = {
    **dict.fromkeys(["bioelectra", "pubmedbert", "pubmedbert_large"], ({"query", "key", "value", "dense"}, 6)),
    **dict.fromkeys(["deberta", "deberta_large"], ({"query_proj", "key_proj", "value_proj", "dense"}, 6)),
    "bioclinical_modernbert": ({"Wqkv", "Wo", "Wi"}, 4),
}
QUERY_VALUE = {
    **dict.fromkeys(["bioelectra", "pubmedbert", "pubmedbert_large"], ({"query", "value"}, 2)),
    **dict.fromkeys(["deberta", "deberta_large"], ({"query_proj", "value_proj"}, 2)),
    "bioclinical_modernbert": ({"Wqkv"}, 1),
}


@pytest.fixture(scope="module", params=FAMILIES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def network(hub: Path, name: str) -> Tagger:
    return build_tagger(backbone_spec(name), LORA, num_tags=5)


@pytest.fixture(scope="module")
def pretraining_models(hub_cache: Path) -> Iterator[dict[str, nn.Module]]:
    """By architecture, the models with their pretraining heads: all that a pattern might take by mistake."""
    import transformers

    with offline_hub(hub_cache):
        models = {}
        for name in FAMILIES:
            place = {
                "pretrained_model_name_or_path": backbone_spec(name).weights,
                "revision": backbone_spec(name).revision or "main",
            }
            kind = transformers.AutoConfig.from_pretrained(**place).architectures[0]
            models[HUB_BACKBONES[name]] = getattr(transformers, kind).from_pretrained(**place)
        yield models


def linear_layers(model: nn.Module) -> list[str]:
    return [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]


def endings(names: list[str]) -> set[str]:
    return {name.rsplit(".", 1)[1] for name in names}


def train_one_step(network: Tagger, tokenizer) -> None:
    batch = make_batch(tokenizer, ["aspirin relieves headache", "cisplatin is toxic"])
    optimizer = make_optimizer(network, OptimSpec(lr=1e-2, weight_decay=0.01))
    emissions = network(batch)
    cross_entropy(emissions, torch.arange(len(emissions)) % emissions.shape[1]).backward()
    optimizer.step()


# --- targets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backbone", sorted(HUB_BACKBONES))
def test_all_linear_is_every_linear_layer_of_the_encoders_layers(hub, backbone):
    model = model_of(backbone)
    kinds, number = LINEAR[backbone]
    taken = check_targets(model, backbone_spec(backbone).lora_targets["all_linear"], ["classifier"])
    assert len(taken) == NUM_LAYERS * number
    assert endings(taken) == kinds
    outside = set(linear_layers(model)) - set(taken)
    assert outside == {"classifier"} | ({"head.dense"} if "modernbert" in backbone else set())


@pytest.mark.parametrize("backbone", sorted(HUB_BACKBONES))
def test_query_value_is_those_two_projections_of_each_layer(hub, backbone):
    kinds, number = QUERY_VALUE[backbone]
    taken = check_targets(model_of(backbone), backbone_spec(backbone).lora_targets["query_value"], ["classifier"])
    assert len(taken) == NUM_LAYERS * number
    assert endings(taken) == kinds
    assert all("attention" in layer or ".attn." in layer for layer in taken)


@pytest.mark.parametrize("backbone", sorted(HUB_BACKBONES))
@pytest.mark.parametrize("targets", ["all_linear", "query_value"])
def test_neither_pooler_nor_pretraining_head_is_ever_a_target(pretraining_models, backbone, targets):
    model = pretraining_models[HUB_BACKBONES[backbone]]
    taken = check_targets(model, backbone_spec(backbone).lora_targets[targets], [])
    _, number = {"all_linear": LINEAR, "query_value": QUERY_VALUE}[targets][backbone]
    assert len(linear_layers(model)) > len(taken) == NUM_LAYERS * number


def model_of(backbone: str) -> nn.Module:
    """The large ones as their smaller siblings: their weights are not in the fake hub."""
    spec = backbone_spec(backbone.removesuffix("_large"))
    return load_encoder(spec, num_tags=5)


def test_peft_puts_adapters_on_the_targets_alone(network, name):
    adapted = {key.split(".lora_A.")[0] for key, _ in network.named_parameters() if ".lora_A." in key}
    assert len(adapted) == NUM_LAYERS * LINEAR[name][1]
    assert not [layer for layer in adapted if "classifier" in layer or layer.startswith("model.base_model.model.head")]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, r"lora\.rank=0.*lora=none"),
        ({"rank": -1}, r"lora\.rank=-1"),
        ({"alpha": 0}, r"lora\.alpha=0 would switch the adapters off"),
        ({"dropout": 1.0}, r"lora\.dropout=1\.0 is outside"),
        ({"rnak": 8}, r"unknown key lora\.rnak\. Did you mean 'rank'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        LoraSpec.from_mapping({"rank": 8, "alpha": 16, **settings})


@pytest.mark.parametrize("values", [None, {}, {"rank": None}])
def test_no_rank_is_no_lora(values):
    assert LoraSpec.from_mapping(values) is None


def test_an_unknown_set_of_targets_is_refused_with_the_nearest(bert):
    with pytest.raises(ConfigError, match=r"no lora\.targets=query_values\. Did you mean 'query_value'"):
        build_tagger(local_spec(bert), LoraSpec(4, 8, targets="query_values"), num_tags=3)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (r".*\.Wqkv", r"matches none of the 13 linear layers.*Names look like bert\.encoder\.layer\.0"),
        (r".*(query|classifier)", r"takes the head \(classifier\)"),
        (r".*\.layer\.\d+\..*", r"takes bert\.encoder\.layer\.0\.attention, which is no linear layer"),
    ],
    ids=["matches nothing", "takes the head", "takes other modules"],
)
def test_a_pattern_that_cannot_be_meant_is_refused(bert, pattern, message):
    with pytest.raises(ConfigError, match=message):
        build_tagger(local_spec(bert, lora_targets={"all_linear": pattern}), LORA, num_tags=3)


# --- what is trained ------------------------------------------------------------------------------------------------


def test_only_adapters_and_head_are_trainable(network, name):
    trainable = [key for key, parameter in network.named_parameters() if parameter.requires_grad]
    heads = [key for key in trainable if ".lora_" not in key]
    assert {key.split("base_model.model.")[1].split(".")[0] for key in heads} == (
        {"classifier", "head"} if "modernbert" in name else {"classifier"}
    )
    assert all(".modules_to_save." in key for key in heads)
    assert set(network.trainable_state()) == set(trainable)


def test_the_head_that_starts_from_nothing_is_the_classifier_alone(network):
    """ModernBERT's other head is pretrained, and learns at the adapters' rate."""
    assert sorted(tuple(parameter.shape) for parameter in network.head_parameters()) == [(5,), (5, 32)]


def test_without_lora_every_weight_is_trainable(hub, name):
    network = build_tagger(backbone_spec(name), None, num_tags=5)
    assert all(parameter.requires_grad for parameter in network.parameters())
    counted = network.num_parameters()
    assert counted["trainable_percent"] == 100
    assert counted["total"] == sum(parameter.numel() for parameter in network.parameters())


def test_pefts_spare_copy_of_the_head_is_not_counted(hub, network, name):
    plain = build_tagger(backbone_spec(name), None, num_tags=5).num_parameters()["total"]
    adapters = sum(p.numel() for key, p in network.named_parameters() if ".lora_" in key)
    heads = sum(p.numel() for key, p in network.named_parameters() if ".modules_to_save." in key)
    assert network.num_parameters() == {
        "total": plain + adapters,
        "trainable": adapters + heads,
        "trainable_percent": 100 * (adapters + heads) / (plain + adapters),
    }


def test_new_adapters_change_nothing(hub, network, name):
    """So training starts from the pretrained encoder."""
    batch = make_batch(load_tokenizer(backbone_spec(name)), ["aspirin relieves headache"])
    plain = build_tagger(backbone_spec(name), None, num_tags=5)
    hidden = [
        model.transformer.base_model(batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        for model in (plain.eval(), network.eval())
    ]
    torch.testing.assert_close(*hidden)


def test_one_step_moves_every_adapter_and_the_head_and_nothing_frozen(hub, network, name):
    before = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    train_one_step(network, load_tokenizer(backbone_spec(name)))
    moved = {key for key, tensor in network.state_dict().items() if not torch.equal(tensor, before[key])}
    assert {key for key in before if ".lora_B." in key} <= moved
    assert {key for key in before if ".modules_to_save." in key and key.endswith("weight")} <= moved
    assert moved <= set(network.trainable_state())


def test_without_lora_one_step_moves_the_encoder(hub, name):
    network = build_tagger(backbone_spec(name), None, num_tags=5)
    before = {key: parameter.detach().clone() for key, parameter in network.named_parameters()}
    train_one_step(network, load_tokenizer(backbone_spec(name)))
    matrices = {key for key in linear_layers(network)}
    still = [key for key in matrices if torch.equal(network.get_submodule(key).weight, before[f"{key}.weight"])]
    assert not still


@pytest.mark.parametrize("fast", [True, False])
def test_a_frozen_encoder_in_bfloat16_leaves_adapters_and_head_in_float32(hub, name, fast):
    """So too biases and norms, where autocast is relied on."""
    network = build_tagger(backbone_spec(name), LORA, num_tags=5, frozen_dtype=torch.bfloat16, fast=fast)
    encoder = f"model.base_model.model.{network.transformer.base_model_prefix}."
    for key, parameter in network.named_parameters():
        cast = key.startswith(encoder) and ".lora_" not in key and (fast or parameter.ndim > 1)
        assert parameter.dtype == (torch.bfloat16 if cast else torch.float32), key


@pytest.mark.parametrize("fast", [True, False])
def test_frozen_matrices_in_bfloat16_still_train_under_autocast(hub, name, fast):
    network = build_tagger(backbone_spec(name), LORA, num_tags=5, frozen_dtype=torch.bfloat16, fast=fast)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        train_one_step(network, load_tokenizer(backbone_spec(name)))
    assert all(tensor.any() for key, tensor in network.trainable_state().items() if ".lora_B." in key)
