"""The network: encoder -> hidden state of each word's first piece -> tag scores.

Only the words that a window owns are scored, so neither the head nor the loss ever sees padding or inner pieces.

Shapes: B windows, L pieces, D hidden size, N owned words of the batch, C tags.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from openmed.encoding import Batch
from openmed.networks.backbone import BackboneSpec, load_encoder, resolved_revision, weights_digest
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
        hidden_BLD = transformer.base_model(batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        # The head works in float32 also under autocast: it is small, and scores a hair apart decide spans.
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            hidden_ND = hidden_BLD.flatten(0, 1)[batch.positions].float()
            if hasattr(transformer, "head"):  # ModernBERT's prediction head stands between encoder and classifier.
                hidden_ND = transformer.head(hidden_ND)
            return transformer.get_submodule(HEAD)(self.dropout(hidden_ND))

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
) -> Tagger:
    """A tagger ready to train.

    Args:
        lora: None trains every weight.
        num_tags: C.
        frozen_dtype: what the weights that are not trained are kept in; bfloat16 halves memory and saves casts.
    """
    model = load_encoder(backbone, num_tags=num_tags)
    digest, revision = weights_digest(model), resolved_revision(backbone)
    if lora is not None:
        head = (HEAD, *backbone.trained_head)
        model = add_lora(model, lora, targets=backbone.lora_targets, head=head)
        cast_frozen(model, frozen_dtype)
    # transformers hands models over in evaluation mode and Lightning leaves modes alone: without this, no dropout.
    return Tagger(model, head_dropout=head_dropout, base_digest=digest, revision=revision).train()


def cast_frozen(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep the encoder's frozen matrices in `dtype`.

    Vectors (biases, layer norms) stay as they are, being few and touchy; so does the head, which works in float32.
    """
    transformer = unwrap(model)
    prefix = f"{transformer.base_model_prefix}."
    for name, parameter in transformer.named_parameters():
        if name.startswith(prefix) and parameter.ndim > 1 and not parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


def cast_matrices(network: Tagger, dtype: torch.dtype) -> None:
    """Keep all of the encoder's matrices in `dtype`, for prediction: nothing is trained any more."""
    network.requires_grad_(False)
    cast_frozen(network.model, dtype)
