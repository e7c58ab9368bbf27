"""A LoRA layer's product as one step of autograd, in the precision of its frozen weight (autocast's, where that is on).

PEFT computes `W x + b` and `B (A x) * scale` apart: the input is cast to float32 and back, and four results of the
layer's full width are made and kept. Here the update is added in place, and backward keeps the input and `A x` alone.
PEFT still injects, names, saves and merges the weights; only `forward` is exchanged.

    layer.forward = partial(lora_forward, layer)

Shapes: T positions, I inputs, O outputs, R rank.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import linear


class _LoraProduct(torch.autograd.Function):
    """x W' + b + scale (adapted A') B', with gradients for x, adapted, A and B; W and b are frozen.

    `adapted` is what LoRA's dropout makes of x, or None where there is no such dropout and x itself is meant.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        adapted: torch.Tensor | None,
        weight_OI: torch.Tensor,
        bias_O: torch.Tensor | None,
        a_RI: torch.Tensor,
        b_OR: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        dtype = weight_OI.dtype
        x_TI = x.reshape(-1, x.shape[-1]).to(dtype)
        adapted_TI = x_TI if adapted is None else adapted.reshape(-1, x.shape[-1]).to(dtype)
        a_RI, b_OR = a_RI.to(dtype), (b_OR * scale).to(dtype)
        inner_TR = adapted_TI @ a_RI.T
        y_TO = linear(x_TI, weight_OI, None if bias_O is None else bias_O.to(dtype)).addmm_(inner_TR, b_OR.T)
        ctx.save_for_backward(adapted_TI, inner_TR, weight_OI, a_RI, b_OR)
        ctx.scale, ctx.shape = scale, x.shape
        ctx.dtypes = x.dtype, None if adapted is None else adapted.dtype
        return y_TO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[Any, ...]:
        adapted_TI, inner_TR, weight_OI, a_RI, b_OR = ctx.saved_tensors
        x_dtype, adapted_dtype = ctx.dtypes
        dy_TO = grads[0].reshape(-1, grads[0].shape[-1]).to(weight_OI.dtype)
        dinner_TR = dy_TO @ b_OR
        da_RI = (dinner_TR.T @ adapted_TI).float()
        db_OR = (inner_TR.T @ dy_TO).T.float() * ctx.scale
        dx = dadapted = None
        if ctx.needs_input_grad[0]:
            dx = dy_TO @ weight_OI
            if adapted_dtype is None:
                dx.addmm_(dinner_TR, a_RI)
            dx = dx.view(ctx.shape).to(x_dtype)
        if adapted_dtype is not None and ctx.needs_input_grad[1]:
            dadapted = (dinner_TR @ a_RI).view(ctx.shape).to(adapted_dtype)
        return dx, dadapted, None, None, da_RI, db_OR, None


def lora_forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """What `forward` of PEFT's LoRA `Linear` gives, with its one adapter switched on."""
    if layer.merged or layer.disable_adapters:
        return layer.base_layer(x)
    (name,) = layer.active_adapters
    adapted = layer.lora_dropout[name](x)
    weight, device = layer.base_layer.weight, x.device.type
    if torch.is_autocast_enabled(device):
        weight = weight.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        product = _LoraProduct.apply(
            x,
            None if adapted is x else adapted,
            weight,
            layer.base_layer.bias,
            layer.lora_A[name].weight,
            layer.lora_B[name].weight,
            layer.scaling[name],
        )
    return product  # pyright: ignore[reportReturnType]
