"""One encoder in memory for many LoRA models trained on it: the adapters are merged into it by turns.

A model alone is quickest with its adapter merged, and its scores differ in the last digits from those of an adapter
beside the weights. So what is kept for each model is its small adapter and head, and when its turn comes, the base
weights (`openmed.predicting.plain`) plus its update are written into the one working copy: the very weights that the
model has alone. That costs as much as a few batches, once per block of documents and model.

    encoder = SharedEncoder({folder: Manifest.read(folder) for folder in folders}, device="cpu", dtype=torch.bfloat16)
    scores_NC = encoder.scorers[folder](batch)

Shapes: O outputs, I inputs of a layer, R rank.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from openmed.artefact import Manifest
from openmed.artefact.model import load_adapter, load_base
from openmed.encoding import Batch
from openmed.networks import Tagger
from openmed.networks.lora import quiet_peft
from openmed.networks.tagger import CLASSIFIER
from openmed.predicting.model import NetworkScorer, Scorer
from openmed.predicting.plain import PlainWeights


@dataclass(frozen=True)
class _Update:
    """What LoRA adds to one layer's weight: scale * b_OR @ a_RI."""

    a_RI: torch.Tensor
    b_OR: torch.Tensor
    scale: float

    def added_to(self, weight_OI: torch.Tensor) -> torch.Tensor:
        return weight_OI + (self.b_OR @ self.a_RI) * self.scale


@dataclass(frozen=True)
class _Adapter:
    """One model's share: the updates by layer, and its own modules (the head) by name."""

    updates: dict[str, _Update]
    modules: dict[str, nn.Module]


class SharedEncoder:
    """Args:
    models: the manifests of LoRA models on the same base, by folder. The base is loaded once, for all.
    device, dtype: as of `NetworkScorer`.

    Attributes:
        scorers: what scores with each of them, by folder.

    Raises:
        ArtefactError, BackboneError: the base is not the one they were trained on, or cannot be found.
    """

    def __init__(self, models: Mapping[Path, Manifest], *, device: str, dtype: torch.dtype) -> None:
        base: Any = load_base(*next(iter(models.items())))
        self._adapters: list[_Adapter] = []
        for folder, manifest in models.items():
            model = load_adapter(folder, manifest, base)
            self._adapters.append(_adapter(Tagger(model), torch.device(device)))
            with quiet_peft():
                base = model.unload()
        self._transformer = base
        adapted = dict.fromkeys(name for adapter in self._adapters for name in adapter.updates)
        weights = {name: base.get_submodule(name).weight for name in adapted}
        self._plain = PlainWeights(weights, torch.device(device))  # before they are cast
        self._score = NetworkScorer(Tagger(base), device=device, dtype=dtype)
        self._current: int | None = None
        self.scorers: dict[Path, Scorer] = {
            folder: partial(self._score_with, number) for number, folder in enumerate(models)
        }

    def _score_with(self, number: int, batch: Batch) -> np.ndarray:
        if self._current != number:
            self._merge(number)
        return self._score(batch)

    def _merge(self, number: int) -> None:
        """The working copy becomes that of one model; layers that only the last one adapted become plain again."""
        before = set() if self._current is None else self._adapters[self._current].updates.keys()
        adapter = self._adapters[number]
        with torch.inference_mode():
            for name in before - adapter.updates.keys():
                self._transformer.get_submodule(name).weight.data.copy_(self._plain[name])
            for name, update in adapter.updates.items():
                self._transformer.get_submodule(name).weight.data.copy_(update.added_to(self._plain[name]))
        for name, module in adapter.modules.items():
            setattr(self._transformer, name, module)
        self._current = number


def _adapter(network: Tagger, device: torch.device) -> _Adapter:
    updates = {name: _update(layer, device) for name, layer in _lora_layers(network.transformer)}
    # PEFT wraps what was trained whole: the head, of ModernBERT the module before it, too.
    modules = {
        name: module.modules_to_save["default"].requires_grad_(False).to(device).eval()
        for name, module in network.transformer.named_children()
        if hasattr(module, "modules_to_save")
    }
    assert CLASSIFIER in modules
    return _Adapter(updates, modules)


def _lora_layers(transformer: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in transformer.named_modules() if hasattr(module, "lora_A"))


def _update(layer: Any, device: torch.device) -> _Update:
    a_RI, b_OR = (getattr(layer, name)["default"].weight.detach().to(device) for name in ("lora_A", "lora_B"))
    return _Update(a_RI, b_OR, layer.scaling["default"])
