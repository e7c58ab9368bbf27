"""Dropout that does not wait for random numbers.

On a CPU, PyTorch draws one number per element, one after the other, and that is the dearest step of all after the
matrix products. Here four elements share one 64-bit draw of NumPy's SFC64, 16 bits each, so that the rate is met to
1/65,536. The seed of each mask comes from torch's generator: seeds and saved random states hold as ever.

    module = Dropout(0.1)      # in the place of nn.Dropout
    mask = keep_mask(x, 0.1)   # 1 where x is kept, 0 where it is dropped
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

_DRAWS = 2**16


def keep_mask(like: torch.Tensor, rate: float) -> torch.Tensor:
    """1 where an element is kept, 0 where it is dropped (by chance, `rate`): shape, dtype and device of `like`."""
    if like.device.type != "cpu":
        return torch.empty_like(like).bernoulli_(1 - rate)
    size = like.numel()
    generator = np.random.SFC64(int(torch.randint(2**62, ())))
    bits = torch.from_numpy(generator.random_raw(-(-size // 4)).view(np.int16))[:size].view(like.shape)
    first_kept = min(round(rate * _DRAWS), _DRAWS - 1) - _DRAWS // 2  # the draws are signed
    return torch.ge(bits, first_kept, out=torch.empty(like.shape, dtype=like.dtype))


class _Dropped(torch.autograd.Function):
    """`x * mask * scale`, remembering the mask alone."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, mask: torch.Tensor, scale: float) -> torch.Tensor:
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return (x * mask).mul_(scale)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (mask,) = ctx.saved_tensors
        return (grads[0] * mask).mul_(ctx.scale), None, None


class Dropout(nn.Dropout):
    """`nn.Dropout` with the quick masks on a CPU; elsewhere it is what it inherits."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0 or input.device.type != "cpu":
            return super().forward(input)
        return _Dropped.apply(input, keep_mask(input, self.p), 1 / (1 - self.p))  # pyright: ignore[reportReturnType]
