"""Loss, perplexity and accuracy of a masked language model over all masked pieces, not averaged over batches.

score = MaskedLMScore()
score.update(logits_MV, labels_M)
score.compute()         # {"loss": ..., "perplexity": ..., "accuracy": ..., "masked": ...}
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy
from torchmetrics import Metric


class MaskedLMScore(Metric):
    """Sums, so that batches, processes and shards add up."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.nats: torch.Tensor
        self.correct: torch.Tensor
        self.masked: torch.Tensor
        self.add_state("nats", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("masked", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Args:
        logits: (M, V) of the masked pieces.
        labels: (M,) what stood there.
        """
        # Not in place: what was reset under inference mode may not be changed outside of it.
        self.nats = self.nats + cross_entropy(logits, labels, reduction="sum").double()
        self.correct = self.correct + (logits.argmax(-1) == labels).sum()
        self.masked = self.masked + len(labels)

    def compute(self) -> dict[str, torch.Tensor]:
        """Loss in nats per masked piece, its exponential, the share of pieces guessed, and how many there were."""
        loss = self.nats / self.masked
        return {
            "loss": loss,
            "perplexity": loss.exp(),
            "accuracy": self.correct / self.masked,
            "masked": self.masked,
        }
