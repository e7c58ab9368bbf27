"""Save a trained tagger as a folder, and bring it back.

With LoRA the folder holds the adapter and head in PEFT's own format (so plain `peft` loads it onto the base model);
without, all weights in transformers' format. Only safetensors, never pickle.

    artefact = load_artefact("outputs/2026-01-01/12-00-00/model")
    artefact.network, artefact.tokenizer, artefact.manifest.info
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from torch import nn

from openmed.artefact.manifest import Manifest
from openmed.encoding import TaggingInfo
from openmed.errors import ArtefactError, BackboneError
from openmed.networks import BackboneSpec, Tagger
from openmed.networks.backbone import load_encoder, weights_digest
from openmed.networks.lora import quiet_peft
from openmed.networks.tagger import CLASSIFIER
from openmed.writers import atomic_path

NEAR = "weights_from_here"
LORA = "lora"
FULL = "full"
ONNX = "onnx"
ONNX_INT8 = "onnx-int8"
GRAPHS = (ONNX, ONNX_INT8)
"""Exports that hold a graph for onnxruntime (`GRAPH`) and no network."""
GRAPH = "model.onnx"


@dataclass(frozen=True)
class Artefact:
    """A loaded model folder.

    Attributes:
        network: in evaluation mode, float32, adapters merged into the weights.
        tokenizer: the folder's own.
        info: types, splitter, window.
    """

    network: Tagger
    tokenizer: Any
    info: TaggingInfo
    manifest: Manifest


def save_artefact(
    folder: str | PathLike[str],
    network: Tagger,
    tokenizer: Any,
    *,
    info: TaggingInfo,
    backbone: BackboneSpec,
    provenance: Mapping[str, Any],
    temperature: float = 1.0,
) -> None:
    """Write the folder whole or not at all; one that is there already is replaced.

    Args:
        provenance: JSON-like facts on where the model comes from.
        temperature: see `Manifest`.
    """
    model: Any = network.model
    transformer = network.transformer
    config = transformer.config
    config.id2label = dict(enumerate(info.tags))
    config.label2id = info.tag_ids
    is_lora = transformer is not model
    with atomic_path(folder) as temporary:
        temporary.mkdir(parents=True)
        if is_lora:
            # What adapter_config.json names as its base: the hub id, not this machine's path of it.
            model.peft_config["default"].base_model_name_or_path = backbone.weights
            model.peft_config["default"].revision = network.revision
        # Not "auto" for the embedding layers: to find out whether they grew, PEFT would ask the hub.
        model.save_pretrained(temporary, **({"save_embedding_layers": False} if is_lora else {}))
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
        tokenizer.save_pretrained(temporary)
        Manifest(
            info=info.as_dict(),
            backbone=replace(backbone, revision=network.revision).as_dict(),
            kind=LORA if is_lora else FULL,
            base_digest=network.base_digest,
            labels=info.tags,
            temperature=temperature,
            provenance={**provenance, **_near(backbone.weights, Path(folder))},
        ).write(temporary)


def load_artefact(folder: str | PathLike[str], *, merge: bool = True) -> Artefact:
    """Load a model folder, verified.

    Args:
        merge: fold the adapters into the weights (faster); False leaves PEFT's layers in place.

    Raises:
        ArtefactError: an incomplete or altered folder, or base weights other than those it was trained on.
        BackboneError: base weights that cannot be found.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    if manifest.kind not in (LORA, FULL):
        raise ArtefactError(
            f"{folder} holds an export of kind {manifest.kind!r}, and no network",
            mend="openmed predict takes it as it is; for all else give the model folder that it was exported from",
        )
    info = tagging_info(folder, manifest)
    if manifest.kind == LORA:
        model = load_adapter(folder, manifest, load_base(folder, manifest))
        model = model.merge_and_unload() if merge else model
    else:
        model = _load_full(folder, manifest)
    network = Tagger(model, base_digest=manifest.base_digest, revision=manifest.backbone["revision"])
    return Artefact(network.eval(), saved_tokenizer(folder), info, manifest)


def tagging_info(folder: Path, manifest: Manifest) -> TaggingInfo:
    """Types, splitter and window.

    Raises:
        ArtefactError: labels that do not follow from the types.
    """
    info = TaggingInfo.from_mapping(manifest.info)
    if info.tags != manifest.labels:
        raise ArtefactError(f"{folder}: its labels {manifest.labels} do not follow from its types {info.types}")
    return info


def saved_tokenizer(folder: Path) -> Any:
    """The folder's own."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


def load_base(folder: Path, manifest: Manifest) -> Any:
    """The transformers model that a LoRA model's adapter belongs to, verified; its head is new.

    Raises:
        ArtefactError: other weights than the adapter was trained on.
        BackboneError: weights that cannot be found.
    """
    spec = _found(BackboneSpec.from_mapping(manifest.backbone), folder, manifest)
    base = load_encoder(spec, num_tags=len(manifest.labels))
    digest = weights_digest(base)
    if digest != manifest.base_digest:
        raise ArtefactError(
            f"{folder} was trained on other weights of {spec.weights} than those found now "
            f"(sha256 {manifest.base_digest[:12]}, found {digest[:12]})",
            mend=f"get revision {spec.revision}" if spec.revision else "restore the weights that it was trained on",
        )
    return base


def load_adapter(folder: Path, manifest: Manifest, base: Any) -> Any:
    """PEFT's model of the folder's adapter around a base from `load_base`: of this folder, or of another on the same.

    The base is not copied; `unload()` gives it back as it was, but for the head.
    """
    from peft import PeftModel

    head = base.get_submodule(CLASSIFIER)
    if head.out_features != len(manifest.labels):  # the base was loaded for a model of other types
        head = nn.Linear(head.in_features, len(manifest.labels), bias=head.bias is not None)
        setattr(base, CLASSIFIER, head)
    with quiet_peft():
        return PeftModel.from_pretrained(base, str(folder))


def _near(weights: str, folder: Path) -> dict[str, str]:
    """Of base weights in a folder also the way there from here: both may be moved together."""
    place = Path(weights).expanduser()
    return {NEAR: os.path.relpath(place.absolute(), folder.absolute())} if place.is_dir() else {}


def _found(spec: BackboneSpec, folder: Path, manifest: Manifest) -> BackboneSpec:
    """The spec with the folder of its base weights where that is now."""
    near = manifest.provenance.get(NEAR)
    if near is None or Path(spec.weights).expanduser().is_dir():
        return spec
    place = (folder.absolute() / near).resolve()
    if not place.is_dir():
        raise BackboneError(
            f"{folder} is an adapter on the encoder in {spec.weights}, which is no longer there",
            mend=f"bring that folder back, or put it at {place}",
        )
    return replace(spec, weights=str(place))


def _load_full(folder: Path, manifest: Manifest) -> Any:
    spec = BackboneSpec.from_mapping({**manifest.backbone, "weights": str(folder), "revision": None, "sha256": {}})
    return load_encoder(replace(spec, random_layers=0, random_config={}), num_tags=len(manifest.labels))
