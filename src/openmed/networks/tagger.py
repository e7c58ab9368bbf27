"""The network: encoder -> hidden state of each word's first piece -> tag scores.

Only the words that a window owns are scored, so neither the head nor the loss ever sees padding or inner pieces.

Shapes: B windows, L pieces, D hidden size, N owned words of the batch, C tags.
"""

from __future__ import annotations

import torch
from torch import nn

from openmed.encoding import Batch
from openmed.networks.backbone import load_encoder, resolved_revision, weights_digest
from openmed.networks.lora import LoraSpec, add_lora
from openmed.networks.network import Network, cast_frozen
from openmed.networks.spec import BackboneSpec

CLASSIFIER = "classifier"


class Tagger(Network):
    """A transformers token-classification model (with or without PEFT around it) that scores words.

    Args:
        model: from `load_encoder`, or that wrapped by `add_lora`.
        head_dropout: dropout on the hidden states that go into the head.
        base_digest, revision: see `Network`.
    """

    HEAD = (CLASSIFIER,)

    def __init__(
        self, model: nn.Module, *, head_dropout: float = 0.0, base_digest: str = "", revision: str | None = None
    ) -> None:
        super().__init__(model, base_digest=base_digest, revision=revision)
        self.dropout = nn.Dropout(head_dropout)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Scores (N, C) in float32 of the batch's owned words, in its order."""
        transformer = self.transformer
        hidden_BLD = self.encode(batch.input_ids, batch.attention_mask)
        # The head works in float32 also under autocast: it is small, and scores a hair apart decide spans.
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            hidden_ND = hidden_BLD.flatten(0, 1)[batch.positions].float()
            if hasattr(transformer, "head"):  # ModernBERT's prediction head stands between encoder and classifier.
                hidden_ND = transformer.head(hidden_ND)
            return transformer.get_submodule(CLASSIFIER)(self.dropout(hidden_ND))


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
        head = (CLASSIFIER, *backbone.trained_head)
        model = add_lora(model, lora, targets=backbone.lora_targets, head=head)
        cast_frozen(model, frozen_dtype, vectors=fast)
    network = Tagger(model, head_dropout=head_dropout, base_digest=digest, revision=revision)
    # transformers hands models over in evaluation mode and Lightning leaves modes alone: without this, no dropout.
    return (network.speed_up() if fast else network).train()
