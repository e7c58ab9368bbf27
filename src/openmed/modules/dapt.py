"""Domain-adaptive pre-training: masked language modelling with LoRA, or of all weights, or of the head alone.

module = DaptModule(backbone=spec, lora={"rank": 16, "alpha": 32}, optim={"lr": 2e-4})
trainer.fit(module, datamodule)     # a TextDataModule
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from openmed.encoding.masking import MaskedBatch
from openmed.errors import ConfigError, nearest
from openmed.metrics.hidden_std import HiddenStd
from openmed.metrics.masked_lm import MaskedLMScore
from openmed.metrics.names import HIDDEN_STD, TRAIN_LOSS, score_name
from openmed.modules.base import DTYPES, TrainedModule
from openmed.modules.optim import OptimSpec
from openmed.networks import BackboneSpec, LoraSpec
from openmed.networks.masked_lm import MaskedLM, build_masked_lm


class DaptModule(TrainedModule[MaskedLM]):
    """Masked language modelling.

    Args:
        backbone: a `BackboneSpec` as a dict.
        lora: a `LoraSpec` as a dict; None (or rank None) trains all weights.
        optim: an `OptimSpec` as a dict.
        max_pieces: length of the rows.
        train_encoder: False trains the head alone. Of a backbone whose weights bring no head, a perplexity before
            training means nothing, and after training much of the gain is the head's: this is what to compare with.
        frozen_dtype, fast: as `NerModule`.

    Attributes:
        trained_head: whether the head came with the weights.

    Raises:
        ConfigError: settings out of range, a LoRA target that matches nothing, rows too long for the backbone.
        BackboneError: weights that cannot be loaded, or of an architecture without a known head.
    """

    def __init__(
        self,
        *,
        backbone: Mapping[str, Any],
        lora: Mapping[str, Any] | None,
        optim: Mapping[str, Any],
        max_pieces: int,
        train_encoder: bool = True,
        frozen_dtype: str = "float32",
        fast: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if frozen_dtype not in DTYPES:
            raise ConfigError(f"unknown module.frozen_dtype {frozen_dtype!r}", mend=nearest(frozen_dtype, DTYPES))
        self.optim = OptimSpec.from_mapping(optim)
        self.network, self.trained_head = build_masked_lm(
            BackboneSpec.from_mapping(backbone),
            LoraSpec.from_mapping(lora),
            train_encoder=train_encoder,
            frozen_dtype=DTYPES[frozen_dtype],
            fast=fast,
        )
        limit = self.network.max_pieces
        if limit is not None and max_pieces > limit:
            raise ConfigError(
                f"window.max_pieces={max_pieces} is more than the {limit} positions of this backbone",
                mend=f"choose window.max_pieces={limit} or less",
            )
        self.score = MaskedLMScore()
        self.hidden_std = HiddenStd(self.network.transformer.config.hidden_size)

    def forward(self, batch: MaskedBatch) -> torch.Tensor:
        """Scores (M, V) of the batch's masked pieces."""
        return self.network(batch)

    def training_step(self, batch: MaskedBatch, batch_idx: int) -> torch.Tensor:
        loss = cross_entropy(self(batch).float(), batch.labels)
        self.log(TRAIN_LOSS, loss, prog_bar=True, batch_size=len(batch.labels))
        return loss

    def validation_step(self, batch: MaskedBatch, batch_idx: int) -> None:
        hidden_BLD = self.network.encode(batch.input_ids, batch.attention_mask)
        self.score.update(self.network.score(hidden_BLD, batch.positions).float(), batch.labels)
        self.hidden_std.update(hidden_BLD, batch.attention_mask)

    def on_validation_epoch_end(self) -> None:
        """Log loss, perplexity and accuracy over all masked pieces of the held-out text; the states' size."""
        for name, value in self.score.compute().items():
            self.log(score_name("dev", name), value, prog_bar=name == "perplexity")
        self.log(score_name("dev", HIDDEN_STD), self.hidden_std.compute())
        self.score.reset()
        self.hidden_std.reset()
