"""The size of an encoder's last hidden states, put back after pre-training to what it was before.

The head of a masked language model normalises what it computes from them, so nothing in its loss holds their size, and
it drifts: of MiniLM to half of what it was. A tagger's head is linear and starts small: on smaller states it learns
by as much slower, and with few mentions to learn from it may end in tagging nothing (docs/log.md, 2026-11-30).

scaled_tensors(transformer, 2.3)    # {"bert.encoder.layer.5.output.LayerNorm.weight": ..., ...}
scale_hidden(transformer, 2.3)      # the same, put in place

The last norm is multiplied and the first layer of the head divided, so that a language model predicts what it did.
"""

from __future__ import annotations

from typing import Any

import torch

HEAD_ENTRANCES = {
    "bert": "cls.predictions.transform.dense",
    "deberta-v2": "cls.predictions.transform.dense",
    "electra": "generator_predictions.dense",
}
"""Architecture -> the first layer of its language model's head.

ModernBERT's is not among them: its head, with the norm, goes along into a tagger, to which the size is nothing then.
"""


def keeps_size(transformer: Any) -> bool:
    """Whether there is something to put back in this architecture."""
    return transformer.config.model_type in HEAD_ENTRANCES


def scaled_tensors(transformer: Any, factor: float) -> dict[str, torch.Tensor]:
    """Name -> what a model's tensors are where its last hidden states are `factor` times as large; none of the others.

    Args:
        transformer: a transformers model, adapters merged, with or without the head of a language model.
        factor: above 0.
    """
    if factor == 1 or not keeps_size(transformer):
        return {}
    encoder = transformer.base_model
    last = f"{transformer.base_model_prefix}.encoder.layer.{len(encoder.encoder.layer) - 1}.output.LayerNorm"
    factors = {f"{last}.weight": factor, f"{last}.bias": factor}
    factors[f"{HEAD_ENTRANCES[transformer.config.model_type]}.weight"] = 1 / factor
    state = transformer.state_dict()
    return {name: state[name] * by for name, by in factors.items() if name in state}


def scale_hidden(transformer: Any, factor: float) -> None:
    """Put `scaled_tensors` in place."""
    with torch.no_grad():
        for name, tensor in scaled_tensors(transformer, factor).items():
            transformer.get_parameter(name).copy_(tensor)
