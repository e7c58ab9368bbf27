"""How far an encoder's last hidden states lie apart: their size, which no loss of a language model holds.

std = HiddenStd(size=384)
std.update(hidden_BLD, attention_mask_BL)
std.compute()       # 0.27
"""

from __future__ import annotations

import torch
from torchmetrics import Metric


class HiddenStd(Metric):
    """Root of the variance of last hidden states over pieces, averaged over their dimensions.

    Sums, so that batches and processes add up.

    Args:
        size: D of the hidden states.
    """

    full_state_update = False

    def __init__(self, size: int) -> None:
        super().__init__()
        self.total_D: torch.Tensor
        self.squares_D: torch.Tensor
        self.pieces: torch.Tensor
        self.add_state("total_D", torch.zeros(size, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("squares_D", torch.zeros(size, dtype=torch.float32), dist_reduce_fx="sum")
        self.add_state("pieces", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, hidden: torch.Tensor, mask: torch.Tensor) -> None:
        """Args:
        hidden: (B, L, D).
        mask: (B, L), 0 on padding.
        """
        hidden_ND = hidden[mask.bool()].float()
        # Not in place: what was reset under inference mode may not be changed outside of it.
        self.total_D = self.total_D + hidden_ND.sum(0)
        self.squares_D = self.squares_D + hidden_ND.square().sum(0)
        self.pieces = self.pieces + len(hidden_ND)

    def compute(self) -> torch.Tensor:
        """In float64 on the CPU."""
        total_D, squares_D, pieces = (state.cpu().double() for state in (self.total_D, self.squares_D, self.pieces))
        return (squares_D / pieces - (total_D / pieces).square()).mean().clamp_min(0).sqrt()
