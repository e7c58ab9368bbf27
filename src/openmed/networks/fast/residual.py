"""The end of both halves of a BERT layer, LayerNorm(dropout(h) + residual), as one step of autograd.

y = add_and_norm(h, residual, norm, rate=0.1)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from openmed.networks.fast.dropout import keep_mask


class _AddAndNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        h: torch.Tensor,
        residual: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        eps: float,
        mask: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        total = h + residual if mask is None else torch.addcmul(residual, h, mask, value=scale)
        y, mean, rstd = torch.ops.aten.native_layer_norm(total, [total.shape[-1]], weight, bias, eps)
        ctx.save_for_backward(total, mean, rstd, weight, bias, mask)
        ctx.scale = scale
        return y

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        total, mean, rstd, weight, bias, mask = ctx.saved_tensors
        dtotal, _, _ = torch.ops.aten.native_layer_norm_backward(
            grads[0].contiguous(), total, [total.shape[-1]], mean, rstd, weight, bias, [True, False, False]
        )
        dh = dtotal if mask is None else (dtotal * mask).mul_(ctx.scale)
        return dh, dtotal, None, None, None, None, None


def add_and_norm(h: torch.Tensor, residual: torch.Tensor, norm: nn.LayerNorm, *, rate: float) -> torch.Tensor:
    """LayerNorm(dropout(h) + residual), the norm being frozen.

    Args:
        rate: of the dropout, 0 for none.
    """
    h, residual = h.to(norm.weight.dtype), residual.to(norm.weight.dtype)
    mask = keep_mask(h, rate) if rate else None
    y = _AddAndNorm.apply(h, residual, norm.weight, norm.bias, norm.eps, mask, 1 / (1 - rate))
    return y  # pyright: ignore[reportReturnType]
