"""Attention for CPUs: plain batched products and one softmax in place, with a backward of its own.

PyTorch's flash attention for CPUs is slow backward, and the eager code of transformers makes and keeps five tensors of
the size of the scores where one does. On other devices it is PyTorch's `scaled_dot_product_attention`.

Registered with transformers under the name `ATTENTION`; masks are added to the scores, (B, 1, 1, L) or None.

Shapes: B windows, H heads, L pieces, K head size; G = B * H.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

ATTENTION = "openmed"


class _Attention(torch.autograd.Function):
    """softmax(q k' * scaling + mask) v of (B, H, L, K) tensors; the result is (B, L, H, K)."""

    @staticmethod
    def forward(
        ctx: Any, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, scaling: float
    ) -> torch.Tensor:
        q_GLK, k_GLK, v_GLK = (_flat(q * scaling), _flat(k), _flat(v))
        scores_GLL = torch.bmm(q_GLK, k_GLK.transpose(1, 2))
        if mask is not None:
            scores_GLL.view(*q.shape[:2], *scores_GLL.shape[1:]).add_(mask)
        # In place: memory of this size that was never touched before costs as much as the softmax itself.
        probs_GLL = torch.ops.aten._softmax.out(scores_GLL, -1, False, out=scores_GLL)
        ctx.save_for_backward(q_GLK, k_GLK, v_GLK, probs_GLL)
        ctx.scaling = scaling
        return torch.bmm(probs_GLL, v_GLK).view(q.shape).transpose(1, 2).contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        q_GLK, k_GLK, v_GLK, probs_GLL = ctx.saved_tensors
        dout = grads[0].transpose(1, 2)
        dout_GLK = _flat(dout)
        dv_GLK = torch.bmm(probs_GLL.transpose(1, 2), dout_GLK)
        dscores_GLL = torch.bmm(dout_GLK, v_GLK.transpose(1, 2))
        torch.ops.aten._softmax_backward_data.out(dscores_GLL, probs_GLL, -1, probs_GLL.dtype, grad_input=dscores_GLL)
        dq_GLK = torch.bmm(dscores_GLL, k_GLK).mul_(ctx.scaling)
        dk_GLK = torch.bmm(dscores_GLL.transpose(1, 2), q_GLK)
        return dq_GLK.view(dout.shape), dk_GLK.view(dout.shape), dv_GLK.view(dout.shape), None, None


def _flat(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(-1, *x.shape[2:])


def additive_mask(attention_mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    """(B, L) of 1 and 0 as (B, 1, 1, L) to be added to scores; None where nothing is padding (CPU only)."""
    if attention_mask.device.type == "cpu" and bool(attention_mask.all()):
        return None
    mask = (1 - attention_mask[:, None, None, :]).to(dtype)
    return mask * torch.finfo(dtype).min


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers' attention interface asks for. `dropout` is 0 wherever this is put in (`exchange`)."""
    scaling = query.size(-1) ** -0.5 if scaling is None else scaling
    if query.device.type == "cpu":
        if torch.is_autocast_enabled("cpu"):
            query, key, value = (x.to(torch.get_autocast_dtype("cpu")) for x in (query, key, value))
        with torch.autocast("cpu", enabled=False):
            out = _Attention.apply(query, key, value, attention_mask, scaling)
        return out, None  # pyright: ignore[reportReturnType]
    out = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    return out.transpose(1, 2).contiguous(), None
