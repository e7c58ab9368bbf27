"""Tiny random checkpoints of each architecture, as the hub has them, and a hub cache that holds them under real ids.

    folder = build_checkpoint(tmp_path / "bert", "bert")            # config.json, model.safetensors, tokenizer.json
    cache = fake_hub(tmp_path / "hub", hub_ids("deberta", "pubmedbert"))

`huggingface_hub` reads its variables once, when it is imported. So there are two ways to a fake hub:

- in a subprocess, `env={**os.environ, **hub_environment(cache)}`: HF_HUB_CACHE and HF_HUB_OFFLINE=1. (HF_HOME would do
  only where HF_HUB_CACHE is not set already.)
- in this process, `with offline_hub(cache):` sets the constants that those variables became. transformers 5.23 and
  huggingface_hub 2.4 look them up there on each call; PEFT 0.21 asks the environment, which is therefore set too.

A revision is found only as itself, and `main` through `refs/main`; both are what a real download leaves behind. The
checkpoints are those of pretraining: an encoder below a head (masked words, replaced tokens, a pooler) that a tagger
must leave behind, and, as in the real ones, more rows of embeddings than the tokenizer has tokens.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from openmed.artefact import save_artefact
from openmed.choices import conf_folder
from openmed.encoding import Batch, PieceEncoder, SpecialTokens, TaggingInfo, Units, collate, encode_documents
from openmed.networks import BackboneSpec, LoraSpec, Tagger, build_tagger, load_tokenizer
from openmed.spans import Document
from tests.tokenizers import build_byte_bpe, build_unigram, build_wordpiece, save_tokenizer

HIDDEN = 32
NUM_LAYERS = 2
MAX_POSITIONS = 512
MAIN = "5" * 40
"""The commit that `main` is at in a fake hub."""

INFO = TaggingInfo(types=("Chemical", "Disease"), splitter="punctuation", max_pieces=32, overlap=8)
"""Two types, and windows so short that a few sentences need several."""

_SIZES: dict[str, Any] = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": NUM_LAYERS,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": MAX_POSITIONS,
}
_DEBERTA_V3: dict[str, Any] = {  # as in microsoft/deberta-v3-base
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "max_relative_positions": -1,
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_MODERNBERT: dict[str, Any] = {"local_attention": 16, "global_attn_every_n_layers": 2}  # a layer of each kind
# transformers' name of the architecture -> its pretraining model, its tokenizer, its config beside the sizes
_ARCHITECTURES: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "bert": ("BertForPreTraining", build_wordpiece, {}),
    "deberta-v2": ("DebertaV2ForMaskedLM", build_unigram, _DEBERTA_V3),
    "electra": ("ElectraForPreTraining", build_wordpiece, {"embedding_size": HIDDEN}),
    "modernbert": ("ModernBertForMaskedLM", build_byte_bpe, _MODERNBERT),
}
# conf/backbone/<name>.yaml whose weights come from the hub -> architecture
HUB_BACKBONES = {
    "bioclinical_modernbert": "modernbert",
    "bioelectra": "electra",
    "deberta": "deberta-v2",
    "deberta_large": "deberta-v2",
    "pubmedbert": "bert",
    "pubmedbert_large": "bert",
}
FAMILIES = ("bioclinical_modernbert", "bioelectra", "deberta", "pubmedbert")
"""One backbone of each architecture."""


def backbone_spec(name: str, /, **changes: Any) -> BackboneSpec:
    """The spec of `conf/backbone/<name>.yaml`, with changes."""
    values = yaml.safe_load((conf_folder() / "backbone" / f"{name}.yaml").read_text(encoding="utf-8"))
    return BackboneSpec.from_mapping({**values, **changes})


def local_spec(folder: Path, **changes: Any) -> BackboneSpec:
    """The spec of the YAML of a checkpoint's architecture, with the weights of the folder."""
    architecture = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    name = next(name for name in FAMILIES if HUB_BACKBONES[name] == architecture)
    return backbone_spec(name, **{"weights": str(folder), "revision": None, **changes})


def build_checkpoint(folder: Path, architecture: str, *, seed: int = 0) -> Path:
    """A tiny random checkpoint in Hugging Face form; the same seed gives the same weights."""
    import transformers

    name, build_tokenizer, details = _ARCHITECTURES[architecture]
    tokenizer = build_tokenizer()
    special = {"pad": "pad", "cls": "cls", "sep": "sep", "bos": "cls", "eos": "sep"}
    config = transformers.AutoConfig.for_model(
        architecture,
        vocab_size=len(tokenizer) + 3,
        **{f"{role}_token_id": getattr(tokenizer, f"{token}_token_id") for role, token in special.items()},
        **_SIZES,
        **details,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = getattr(transformers, name)(config)
        spread(model)
    model.save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    return folder


def hub_ids(*names: str) -> dict[str, tuple[str, str | None]]:
    """For `fake_hub`: the ids, architectures and revisions of backbones of conf/ (all by default)."""
    specs = {name: backbone_spec(name) for name in names or HUB_BACKBONES}
    return {spec.weights: (HUB_BACKBONES[name], spec.revision) for name, spec in specs.items()}


def fake_hub(folder: Path, models: Mapping[str, tuple[str, str | None]]) -> Path:
    """Lay out a hub cache in the folder: {hub id: (architecture, 40-hex revision, or None for `main`)}."""
    for hub_id, (architecture, revision) in models.items():
        repository = folder / f"models--{hub_id.replace('/', '--')}"
        build_checkpoint(repository / "snapshots" / (revision or MAIN), architecture)
        if revision is None:
            (repository / "refs").mkdir()
            (repository / "refs" / "main").write_text(MAIN, encoding="utf-8")
    return folder


def hub_environment(cache: Path) -> dict[str, str]:
    """Variables with which a subprocess sees this hub, and no other."""
    return {"HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"}


@contextmanager
def offline_hub(cache: Path) -> Iterator[None]:
    """Inside, this process sees this hub, and no other."""
    import huggingface_hub.constants

    with pytest.MonkeyPatch.context() as patch:
        for name, value in hub_environment(cache).items():
            patch.setenv(name, value)
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        yield


def spread(model: torch.nn.Module) -> None:
    """Make what is trainable large and random. As it comes, words look alike, and adapters change nothing."""
    for parameter in model.parameters():
        if parameter.requires_grad and parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.2)


def make_network(spec: BackboneSpec, lora: LoraSpec | None, *, seed: int = 0) -> Tagger:
    """A tagger for `INFO` as if it had been trained: adapters and head random, in evaluation mode."""
    network = build_tagger(spec, lora, num_tags=len(INFO.tags))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        spread(network)
    return network.eval()


def make_batch(tokenizer, texts: Sequence[str]) -> Batch:
    """Each text a window of its own; owned words in the order of the texts."""
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    encoded = encode_documents(documents, encoder=PieceEncoder(tokenizer), splitter=INFO.splitter)
    windows = Units(documents, encoded, "documents").windows(capacity=MAX_POSITIONS - 2, overlap=0)
    return collate(encoded, windows, SpecialTokens.of(tokenizer))


def save_model(folder: Path, spec: BackboneSpec, *, lora: LoraSpec | None = None, seed: int = 0) -> Path:
    """A run's `model/` folder. Without LoRA it needs nothing else; with LoRA, the weights of `spec`."""
    network = make_network(spec, lora, seed=seed)
    save_artefact(
        folder, network, load_tokenizer(spec), info=INFO, backbone=spec, provenance={"dataset": {"name": "none"}}
    )
    return folder
