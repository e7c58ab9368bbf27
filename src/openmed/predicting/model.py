"""A model made ready to score: how it cuts text, what scores the words, and how its scores are to be read.

The seam between tagging and arithmetic: whatever gives a batch's words their scores (the network here, an exported
graph in another runtime) is a `Scorer`, and all the rest of tagging does not know which.

    model = Model("ncbi", info, tokenizer, score=NetworkScorer(network, device="cpu", dtype=torch.bfloat16))
    EntityTagger([model])

Shapes: N words that the windows of a batch own, C tags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from openmed.encoding import Batch, SpecialTokens, TaggingInfo
from openmed.networks import Tagger
from openmed.networks.network import cast_frozen

Scorer = Callable[[Batch], np.ndarray]
"""Scores (N, C) in float32 of a batch's owned words, in its order: logits, before any softmax or temperature."""


@dataclass(frozen=True)
class Model:
    """Args:
    name: what its entities are said to come from, where several models tag together.
    info: its types and windows, and the splitter that it was trained with.
    tokenizer: a fast one.
    score: gives words their scores.
    temperature: what scores are divided by, so that they say how often a mention is right (see `Manifest`).
    digest: sha256 of its `openmed.json`, which holds the digests of all its other files.
    """

    name: str
    info: TaggingInfo
    tokenizer: Any
    score: Scorer
    temperature: float = 1.0
    digest: str = ""

    @cached_property
    def cut(self) -> tuple[Any, ...]:
        """What decides on words, pieces and windows: models that agree in it can share them."""
        info = self.info
        text_to_pieces = self.tokenizer.backend_tokenizer.to_str()
        return info.splitter, info.max_pieces, info.overlap, SpecialTokens.of(self.tokenizer), text_to_pieces


class NetworkScorer:
    """The network of a model folder as a `Scorer`. It is taken over: cast, moved and made quick in place.

    Args:
        network: adapters merged, from `openmed.artefact.load_artefact`.
        device: "cpu", "cuda" ...
        dtype: of the encoder; the head stays in float32.
    """

    def __init__(self, network: Tagger, *, device: str, dtype: torch.dtype) -> None:
        self._device = torch.device(device)
        self._network = network.requires_grad_(False).to(self._device).eval()
        cast_frozen(self._network.model, dtype, vectors=True)
        self._network.speed_up()

    def __call__(self, batch: Batch) -> np.ndarray:
        with torch.inference_mode():
            return self._network(batch.to(self._device)).float().cpu().numpy()
