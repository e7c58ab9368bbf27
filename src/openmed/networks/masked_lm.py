"""The network of domain-adaptive pre-training: encoder -> hidden states of masked pieces -> scores of the vocabulary.

Only masked positions (15%) go through the head: the product with the vocabulary would cost more than the encoder.
The head's last layer is the embedding table itself (tied); where the weights bring no head (DeBERTa-v3, ELECTRA
discriminators, sentence encoders), a fresh one is trained.

    network = build_masked_lm(spec, LoraSpec(16, 32), train_encoder=True)
    logits_MV = network(batch)

Shapes: B rows, L pieces, D hidden size, M masked pieces of the batch, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from openmed.encoding.masking import MaskedBatch
from openmed.errors import BackboneError
from openmed.networks.backbone import load_masked_lm, resolved_revision, weights_digest
from openmed.networks.lora import LoraSpec, add_lora
from openmed.networks.network import Network, cast_frozen, unwrap
from openmed.networks.spec import BackboneSpec

TRANSFORMS: Mapping[str, str] = {
    "bert": "cls.predictions.transform",
    "deberta-v2": "cls.predictions.transform",
    "electra": "generator_predictions",
    "modernbert": "head",
}
"""Architecture -> what stands between the encoder and the tied layer in its transformers model."""


class MaskedLM(Network):
    """A transformers masked language model (with or without PEFT around it) that scores masked pieces alone.

    Args:
        model: from `load_masked_lm`, or that wrapped by `add_lora`.
        base_digest, revision: see `Network`.

    Raises:
        BackboneError: an architecture whose head is not known here.
    """

    HEAD = ("cls", "generator_predictions", "generator_lm_head", "head", "decoder")

    def __init__(self, model: nn.Module, *, base_digest: str = "", revision: str | None = None) -> None:
        super().__init__(model, base_digest=base_digest, revision=revision)
        kind = self.transformer.config.model_type
        if kind not in TRANSFORMS or not getattr(self.transformer.config, "legacy", True):
            raise BackboneError(
                f"no masked language model is known here for the architecture {kind!r}",
                mend=f"choose a backbone of one of {', '.join(TRANSFORMS)}",
            )
        self._transform = TRANSFORMS[kind]

    def forward(self, batch: MaskedBatch) -> torch.Tensor:
        """Scores (M, V) of the batch's masked pieces, in its order, in the precision of the encoder's products."""
        return self.score(self.encode(batch.input_ids, batch.attention_mask), batch.positions)

    def score(self, hidden_BLD: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Scores (M, V) from last hidden states, at M positions of the flattened rows."""
        transformer: Any = self.transformer
        decoder = transformer.get_output_embeddings()
        dtype = self._product_dtype(hidden_BLD.device.type)
        with torch.autocast(hidden_BLD.device.type, enabled=False):
            hidden_MD = hidden_BLD.flatten(0, 1)[positions].float()
            hidden_MD = transformer.get_submodule(self._transform)(hidden_MD)
            bias = None if decoder.bias is None else decoder.bias.to(dtype)
            return linear(hidden_MD.to(dtype), decoder.weight.to(dtype), bias)

    def _product_dtype(self, device: str) -> torch.dtype:
        """Of the product with the vocabulary, the widest of all: that in which the encoder multiplies."""
        if self.encoder_dtype == torch.float32 and torch.is_autocast_enabled(device):
            return torch.get_autocast_dtype(device)
        return self.encoder_dtype

    def flops_per_token(self, masked_fraction: float) -> float:
        """Operations of a training step's matrix products, a token; attention's own, which go by the length, left out.

        Each weight multiplies and adds once forward (2), once for the gradient of what it was given (2), and once more
        for its own where it is trained. The head sees `masked_fraction` of the tokens.
        """
        transformer = self.transformer
        prefix = f"{transformer.base_model_prefix}."
        through_encoder = any(p.requires_grad for n, p in transformer.named_parameters() if n.startswith(prefix))
        flops = 0.0
        for name, module in transformer.named_modules():
            if isinstance(module, nn.Linear):
                inside = name.startswith(prefix)
                per_weight = 2 + 2 * (through_encoder or not inside) + 2 * module.weight.requires_grad
                flops += per_weight * module.weight.numel() * (1 if inside else masked_fraction)
        return flops


def build_masked_lm(
    backbone: BackboneSpec,
    lora: LoraSpec | None,
    *,
    train_encoder: bool = True,
    frozen_dtype: torch.dtype = torch.float32,
    fast: bool = True,
) -> tuple[MaskedLM, bool]:
    """A masked language model ready to train, and whether its head came with the weights.

    Args:
        lora: None trains every weight of the encoder.
        train_encoder: False trains the head alone, on the encoder as it is: the baseline of a perplexity.
        frozen_dtype, fast: as `openmed.networks.build_tagger`.
    """
    model, trained_head = load_masked_lm(backbone)
    digest, revision = weights_digest(model), resolved_revision(backbone)
    if train_encoder and lora is not None:
        model = add_lora(model, lora, targets=backbone.lora_targets)
    transformer = unwrap(model)
    prefix = f"{transformer.base_model_prefix}."
    for name, parameter in transformer.named_parameters():
        if not name.startswith(prefix):
            parameter.requires_grad_(True)
        elif not train_encoder:
            parameter.requires_grad_(False)
    if lora is not None or not train_encoder:
        cast_frozen(model, frozen_dtype, vectors=fast)
    network = MaskedLM(model, base_digest=digest, revision=revision)
    return (network.speed_up() if fast else network).train(), trained_head
