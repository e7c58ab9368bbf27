"""A model folder gives the same scores back, needs no more than it says, and is refused when it is not whole."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from tests.backbones import (
    FAMILIES,
    INFO,
    MAIN,
    backbone_spec,
    build_checkpoint,
    local_spec,
    make_batch,
    make_network,
    save_model,
)
from torch import nn

from openmed.artefact import MANIFEST, SCHEMA_VERSION, load_artefact, save_artefact
from openmed.errors import ArtefactError
from openmed.networks import BackboneSpec, LoraSpec, Tagger, load_tokenizer

LORA = LoraSpec(rank=4, alpha=8)
TEXTS = ["Aspirin (100 mg) relieves headache.", "IL-2-induced proliferation of T-cells."]


@pytest.fixture
def folder(tmp_path: Path, bert: Path) -> Path:
    """A LoRA model of the test's own, to be broken."""
    return save_model(tmp_path / "model", local_spec(bert), lora=LORA)


def scores(network: Tagger, tokenizer) -> torch.Tensor:
    with torch.inference_mode():
        return network(make_batch(tokenizer, TEXTS))


def save(folder: Path, network: Tagger, tokenizer, backbone: BackboneSpec, **provenance: object) -> None:
    save_artefact(folder, network, tokenizer, info=INFO, backbone=backbone, provenance=provenance)


def rewrite(folder: Path, **changes: object) -> None:
    """Change keys of openmed.json, as a hand would."""
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**content, **changes}), encoding="utf-8")


# --- what comes back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
@pytest.mark.parametrize("name", FAMILIES)
def test_saved_and_loaded_again_it_gives_the_same_scores(hub, tmp_path, name, lora):
    spec = backbone_spec(name)
    network, tokenizer = make_network(spec, lora), load_tokenizer(spec)
    expected = scores(network, tokenizer)
    save(tmp_path / "model", network, tokenizer, spec, dataset={"name": "none"}, seed=7)
    for merge in (True, False):
        artefact = load_artefact(tmp_path / "model", merge=merge)
        assert not artefact.network.training
        assert any("lora" in key for key in artefact.network.state_dict()) == (lora is not None and not merge)
        torch.testing.assert_close(scores(artefact.network, artefact.tokenizer), expected, rtol=1e-5, atol=1e-5)
    assert artefact.info == INFO
    assert artefact.manifest.provenance == {"dataset": {"name": "none"}, "seed": 7}
    assert artefact.manifest.base_digest == network.base_digest
    assert artefact.manifest.backbone["revision"] == (spec.revision or MAIN)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_adapter_loads_with_plain_peft(hub, tmp_path, name):
    """Somebody without this package gets the same logits."""
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    spec = backbone_spec(name)
    network = make_network(spec, LORA)
    save(tmp_path / "model", network, load_tokenizer(spec), spec)
    config = json.loads((tmp_path / "model" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == spec.weights
    base = AutoModelForTokenClassification.from_pretrained(
        config["base_model_name_or_path"], revision=config["revision"], num_labels=len(INFO.tags)
    )
    model = PeftModel.from_pretrained(base, str(tmp_path / "model")).eval()
    batch = AutoTokenizer.from_pretrained(tmp_path / "model")(TEXTS, padding=True, return_tensors="pt")
    batch.pop("token_type_ids", None)
    with torch.inference_mode():
        torch.testing.assert_close(model(**batch).logits, network.model(**batch).logits, rtol=1e-5, atol=1e-5)


def test_full_weights_load_with_plain_transformers_and_name_the_tags(model_folder):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    model = AutoModelForTokenClassification.from_pretrained(model_folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    assert model.config.id2label == dict(enumerate(INFO.tags))
    ours = load_artefact(model_folder).network
    torch.testing.assert_close(scores(Tagger(model), tokenizer), scores(ours, tokenizer))


def test_random_layers_are_made_again_under_the_adapter(bert, tmp_path):
    spec = local_spec(bert, random_layers=1, random_config={"hidden_size": 16, "intermediate_size": 8})
    network, tokenizer = make_network(spec, LORA), load_tokenizer(spec)
    save(tmp_path / "model", network, tokenizer, spec)
    torch.testing.assert_close(scores(load_artefact(tmp_path / "model").network, tokenizer), scores(network, tokenizer))


def test_frozen_matrices_in_bfloat16_lose_nothing_that_was_trained(bert, tmp_path):
    """The base comes back in float32, as it was before it was cast for training."""
    from openmed.networks.network import cast_frozen

    network, tokenizer = make_network(local_spec(bert), LORA), load_tokenizer(local_spec(bert))
    expected = scores(network, tokenizer)
    cast_frozen(network.model, torch.bfloat16, vectors=True)
    save(tmp_path / "model", network, tokenizer, local_spec(bert))
    torch.testing.assert_close(scores(load_artefact(tmp_path / "model").network, tokenizer), expected)


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_folder_holds_neither_pickles_nor_paths_of_this_machine(hub, tmp_path, name, lora):
    folder = save_model(tmp_path / "model", backbone_spec(name), lora=lora)
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    for path in folder.iterdir():
        for place in (tmp_path, hub, Path.cwd(), Path.home()):
            assert f"{place}{os.sep}".encode() not in path.read_bytes(), path.name
            assert f'{place}"'.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("lora", [LORA, None], ids=["lora", "full"])
def test_whoever_the_umask_lets_read_can_read_all_of_it(bert, tmp_path, lora):
    before = os.umask(0o027)
    try:
        folder = save_model(tmp_path / "model", local_spec(bert), lora=lora)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o640}


def test_the_adapter_is_small(hub, tmp_path):
    """Neither the encoder nor its embeddings come along, and the hub is not asked for them."""
    from safetensors.torch import load_file

    folder = save_model(tmp_path / "model", backbone_spec("deberta"), lora=LORA)
    saved = load_file(folder / "adapter_model.safetensors")
    assert {key.split(".")[-2] for key in saved} == {"lora_A", "lora_B", "classifier"}


def test_saving_an_adapter_asks_the_hub_for_nothing(hub, tmp_path, monkeypatch):
    from huggingface_hub import constants

    network, tokenizer = make_network(backbone_spec("deberta"), LORA), load_tokenizer(backbone_spec("deberta"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.utils._http.get_session", lambda: pytest.fail("a request to the hub"))
    save(tmp_path / "model", network, tokenizer, backbone_spec("deberta"))


# --- what is refused ------------------------------------------------------------------------------------------------


def refused(folder: Path, message: str) -> None:
    """With a mend, in one paragraph."""
    with pytest.raises(ArtefactError, match=message) as caught:
        load_artefact(folder)
    assert caught.value.mend
    assert "\n" not in str(caught.value)


def test_another_schema_version(folder):
    rewrite(folder, schema_version=SCHEMA_VERSION + 1)
    refused(folder, rf"schema version {SCHEMA_VERSION + 1}, this openmed reads {SCHEMA_VERSION}")


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    refused(folder, f"lacks {name}")


def test_a_file_cut_off(folder):
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    refused(folder, r"adapter_model\.safetensors differs from what was saved")


def test_one_altered_number_in_the_adapter(folder):
    path = folder / "adapter_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    refused(folder, r"adapter_model\.safetensors differs from what was saved")


def test_an_altered_manifest(folder):
    labels = ["O", "B-Disease", "I-Disease", "B-Chemical", "I-Chemical"]
    rewrite(folder, labels=labels)
    refused(folder, r"openmed\.json was changed after it was written")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]"], ids=["cut off", "not text", "not an object"])
def test_a_manifest_that_is_none(folder, content):
    (folder / MANIFEST).write_bytes(content)
    refused(folder, r"openmed\.json is not")


def test_a_folder_half_written(folder):
    """The manifest comes last."""
    (folder / MANIFEST).unlink()
    refused(folder, r"only half written: it has no openmed\.json")


def test_the_run_folder_instead_of_its_model(folder):
    with pytest.raises(ArtefactError, match="Did you mean") as caught:
        load_artefact(folder.parent)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere", f"model/{MANIFEST}"])
def test_what_is_not_a_folder(folder, name):
    refused(folder.parent / name, "is not a folder")


def test_other_base_weights_than_those_it_was_trained_on(tmp_path):
    """An adapter on another base gives garbage without an error."""
    base = build_checkpoint(tmp_path / "base", "bert")
    folder = save_model(tmp_path / "model", local_spec(base), lora=LORA)
    build_checkpoint(base, "bert", seed=1)
    refused(folder, "trained on other weights of .* than those found now")


# --- whole or not at all --------------------------------------------------------------------------------------------


def test_an_existing_folder_is_replaced_whole(bert, folder):
    (folder / "left_over.bin").write_bytes(b"")
    save_model(folder, local_spec(bert), seed=1)
    assert load_artefact(folder).manifest.kind == "full"
    assert not (folder / "left_over.bin").exists()
    assert not (folder / "adapter_model.safetensors").exists()
    assert list(folder.parent.iterdir()) == [folder]


def test_a_full_disk_leaves_the_old_folder_as_it_was(bert, folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    spec = local_spec(bert)
    network, tokenizer = make_network(spec, LORA, seed=1), load_tokenizer(spec)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tokenizer, "save_pretrained", fail)  # after the weights, before the manifest
    with pytest.raises(OSError, match="No space left"):
        save(folder, network, tokenizer, spec)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]


def test_saving_leaves_the_network_as_it_was(bert, tmp_path):
    """A run goes on after its best epoch was saved."""
    network = make_network(local_spec(bert), LORA).train()
    before: dict[str, nn.Parameter] = {key: value.clone() for key, value in network.state_dict().items()}
    save(tmp_path / "model", network, load_tokenizer(local_spec(bert)), local_spec(bert))
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
