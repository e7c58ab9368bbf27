"""From model folders to a tagger.

    tagger = load("outputs/.../model", dtype="float32")
    tagger = load(["outputs/disease/model", "outputs/chemical/model"])     # both in one pass over the text

LoRA models on the same base weights share them (`openmed.predicting.shared`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import torch

from openmed.artefact import Manifest, load_artefact, model_digest
from openmed.artefact.model import GRAPH, GRAPHS, LORA, saved_tokenizer, tagging_info
from openmed.errors import ConfigError, nearest
from openmed.networks.precision import best_dtype
from openmed.predicting.model import Model, NetworkScorer, Scorer
from openmed.predicting.onnx_scorer import OnnxScorer
from openmed.predicting.shared import SharedEncoder
from openmed.predicting.tagger import EntityTagger

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def load(
    model: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    device: str | None = None,
    dtype: str = "auto",
    max_tokens: int = 4096,
    view: str = "documents",
) -> EntityTagger:
    """Load one model folder for tagging, or several that tag together.

    Args:
        model: a run's `model/` folder or an export of one, or a list of them. With several, each span's `model` names
            the one that found it: the corpus that it was trained on, with a few digits of its digest where two have the
            same.
        device: None takes the GPU when there is one.
        dtype: "float32", "bfloat16", or "auto": bfloat16 where the hardware computes in it.
        max_tokens: padded pieces per batch.
        view: "documents" decodes each text as one; "sentences" sentence by sentence.

    Raises:
        ArtefactError, BackboneError: a folder or its base weights cannot be used.
        ConfigError: an unknown dtype, a device that is not there, no model, the same one twice; of an ONNX export a
            device or dtype other than its own, or no onnxruntime.
    """
    folders = [Path(model)] if isinstance(model, str | PathLike) else [Path(each) for each in model]
    return EntityTagger(open_models(folders, device=device, dtype=dtype), max_tokens=max_tokens, view=view)


def open_models(folders: Sequence[Path], *, device: str | None = None, dtype: str = "auto") -> list[Model]:
    """The models of the folders, in order, ready to score. Args, Raises: as `load`."""
    if not folders:
        raise ConfigError("no model was given", mend="give at least one model/ folder")
    if dtype not in (*DTYPES, "auto"):
        raise ConfigError(f"unknown dtype {dtype!r}", mend=nearest(dtype, (*DTYPES, "auto")))
    manifests = [Manifest.read(folder) for folder in folders]
    _check_graphs(folders, manifests, device=device, dtype=dtype)
    device = _usable(device)
    chosen = best_dtype(device) if dtype == "auto" else DTYPES[dtype]
    digests = [model_digest(folder) for folder in folders]
    names = _names(manifests, digests, folders)
    shared = _on_shared_bases(folders, manifests, device=device, dtype=chosen)
    models = []
    for folder, manifest, name, digest in zip(folders, manifests, names, digests, strict=True):
        if folder in shared or manifest.kind in GRAPHS:
            info, tokenizer = tagging_info(folder, manifest), saved_tokenizer(folder)
            score = shared[folder] if folder in shared else OnnxScorer(folder / GRAPH)
        else:
            artefact = load_artefact(folder)
            info, tokenizer = artefact.info, artefact.tokenizer
            score = NetworkScorer(artefact.network, device=device, dtype=chosen)
        models.append(Model(name, info, tokenizer, score, manifest.temperature, digest))
    return models


def _on_shared_bases(
    folders: Sequence[Path], manifests: Sequence[Manifest], *, device: str, dtype: torch.dtype
) -> dict[Path, Scorer]:
    """What scores with each of the LoRA models that have a base in common; the others are left out."""
    alike: dict[tuple[str, str | None], dict[Path, Manifest]] = {}
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.kind == LORA:
            # The attention implementation shows in the last digits.
            on = manifest.base_digest, manifest.backbone.get("attention")
            alike.setdefault(on, {})[folder] = manifest
    scorers: dict[Path, Scorer] = {}
    for models in alike.values():
        if len(models) > 1:
            scorers |= SharedEncoder(models, device=device, dtype=dtype).scorers
    return scorers


def _check_graphs(folders: Sequence[Path], manifests: Sequence[Manifest], *, device: str | None, dtype: str) -> None:
    """An ONNX export computes as it was exported, and on the CPU: it is not asked for anything else in silence."""
    for folder, manifest in zip(folders, manifests, strict=True):
        if manifest.kind in GRAPHS and (device not in (None, "cpu") or dtype != "auto"):
            raise ConfigError(
                f"{folder} is an ONNX export: it runs on the CPU, in the arithmetic that it was exported with",
                mend="leave --device and --dtype out, or give the model folder that it was exported from",
            )


def _usable(device: str | None) -> str:
    """The device, the GPU where there is one if none is told.

    Raises:
        ConfigError: torch has none of that name here.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ImportError) as error:  # each kind of device is missing in its own way
        reason = str(error).splitlines()[0]
        raise ConfigError(f"--device {device} cannot be used: {reason}", mend="say cpu, or leave it out") from error
    return device


def _names(manifests: Sequence[Manifest], digests: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """Names to tell the models apart by: of their corpora, and where these are the same with a part of the digest."""
    for digest, number in Counter(digests).items():
        if number > 1:
            raise ConfigError(f"{folders[digests.index(digest)]} was given twice", mend="give each model once")
    corpora = [manifest.provenance.get("dataset", {}).get("name") or "model" for manifest in manifests]
    times = Counter(corpora)
    return [
        corpus if times[corpus] == 1 else f"{corpus}-{digest[:8]}"
        for corpus, digest in zip(corpora, digests, strict=True)
    ]
