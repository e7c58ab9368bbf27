"""What a tagger and a masked language model share: a transformers model, some of whose tensors are trained.

class Tagger(Network): HEAD = ("classifier",)
network.speed_up(); hidden_BLD = network.encode(input_ids, attention_mask)
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, Self

import torch
from torch import nn

from openmed.networks.fast import additive_mask, exchange, takes_additive_mask


class Network(nn.Module):
    """Args:
    model: a transformers model, or PEFT's wrapper around one.
    base_digest: `weights_digest` of the pretrained encoder, kept for what is saved.
    revision: its commit on the hub (None where it comes from elsewhere), kept for what is saved.
    """

    HEAD: ClassVar[tuple[str, ...]] = ()
    """Modules on top of the encoder that start from nothing and have a learning rate of their own."""

    def __init__(self, model: nn.Module, *, base_digest: str = "", revision: str | None = None) -> None:
        super().__init__()
        self.model = model
        self.base_digest = base_digest
        self.revision = revision
        self._is_fast = False

    def speed_up(self) -> Self:
        """Exchange what can be computed quicker (`openmed.networks.fast`). To be called once, after any casting."""
        exchange(self.transformer)
        self._is_fast = True
        return self

    @property
    def transformer(self) -> Any:
        """The transformers model, without PEFT's wrapper (LoRA layers inside it)."""
        return unwrap(self.model)

    @property
    def max_pieces(self) -> int | None:
        """The longest window that the encoder has positions for; None where it has no such limit."""
        table = getattr(getattr(self.transformer.base_model, "embeddings", None), "position_embeddings", None)
        if not isinstance(table, nn.Embedding):  # DeBERTa-v3, ModernBERT: positions are relative
            return None
        # RoBERTa counts positions from behind its padding id.
        return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)

    def encode(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Last hidden states (B, L, D) of pieces (B, L); the mask is 1 on pieces and 0 on padding."""
        transformer = self.transformer
        mask: torch.Tensor | None = attention_mask
        if takes_additive_mask(transformer):
            mask = additive_mask(attention_mask, self.encoder_dtype)
        with self._encoder_arithmetic(input_ids.device.type):
            return transformer.base_model(input_ids, attention_mask=mask).last_hidden_state

    @property
    def encoder_dtype(self) -> torch.dtype:
        return self.transformer.get_input_embeddings().weight.dtype

    def _encoder_arithmetic(self, device: str) -> AbstractContextManager:
        """A quick encoder kept whole in bfloat16 needs no autocast, whose casts back and forth take time."""
        if self._is_fast and self.encoder_dtype != torch.float32:
            return torch.autocast(device, enabled=False)
        return nullcontext()

    def head_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters that start from nothing and want a learning rate of their own."""
        marks = [f".{name}." for name in self.HEAD]
        return [p for name, p in self.named_parameters() if p.requires_grad and any(m in f".{name}." for m in marks)]

    def num_parameters(self) -> dict[str, int | float]:
        """total, trainable and trainable_percent. PEFT's spare copy of the untrained head is not counted."""
        named = [(name, p) for name, p in self.named_parameters() if ".original_module." not in name]
        total = sum(p.numel() for _, p in named)
        trainable = sum(p.numel() for _, p in named if p.requires_grad)
        return {"total": total, "trainable": trainable, "trainable_percent": 100 * trainable / total}

    def trainable_state(self) -> dict[str, torch.Tensor]:
        """The tensors that training changes: all that a checkpoint has to hold."""
        trained = {name for name, p in self.named_parameters() if p.requires_grad}
        return {name: tensor for name, tensor in self.state_dict().items() if name in trained}


def unwrap(model: Any) -> Any:
    """The transformers model, whether PEFT is wrapped around it or not."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def cast_frozen(model: nn.Module, dtype: torch.dtype, *, vectors: bool) -> None:
    """Keep the encoder's frozen weights in `dtype`; the head works in float32.

    Args:
        vectors: biases and norms too, as it takes to do without autocast.
    """
    transformer = unwrap(model)
    prefix = f"{transformer.base_model_prefix}."
    for name, parameter in transformer.named_parameters():
        if name.startswith(prefix) and not parameter.requires_grad and (vectors or parameter.ndim > 1):
            parameter.data = parameter.data.to(dtype)
