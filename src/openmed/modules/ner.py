"""The NER task: frozen encoder with LoRA, linear head, label-smoothed cross-entropy on words, scores on spans.

module = NerModule(backbone=spec, lora={"rank": 16, "alpha": 32}, optim={"lr": 1e-3}, info=info.as_dict(),
unit="sentences") trainer.fit(module, datamodule)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from openmed.encoding import IGNORE, VIEWS, Batch, TaggingInfo, Units, legal_matrix, log_softmax
from openmed.errors import ConfigError, nearest
from openmed.metrics.entity_f1 import EntityF1
from openmed.metrics.names import DEV_LOSS, TRAIN_LOSS, score_name
from openmed.modules.base import DTYPES, TrainedModule
from openmed.modules.optim import OptimSpec
from openmed.networks import BackboneSpec, LoraSpec, Tagger, build_tagger
from openmed.spans import Span


@dataclass
class _Evaluation:
    """What one view's evaluation gathers: scores of the words seen, then the spans decoded from them."""

    emissions: np.ndarray | None = None
    predicted: list[tuple[Span, ...]] = field(default_factory=list)


class NerModule(TrainedModule[Tagger]):
    """Token classification with LoRA.

    Args:
        backbone: a `BackboneSpec` as a dict.
        lora: a `LoraSpec` as a dict; None (or rank None) trains all weights.
        optim: an `OptimSpec` as a dict.
        info: a `TaggingInfo` as a dict.
        unit: the view whose score is *the* score: "sentences" or "documents".
        label_smoothing: share of the target spread over all tags.
        head_dropout: dropout before the head.
        frozen_dtype: "float32" or "bfloat16": how weights that are not trained are kept.
        fast: our own forward and backward of adapters, dropout and attention; False leaves PEFT's and transformers'.

    Attributes:
        scored_at: the optimiser step at which dev was last scored in training; None where that was not in this process,
            or dev was scored outside of training since.

    Raises:
        ConfigError: settings out of range, a LoRA target that matches nothing, windows too long for the backbone.
        BackboneError: weights that cannot be loaded.
    """

    def __init__(
        self,
        *,
        backbone: Mapping[str, Any],
        lora: Mapping[str, Any] | None,
        optim: Mapping[str, Any],
        info: Mapping[str, Any],
        unit: str,
        label_smoothing: float = 0.1,
        head_dropout: float = 0.0,
        frozen_dtype: str = "float32",
        fast: bool = True,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        if not 0 <= label_smoothing < 1:
            raise ConfigError(f"module.label_smoothing={label_smoothing} is outside 0..1")
        if frozen_dtype not in DTYPES:
            raise ConfigError(f"unknown module.frozen_dtype {frozen_dtype!r}", mend=nearest(frozen_dtype, DTYPES))
        self.info = TaggingInfo.from_mapping(info)
        self.optim = OptimSpec.from_mapping(optim)
        self.unit = unit
        self.label_smoothing = label_smoothing
        self.network = build_tagger(
            BackboneSpec.from_mapping(backbone),
            LoraSpec.from_mapping(lora),
            num_tags=len(self.info.tags),
            head_dropout=head_dropout,
            frozen_dtype=DTYPES[frozen_dtype],
            fast=fast,
        )
        limit = self.network.max_pieces
        if limit is not None and self.info.max_pieces > limit:
            raise ConfigError(
                f"window.max_pieces={self.info.max_pieces} is more than the {limit} positions of this backbone",
                mend=f"choose window.max_pieces={limit} or less",
            )
        self.metrics = torch.nn.ModuleDict({view: EntityF1(self.info.types) for view in VIEWS})
        self._legal = legal_matrix(self.info.tags)
        self._evaluations: dict[str, _Evaluation] = {}
        self.scored_at: int | None = None

    def forward(self, batch: Batch) -> torch.Tensor:
        """Scores (N, C) of the batch's words."""
        return self.network(batch)

    def loss(self, emissions_NC: torch.Tensor, tag_ids_N: torch.Tensor) -> torch.Tensor:
        """Mean label-smoothed cross-entropy over the words that have a gold tag."""
        return cross_entropy(emissions_NC, tag_ids_N, ignore_index=IGNORE, label_smoothing=self.label_smoothing)

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        loss = self.loss(self(batch), batch.tag_ids)
        self.log(TRAIN_LOSS, loss, prog_bar=True, batch_size=len(batch.tag_ids))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        emissions = self._evaluate(batch, dataloader_idx, self._loaders("dev"))
        if self._loaders("dev")[dataloader_idx].units.view == self.unit:
            loss = self.loss(emissions, batch.tag_ids)
            self.log(DEV_LOSS, loss, batch_size=len(batch.tag_ids), add_dataloader_idx=False, sync_dist=True)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._evaluate(batch, dataloader_idx, self._loaders("test"))

    def on_validation_epoch_start(self) -> None:
        self._evaluations = {view: _Evaluation() for view in VIEWS}

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self._score("dev")
        in_training = self.trainer.state.fn == "fit" and not self.trainer.sanity_checking
        self.scored_at = self.trainer.global_step if in_training else None

    def on_test_epoch_end(self) -> None:
        self._score("test")

    def predicted(self, view: str) -> list[tuple[Span, ...]]:
        """Spans of each unit of the last evaluation's view, in this process's order of units."""
        return self._evaluations[view].predicted

    def emissions(self) -> np.ndarray | None:
        """Scores (num_words, C) of the last evaluation in the corpus's own unit; None where that was left out."""
        return self._evaluations[self.unit].emissions

    def _loaders(self, split: str) -> Sequence[Any]:
        loaders = self.trainer.val_dataloaders if split == "dev" else self.trainer.test_dataloaders
        assert loaders is not None
        return loaders

    def _evaluate(self, batch: Batch, dataloader_idx: int, loaders: Sequence[Any]) -> torch.Tensor:
        emissions_NC = self(batch)
        units: Units = loaders[dataloader_idx].units
        gathered = self._evaluations[units.view]
        if gathered.emissions is None:
            num_words = units.encoded.num_words
            gathered.emissions = np.zeros((num_words, len(self.info.tags)), dtype=np.float32)
        gathered.emissions[batch.words.numpy()] = emissions_NC.float().cpu().numpy()
        return emissions_NC

    def _score(self, split: str) -> None:
        """Decode every unit and log precision, recall and F1: of each view, and of the corpus's own unit."""
        for loader in self._loaders(split):
            units: Units = loader.units
            view = units.view
            metric = self.metrics[view]
            assert isinstance(metric, EntityF1)
            metric.reset()
            gathered = self._evaluations[view]
            if gathered.emissions is not None:  # None when limit_val_batches left this view out
                log_probs = log_softmax(gathered.emissions)
                gathered.predicted = [
                    units.decode(unit, log_probs[first:last], self.info.tags, self._legal)
                    for unit, (first, last) in enumerate(units.bounds.tolist())
                ]
                metric.update([units.gold(unit) for unit in range(len(units))], gathered.predicted)
            if view != self.unit:  # the scores of the corpus's own unit stay: the temperature is fitted on them
                gathered.emissions = None
            for name, value in metric.compute().items():
                self.log(score_name(split, name, view), value)
                if view == self.unit:
                    self.log(score_name(split, name), value, prog_bar=name == "f1")
