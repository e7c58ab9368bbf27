"""Put the quick forwards into a model, where they compute what stood there before.

exchange(model)      # a transformers model with PEFT around it, or one without adapters for prediction
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import torch
from torch import nn

from openmed.networks.fast.attention import ATTENTION, attend
from openmed.networks.fast.dropout import Dropout
from openmed.networks.fast.lora import lora_forward
from openmed.networks.fast.residual import add_and_norm

PLAIN_ATTENTION = ("bert", "electra")
"""Architectures whose every layer lets each piece attend to each other: no relative positions, no sliding windows."""


def exchange(transformer: Any) -> None:
    """Exchange dropouts, LoRA products, the ends of BERT-like layers and their attention, in place.

    Whatever is of another make (trained norms, dropout on attention weights, DeBERTa's attention) stays as it is.
    Weights, their names and what is saved do not change.

    Args:
        transformer: the transformers model, LoRA layers inside it or not.
    """
    for module in list(transformer.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, Dropout(child.p).train(child.training))
        if _is_lora_linear(module):
            module.forward = partial(lora_forward, module)
        elif _ends_layer_half(module):
            module.forward = partial(_end_layer_half, module)
    if _has_plain_attention(transformer):
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import eager_mask

        AttentionInterface.register(ATTENTION, attend)
        AttentionMaskInterface.register(ATTENTION, eager_mask)  # for callers that give ones and zeros
        transformer.config._attn_implementation = ATTENTION


def takes_additive_mask(transformer: Any) -> bool:
    """Whether its attention is ours, which takes the small `additive_mask` as it is."""
    return transformer.config._attn_implementation == ATTENTION


def _is_lora_linear(module: Any) -> bool:
    """A PEFT layer that holds one plain adapter (no DoRA or other variant)."""
    if not hasattr(module, "lora_A"):
        return False
    from peft.tuners.lora import Linear

    plain = isinstance(module, Linear) and len(module.lora_A) == 1 and not module.lora_variant
    return plain and not any(module.lora_bias.values())


def _ends_layer_half(module: Any) -> bool:
    """`BertOutput` and its like: LayerNorm(dropout(dense(h)) + residual), the norm being frozen."""
    norm = getattr(module, "LayerNorm", None)
    return (
        isinstance(norm, nn.LayerNorm)
        and not norm.weight.requires_grad
        and isinstance(getattr(module, "dropout", None), nn.Dropout)
        and hasattr(module, "dense")
        and list(inspect.signature(module.forward).parameters) == ["hidden_states", "input_tensor"]
    )


def _end_layer_half(module: Any, hidden_states: torch.Tensor, input_tensor: torch.Tensor) -> torch.Tensor:
    rate = module.dropout.p if module.training else 0.0
    return add_and_norm(module.dense(hidden_states), input_tensor, module.LayerNorm, rate=rate)


def _has_plain_attention(transformer: Any) -> bool:
    config = transformer.config
    return (
        config.model_type in PLAIN_ATTENTION
        and config._attn_implementation in ("eager", "sdpa")
        and config.attention_probs_dropout_prob == 0
    )
