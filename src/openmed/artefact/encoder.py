"""What pre-training leaves behind: an encoder in plain Hugging Face form, and the bare adapter beside it.

    encoder/     config.json, model.safetensors (adapter merged), tokenizer, README.md (lineage), openmed.json
    adapter/     PEFT's own format, openmed.json with the backbone that it belongs to

`backbone.weights=` takes either; `lineage` tells which run made it.

    save_encoder(folder / "encoder", network, tokenizer, backbone=spec, lora=lora, provenance={...})
    lineage("outputs/.../encoder")      # ["1a2b3c4d"], the run's id
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from openmed.networks.hidden_scale import scaled_tensors
from openmed.networks.lora import LoraSpec, quiet_peft
from openmed.networks.masked_lm import MaskedLM, build_masked_lm
from openmed.networks.spec import BackboneSpec
from openmed.networks.weights import HIDDEN_SCALE, LINEAGE
from openmed.writers.atomic import atomic_path

KIND = "encoder"
SCHEMA_VERSION = 1


def save_encoder(
    folder: str | PathLike[str],
    network: MaskedLM,
    tokenizer: Any,
    *,
    backbone: BackboneSpec,
    lora: LoraSpec | None,
    train_encoder: bool = True,
    hidden_scale: float = 1.0,
    provenance: Mapping[str, Any],
) -> None:
    """Write the whole model, adapter merged, in float32; whole or not at all.

    What was trained is put into weights loaded anew: the frozen ones at hand were rounded to bfloat16.

    Args:
        lora: of the adapters; None where there are none.
        train_encoder: whether anything but the head was trained.
        hidden_scale: what the last hidden states are scaled by (`openmed.networks.hidden_scale`).
        provenance: JSON-like facts: run_id, dataset {name, mix, index, counts}, perplexities, versions, parents.
    """
    model = network.transformer
    if lora is not None or not train_encoder:
        fresh, _ = build_masked_lm(backbone, lora, train_encoder=train_encoder, fast=False)
        fresh.load_state_dict(network.trainable_state(), strict=False)
        with quiet_peft():
            model = fresh.transformer if lora is None else fresh.model.merge_and_unload()  # pyright: ignore
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        model.save_pretrained(temporary, state_dict={**model.state_dict(), **scaled_tensors(model, hidden_scale)})
        tokenizer.save_pretrained(temporary)
        _write_lineage(temporary, network, backbone, hidden_scale, provenance)
        card = _card(backbone, _adapted(lora, train_encoder=train_encoder), hidden_scale, provenance)
        (temporary / "README.md").write_text(card, encoding="utf-8")


def save_adapter(
    folder: str | PathLike[str],
    network: MaskedLM,
    *,
    backbone: BackboneSpec,
    hidden_scale: float = 1.0,
    provenance: Mapping[str, Any],
) -> None:
    """Write the adapter alone, as PEFT does; the head of the language model is not part of it.

    Args:
        hidden_scale: as `save_encoder`; PEFT has no place for it, so it stands in openmed.json.
    """
    model: Any = network.model
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        model.peft_config["default"].base_model_name_or_path = backbone.weights
        model.peft_config["default"].revision = network.revision
        model.save_pretrained(temporary, save_embedding_layers=False)
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        _write_lineage(temporary, network, backbone, hidden_scale, provenance)


def lineage(weights: str) -> list[str]:
    """Ids of the runs that an encoder comes from, nearest first; none for weights of the hub or a package."""
    place = Path(weights).expanduser() / LINEAGE
    if not place.is_file():
        return []
    provenance = json.loads(place.read_text(encoding="utf-8")).get("provenance", {})
    return [run for run in (provenance.get("run_id"), *provenance.get("parents", ())) if run]


def _write_lineage(
    folder: Path, network: MaskedLM, backbone: BackboneSpec, hidden_scale: float, provenance: Mapping[str, Any]
) -> None:
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "backbone": replace(backbone, revision=network.revision).as_dict(),
        "base_digest": network.base_digest,
        HIDDEN_SCALE: hidden_scale,
        "provenance": dict(provenance),
    }
    (folder / LINEAGE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _adapted(lora: LoraSpec | None, *, train_encoder: bool) -> str:
    if not train_encoder:
        return "the head of the language model alone"
    return f"LoRA of rank {lora.rank} on {lora.targets}, merged" if lora is not None else "all weights"


def _text(dataset: Mapping[str, Any]) -> list[str]:
    """What tells one text from another: the digest of its index, which holds those of the shards."""
    lines = []
    if "name" in dataset:
        mix = f", built of the mix {dataset['mix']}" if dataset.get("mix") else ""
        lines.append(f"- text: {dataset['name']}{mix}")
    if "index" in dataset:
        lines.append(f"- index of the packed text: {dataset['index']}")
    for split, found in dataset.get("counts", {}).items():
        lines.append(f"- {split}: {found['tokens']:,} pieces in {found['passages']:,} passages")
    return lines


def _card(backbone: BackboneSpec, adapted: str, hidden_scale: float, provenance: Mapping[str, Any]) -> str:
    """A model card: what it is, what it was made from, how good, how to use it."""
    dev, dataset = provenance.get("dev") or {}, provenance.get("dataset") or {}
    lines = [
        f"# {backbone.name}, adapted to {dataset.get('mix') or dataset.get('name', 'text of a domain')}",
        "",
        f"Masked language model: `{backbone.weights}` pre-trained further ({adapted}).",
        "",
        f"- base: `{backbone.weights}`, revision {backbone.revision or 'none'}",
        f"- licence of the base: {backbone.licence or 'not stated'}",
        f"- run: {provenance.get('run_id')}; parents: {', '.join(provenance.get('parents') or ()) or 'none'}",
        *_text(dataset),
    ]
    if dev:
        lines.append(
            f"- held-out text: perplexity {dev['perplexity']:.2f} over {dev['masked']:,.0f} masked pieces; before "
            f"training {dev['before']['perplexity']:.2f}, with a {dev['head']} head"
        )
    if hidden_scale != 1:
        lines.append(f"- last hidden states scaled by {hidden_scale:.3f}, to the size that they have in the base")
    lines += ["", "```python", "from transformers import AutoModel, AutoTokenizer", ""]
    lines += ["model, tokenizer = (kind.from_pretrained(FOLDER) for kind in (AutoModel, AutoTokenizer))", "```", ""]
    return "\n".join(lines)
