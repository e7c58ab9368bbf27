"""Which arithmetic a device is good at, and how good.

best_dtype("cpu")              # torch.bfloat16 on a CPU with AMX or AVX512-BF16, else torch.float32
data_sheet("NVIDIA H200")      # 989e12
"""

from __future__ import annotations

import re

import torch

PEAKS = {r"H100.*HBM3": 989e12, r"H200(?! NVL)": 989e12, r"A100": 312e12}
"""Dense bfloat16 FLOP/s of the data sheets, by what the device calls itself (the H100 that is meant is the SXM one)."""


def best_dtype(device: str) -> torch.dtype:
    """bfloat16 where the hardware multiplies matrices in it, else float32.

    float16 is never chosen: DeBERTa-v3 overflows in it.
    """
    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    if device.startswith("cpu"):
        return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32
    return torch.float32


def best_precision(device: str) -> str:
    """The same in the words of Lightning's Trainer: "bf16-mixed" or "32-true"."""
    return "bf16-mixed" if best_dtype(device) == torch.bfloat16 else "32-true"


def data_sheet(name: str) -> float | None:
    """Dense bfloat16 FLOP/s of a device of that name, as its maker states them; None where they are not known here."""
    return next((flops for pattern, flops in PEAKS.items() if re.search(pattern, name)), None)
