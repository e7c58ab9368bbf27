"""A LoRA layer's product as one step of autograd, in the precision of its frozen weight (autocast's, where that is on).

PEFT computes `W x + b` and `B (A x) * scale` apart: the input is cast to float32 and back, and four results of the
layer's full width are made and kept. Here the update is added in place, and backward keeps the input (as LoRA's dropout
leaves it, and its mask) and `A x` alone.
PEFT still injects, names, saves and merges the weights; only `forward` is exchanged.

    layer.forward = partial(lora_forward, layer)

Shapes: T positions, I inputs, O outputs, R rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.functional import linear

from openmed.networks.fast.dropout import keep_mask


class _LoraProduct(torch.autograd.Function):
    """x W' + b + scale (dropout(x) A') B', with gradients for x, A and B; W and b are frozen.

    What makes up for what the dropout drops goes into the scale, and its gradient is added to that of x in one step.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight_OI: torch.Tensor,
        bias_O: torch.Tensor | None,
        a_RI: torch.Tensor,
        b_OR: torch.Tensor,
        scale: float,
        rate: float,
    ) -> torch.Tensor:
        dtype = weight_OI.dtype
        x_TI = x.reshape(-1, x.shape[-1]).to(dtype)
        mask_TI = keep_mask(x_TI, rate) if rate else None
        adapted_TI = x_TI if mask_TI is None else x_TI * mask_TI
        scale /= 1 - rate
        a_RI, b_OR = a_RI.to(dtype), (b_OR * scale).to(dtype)
        inner_TR = adapted_TI @ a_RI.T
        y_TO = linear(x_TI, weight_OI, None if bias_O is None else bias_O.to(dtype)).addmm_(inner_TR, b_OR.T)
        ctx.save_for_backward(adapted_TI, mask_TI, inner_TR, weight_OI, a_RI, b_OR)
        ctx.scale, ctx.shape, ctx.dtype = scale, x.shape, x.dtype
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[Any, ...]:
        adapted_TI, mask_TI, inner_TR, weight_OI, a_RI, b_OR = ctx.saved_tensors
        dy_TO = grads[0].reshape(-1, grads[0].shape[-1]).to(weight_OI.dtype)
        dinner_TR = dy_TO @ b_OR
        da_RI = (dinner_TR.T @ adapted_TI).float()
        db_OR = (inner_TR.T @ dy_TO).T.float() * ctx.scale
        dx = None
        if ctx.needs_input_grad[0]:
            dx_TI = dy_TO @ weight_OI
            dx_TI = dx_TI.addmm_(dinner_TR, a_RI) if mask_TI is None else dx_TI.addcmul_(dinner_TR @ a_RI, mask_TI)
            dx = dx_TI.view(ctx.shape).to(ctx.dtype)
        return dx, None, None, da_RI, db_OR, None, None


def lora_forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """What `forward` of PEFT's LoRA `Linear` gives, with its one adapter switched on."""
    if layer.merged or layer.disable_adapters:
        return layer.base_layer(x)
    (name,) = layer.active_adapters
    dropout = layer.lora_dropout[name]
    weight, device = layer.base_layer.weight, x.device.type
    if torch.is_autocast_enabled(device):
        weight = weight.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        product = _LoraProduct.apply(
            x,
            weight,
            layer.base_layer.bias,
            layer.lora_A[name].weight,
            layer.lora_B[name].weight,
            layer.scaling[name],
            dropout.p if isinstance(dropout, nn.Dropout) and dropout.training else 0.0,
        )
    return product  # pyright: ignore[reportReturnType]
