"""The ceiling: how fast this machine multiplies matrices of MiniLM's shapes, and the share that a training reaches.

before = measured_rates(Sizes())        # ... what is timed ...
found = ceiling(rows, [before, measured_rates(Sizes())])
found["matrix_flops_per_second"]["bfloat16"], found["shares"][0]["share"]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.inputs import inputs
from benchmarks.process import in_ready_process
from benchmarks.rows import Row
from benchmarks.sizes import Sizes
from benchmarks.trainings import ALL_LINEAR, QUERY_VALUE

ROWS = 4096
"""Tokens of a product, as in a large batch."""
NUM_TIMINGS = 5
MOST_SECONDS = 2.0
"""Of a timing, but for a single product: bfloat16 is slow where the processor does not know it."""
ADAPTED = {QUERY_VALUE.name: ("query", "value"), ALL_LINEAR.name: ("query", "key", "value", "output", "up", "down")}
RANKS = {adapters.name: adapters.rank for adapters in (QUERY_VALUE, ALL_LINEAR)}


@dataclass(frozen=True)
class Shape:
    """A BERT-like encoder: layers, hidden size D, inner size F of the feed-forward part."""

    num_layers: int
    hidden: int
    inner: int

    def sizes(self) -> dict[str, tuple[int, int]]:
        """(inputs, outputs) of a layer's matrices."""
        square = (self.hidden, self.hidden)
        attention = {name: square for name in ("query", "key", "value", "output")}
        return attention | {"up": (self.hidden, self.inner), "down": (self.inner, self.hidden)}


MINILM = Shape(num_layers=6, hidden=384, inner=1536)


def training_flops(shape: Shape, adapted: Sequence[str], *, rank: int, mean_length: float) -> float:
    """Floating-point operations a token of LoRA training; a multiplication with its addition is two.

    Counted: each frozen matrix forward (2 per weight) and for the gradient of its input (2 per weight; none for query,
    key and value of the lowest layer, below which nothing is trained); each adapter's two low-rank products forward,
    for the gradients of its matrices and for that of its input (2 per weight each); attention's two products over a
    text of `mean_length` tokens, forward and twice that backward. Not counted, being small: embeddings, norms, gelu,
    softmax, dropout, head, optimiser. Frozen matrices get no gradient of their own, which is a third of full training.
    """
    sizes = shape.sizes()
    frozen = sum(inputs * outputs for inputs, outputs in sizes.values())
    lowest = sum(inputs * outputs for name, (inputs, outputs) in sizes.items() if name in ("query", "key", "value"))
    low_rank = sum(rank * sum(sizes[name]) for name in adapted)
    attention = 2 * 2 * mean_length * shape.hidden
    return shape.num_layers * (4 * frozen + 6 * low_rank + 3 * attention) - 2 * lowest


def ceiling(rows: Sequence[Row], measured: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """{matrix_flops_per_second, measured, shapes, shares}: a share for each side of each training row.

    Args:
        measured: what `measured_rates` gave, before the rows and after. A processor's clock moves; the best counts.
    """
    rates = {dtype: max(each[dtype] for each in measured) for dtype in measured[0]}
    shares = [
        _share(row, side, rates)
        for row in rows
        if row["settings"].get("lora") in ADAPTED and row["ratio"] and "peer" in row["settings"]
        for side in ("ours", "peer")
    ]
    hidden, inner = MINILM.hidden, MINILM.inner
    return {
        "matrix_flops_per_second": rates,
        "measured": [dict(each) for each in measured],
        "shapes": f"{ROWS}x{hidden}x{inner} and {ROWS}x{inner}x{hidden}",
        "shares": shares,
    }


def _share(row: Row, side: str, rates: dict[str, float]) -> dict[str, Any]:
    settings, facts = row["settings"], row["settings"][side]
    flops = training_flops(
        MINILM, ADAPTED[settings["lora"]], rank=RANKS[settings["lora"]], mean_length=facts["mean_length"]
    )
    highest = rates[settings["arithmetic"]] / flops
    return {
        "row": row["name"],
        "side": side,
        "flops_per_token": flops,
        "tokens_per_second": facts["tokens_per_second"],
        "ceiling_tokens_per_second": highest,
        "share": facts["tokens_per_second"] / highest,
    }


def measured_rates(sizes: Sizes) -> dict[str, float]:
    """{dtype: operations a second} of such products, in a process of their own."""
    return in_ready_process(matrix_rates, MINILM, sizes.products)


def training_rate(rates: Mapping[str, float]) -> float:
    """The rate in the arithmetic that `train.py` trains in here."""
    return rates["bfloat16" if inputs().bf16 else "float32"]


def matrix_rates(shape: Shape, num_products: int) -> dict[str, float]:
    """{dtype: operations a second} of the products of the feed-forward part, median of several timings.

    Args:
        num_products: of a timing, at most.
    """
    import torch
    from torch.nn.functional import linear

    rates = {}
    for dtype in (torch.bfloat16, torch.float32):
        generator = torch.Generator().manual_seed(1)
        x_RD = torch.randn(ROWS, shape.hidden, generator=generator).to(dtype)
        up_FD = torch.randn(shape.inner, shape.hidden, generator=generator).to(dtype)
        down_DF = torch.randn(shape.hidden, shape.inner, generator=generator).to(dtype)
        seconds = []
        with torch.inference_mode():
            linear(linear(x_RD, up_FD), down_DF)
            began = time.perf_counter()
            linear(linear(x_RD, up_FD), down_DF)
            number = max(1, min(num_products, int(MOST_SECONDS / (time.perf_counter() - began))))
            for _ in range(NUM_TIMINGS):
                began = time.perf_counter()
                for _ in range(number):
                    linear(linear(x_RD, up_FD), down_DF)
                seconds.append(time.perf_counter() - began)
        flops = number * 2 * (2 * ROWS * shape.hidden * shape.inner)
        rates[str(dtype).removeprefix("torch.")] = flops / statistics.median(seconds)
    return rates
