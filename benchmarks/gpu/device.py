"""What a run was measured on, and how fast that device could be.

rating = rate_device("cuda")
rating.flops, rating.source, rating.matrix_flops
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.timing import synchronise
from openmed.networks.precision import data_sheet
from openmed.tracking import git_commit, hardware, versions

PEERS = ("accelerate", "tokenizers")


@dataclass(frozen=True)
class Rating:
    """FLOP a second that the device can do at most.

    Attributes:
        flops: what shares are taken of: the data sheet's, or the measured rate where that is not known.
        source: which of the two.
        matrix_flops: of one large bfloat16 matrix product, measured.
    """

    flops: float
    source: str
    matrix_flops: float


def rate_device(device: str, *, tiny: bool = False) -> Rating:
    """Measure a large matrix product, and look the device up."""
    size, repeats = (512, 4) if tiny else (8192, 20)
    rate = _matrix_rate(device, size, repeats)
    if device == "cuda" and (flops := data_sheet(torch.cuda.get_device_name())):
        return Rating(flops, "data sheet, dense bfloat16", rate)
    return Rating(rate, f"measured: a bfloat16 product of {size}x{size} matrices", rate)


def facts(device: str) -> dict[str, Any]:
    """{device, hardware, versions, git_commit}."""
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "hardware": hardware(),
        "versions": {
            **versions(),
            **{package: metadata.version(package) for package in PEERS},
            "cuda": torch.version.cuda,
        },
        "git_commit": git_commit(Path(__file__).parent),
    }


def _matrix_rate(device: str, size: int, repeats: int) -> float:
    """FLOP a second of a product of square matrices."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        torch.matmul(left, right)
    synchronise()
    began = time.perf_counter()
    for _ in range(repeats):
        torch.matmul(left, right)
    synchronise()
    return 2 * size**3 * repeats / (time.perf_counter() - began)
