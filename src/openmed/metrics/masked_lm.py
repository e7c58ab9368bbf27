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
    """Sums, so that batches, processes and shards add up.

    Some devices (Apple's MPS) have no float64: the loss is summed in float32, and what each sum rounds off beside it.
    """

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.nats: torch.Tensor
        self.rounded_off: torch.Tensor
        self.correct: torch.Tensor
        self.masked: torch.Tensor
        self.add_state("nats", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("rounded_off", torch.zeros((), dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("masked", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Args:
        logits: (M, V) of the masked pieces.
        labels: (M,) what stood there.
        """
        # Not in place: what was reset under inference mode may not be changed outside of it.
        before, more = self.nats, cross_entropy(logits.float(), labels, reduction="sum")
        self.nats = before + more
        # Knuth's two-sum: exactly what the line above lost, whichever of the two is the larger.
        taken = self.nats - before
        self.rounded_off = self.rounded_off + ((before - (self.nats - taken)) + (more - taken))
        self.correct = self.correct + (logits.argmax(-1) == labels).sum()
        self.masked = self.masked + len(labels)

    def compute(self) -> dict[str, torch.Tensor]:
        """Loss in nats per masked piece, its exponential, the share of pieces guessed, and how many there were.

        On the CPU, in float64.
        """
        nats, rounded_off, correct, masked = (
            state.cpu().double() for state in (self.nats, self.rounded_off, self.correct, self.masked)
        )
        loss = (nats + rounded_off) / masked
        return {"loss": loss, "perplexity": loss.exp(), "accuracy": correct / masked, "masked": masked}
