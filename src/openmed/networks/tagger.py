"""The network: encoder -> hidden state of each word's first piece -> tag scores.

Only the words that a window owns are scored, so neither the head nor the loss ever sees padding or inner pieces.

Shapes: B windows, L pieces, D hidden size, N owned words of the batch, C tags.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from openmed.encoding import Batch
from openmed.networks.backbone import BackboneSpec, load_encoder, resolved_revision, weights_digest
from openmed.networks.fast import additive_mask, exchange, takes_additive_mask
from openmed.networks.lora import LoraSpec, add_lora

HEAD = "classifier"


class Tagger(nn.Module):
    """A transformers token-classification model (with or without PEFT around it) that scores words.

    Args:
        model: from `load_encoder`, or that wrapped by `add_lora`.
        head_dropout: dropout on the hidden states that go into the head.
        base_digest: `weights_digest` of the pretrained encoder, kept for the artefact.
        revision: its commit on the hub (None where it comes from elsewhere), kept for the artefact.
    """

    def __init__(
        self, model: nn.Module, *, head_dropout: float = 0.0, base_digest: str = "", revision: str | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.base_digest = base_digest
        self.revision = revision
        self.dropout = nn.Dropout(head_dropout)
        self._is_fast = False

    def speed_up(self) -> Tagger:
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

    def forward(self, batch: Batch) -> torch.Tensor:
        """Scores (N, C) in float32 of the batch's owned words, in its order."""
        transformer = self.transformer
        mask: torch.Tensor | None = batch.attention_mask
        if takes_additive_mask(transformer):
            mask = additive_mask(batch.attention_mask, self._encoder_dtype)
        with self._encoder_arithmetic(batch.input_ids.device.type):
            hidden_BLD = transformer.base_model(batch.input_ids, attention_mask=mask).last_hidden_state
        # The head works in float32 also under autocast: it is small, and scores a hair apart decide spans.
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            hidden_ND = hidden_BLD.flatten(0, 1)[batch.positions].float()
            if hasattr(transformer, "head"):  # ModernBERT's prediction head stands between encoder and classifier.
                hidden_ND = transformer.head(hidden_ND)
            return transformer.get_submodule(HEAD)(self.dropout(hidden_ND))

    @property
    def _encoder_dtype(self) -> torch.dtype:
        return self.transformer.get_input_embeddings().weight.dtype

    def _encoder_arithmetic(self, device: str) -> AbstractContextManager:
        """A quick encoder kept whole in bfloat16 needs no autocast, whose casts back and forth take time."""
        if self._is_fast and self._encoder_dtype != torch.float32:
            return torch.autocast(device, enabled=False)
        return nullcontext()

    def head_parameters(self) -> list[nn.Parameter]:
        """The trainable parameters that start from nothing and want a learning rate of their own."""
        return [p for name, p in self.named_parameters() if p.requires_grad and f".{HEAD}." in f".{name}."]

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


def build_tagger(
    backbone: BackboneSpec,
    lora: LoraSpec | None,
    *,
    num_tags: int,
    head_dropout: float = 0.0,
    frozen_dtype: torch.dtype = torch.float32,
    fast: bool = True,
) -> Tagger:
    """A tagger ready to train.

    Args:
        lora: None trains every weight.
        num_tags: C.
        frozen_dtype: what the weights that are not trained are kept in; bfloat16 halves memory and saves casts.
        fast: our own forward and backward where there is one; False leaves PEFT's and transformers' as they are.
    """
    model = load_encoder(backbone, num_tags=num_tags)
    digest, revision = weights_digest(model), resolved_revision(backbone)
    if lora is not None:
        head = (HEAD, *backbone.trained_head)
        model = add_lora(model, lora, targets=backbone.lora_targets, head=head)
        cast_frozen(model, frozen_dtype, vectors=fast)
    network = Tagger(model, head_dropout=head_dropout, base_digest=digest, revision=revision)
    # transformers hands models over in evaluation mode and Lightning leaves modes alone: without this, no dropout.
    return (network.speed_up() if fast else network).train()


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
