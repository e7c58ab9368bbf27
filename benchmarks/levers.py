"""What each lever of training speed is worth: the training step as it is, and with one thing changed at a time.

    python -m benchmarks.levers                       # all of them, about 15 minutes on two cores
    python -m benchmarks.levers "no dropout" "SDPA"   # some, beside the step as it is

NCBI-disease, MiniLM, the default recipe (LoRA rank 16 on all linear layers), a plain loop without Lightning. Runs take
turns, each in a fresh process. A processor's clock moves: the matrix rate is measured between the steps, and tokens are
also given for a machine that always reaches the best rate seen.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from unittest.mock import patch

from benchmarks.process import in_fresh_process
from benchmarks.rows import NUM_RUNS

STEPS_TOKENS = 40_000
WARMUP_STEPS = 3
EXCHANGE = "openmed.networks.fast.exchange"
T = TypeVar("T")


@dataclass(frozen=True)
class Lever:
    """A change to the step.

    Attributes:
        off: functions of `openmed.networks.fast.exchange` that shall find nothing to exchange.
        backbone, lora, data, module: changed settings.
        environment: variables of the process.
        in_a_loop: AdamW over one tensor after the other, not fused.
        all_scores: tags are scored at each position, not at those that have a label.
        whole_gradient: the gradient goes down to the embeddings, as where nothing stops it.
        compiled: the encoder goes through `torch.compile`, for shapes that change; its warm-up is not timed but told.
    """

    off: tuple[str, ...] = ()
    backbone: Mapping[str, Any] = field(default_factory=dict)
    lora: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    module: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    flush_denormals: bool = False
    torch_dropout: bool = False
    threads: int | None = None
    in_a_loop: bool = False
    all_scores: bool = False
    whole_gradient: bool = False
    compiled: bool = False


AS_IT_IS = "as it is"
NO_EXCHANGE_OF_ATTENTION = ("_has_plain_attention",)
LEVERS: Mapping[str, Lever] = {
    AS_IT_IS: Lever(),
    "PEFT's and transformers' own code (module.fast=false)": Lever(module={"fast": False}),
    "PEFT's LoRA products": Lever(off=("_is_lora_linear",)),
    "torch's dropout": Lever(off=("_ends_layer_half",), torch_dropout=True),
    "transformers' layer ends": Lever(off=("_ends_layer_half",)),
    "transformers' eager attention": Lever(off=NO_EXCHANGE_OF_ATTENTION),
    "SDPA": Lever(off=NO_EXCHANGE_OF_ATTENTION, backbone={"attention": "sdpa"}),
    "denormal numbers taken for zero": Lever(flush_denormals=True),
    "no dropout": Lever(backbone={"dropout": 0.0}),
    "dropout of 0.05 in adapters": Lever(lora={"dropout": 0.05}),
    "frozen weights in float32": Lever(module={"frozen_dtype": "float32"}),
    "batches of 2,048 tokens": Lever(data={"max_tokens": 2048}),
    "batches of 4,096 tokens": Lever(data={"max_tokens": 4096}),
    "single sentences": Lever(data={"max_sentences": 1}),
    "freed memory kept (glibc)": Lever(
        environment={"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
    ),
    "one thread": Lever(threads=1),
    "a thread bound to each core": Lever(environment={"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}),
    "AdamW in a loop": Lever(in_a_loop=True),
    "scores at all positions": Lever(all_scores=True),
    "a gradient down to the embeddings": Lever(whole_gradient=True),
    "torch.compile": Lever(compiled=True),
    "torch.compile of PEFT's and transformers' own code": Lever(module={"fast": False}, compiled=True),
}


def main(names: list[str]) -> None:
    """Measure in turns and print a line for each lever.

    Raises:
        SystemExit: no lever of that name.
    """
    chosen = chosen_levers(names, LEVERS)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in chosen}
    for _ in range(NUM_RUNS):
        for name, lever in chosen.items():
            results[name].append(_in_environment(lever))
    best = max(result["matrix_rate"] for runs in results.values() for result in runs)
    base = _at(results[AS_IT_IS], best)
    arithmetic = results[AS_IT_IS][0]["dtype"]
    print(f"best matrix rate {best / 1e12:.3f} TFLOP/s ({arithmetic}), medians of {NUM_RUNS} runs")
    print(f"{'':56}tokens/s  at best rate  times as it is  padding  peak MB  warm-up s")
    for name, runs in results.items():
        tokens, scaled = statistics.median(r["tokens_per_second"] for r in runs), _at(runs, best)
        padding, peak = runs[0]["padding"], statistics.median(r["peak_mb"] for r in runs)
        warm = statistics.median(run["warmup_seconds"] for run in runs)
        print(f"{name:56}{tokens:8,.0f}{scaled:14,.0f}{scaled / base:16.2f}{padding:9.1%}{peak:9,.0f}{warm:11.1f}")


def chosen_levers(names: Sequence[str], levers: Mapping[str, T]) -> dict[str, T]:
    """The work as it is, then the levers of these names, of none all.

    Raises:
        SystemExit: no lever of that name.
    """
    if unknown := [name for name in names if name not in levers]:
        sys.exit(f"no such lever: {', '.join(unknown)}; there are {', '.join(levers)}")
    return {name: levers[name] for name in (AS_IT_IS, *(names or levers))}


def _at(runs: list[dict[str, Any]], best: float) -> float:
    return statistics.median(run["tokens_per_second"] * best / run["matrix_rate"] for run in runs)


def _in_environment(lever: Lever) -> dict[str, Any]:
    with patch.dict("os.environ", lever.environment):
        return in_fresh_process(_measure, lever)


def _measure(lever: Lever) -> dict[str, Any]:
    """{tokens_per_second, matrix_rate, padding, peak_mb, warmup_seconds, dtype} of some steps of training."""
    import resource
    from contextlib import ExitStack

    import torch
    from torch.nn.functional import linear

    import openmed
    from openmed.modules import NerModule
    from openmed.networks.precision import best_dtype

    dtype = best_dtype("cpu")
    torch.set_flush_denormal(lever.flush_denormals)
    if lever.threads is not None:
        torch.set_num_threads(lever.threads)
    torch.manual_seed(1)
    data = openmed.datamodule("ncbi", **{"max_tokens": 1024, **lever.data})
    data.setup("fit")
    with ExitStack() as stack:
        for function in lever.off:
            stack.enter_context(patch(f"{EXCHANGE}.{function}", lambda module: False))
        if lever.torch_dropout:
            stack.enter_context(patch(f"{EXCHANGE}.Dropout", torch.nn.Dropout))
        module = NerModule(
            backbone={**data.backbone.as_dict(), **lever.backbone},
            lora={"rank": 16, "alpha": 32, **lever.lora},
            optim={"lr": 2e-3},
            info=data.info.as_dict(),
            unit="sentences",
            **{"frozen_dtype": str(dtype).removeprefix("torch."), **lever.module},
        )
    if lever.compiled:
        module.network.transformer.base_model.compile(dynamic=True)
    if lever.whole_gradient:
        module.network.transformer.get_input_embeddings().register_forward_hook(
            lambda *given: given[-1].requires_grad_()
        )
    optimizer = module.configure_optimizers()
    for group in optimizer.param_groups if lever.in_a_loop else ():
        group.update(fused=False, foreach=False)
    a, b = torch.randn(4096, 384, dtype=dtype), torch.randn(1536, 384, dtype=dtype)
    seconds, warmup_seconds, tokens, positions = 0.0, 0.0, 0, 0
    rates: list[float] = []
    for number, batch in enumerate(data.train_dataloader()):
        began = time.perf_counter()
        linear(a, b)
        rates.append(2 * a.numel() * b.shape[0] / (time.perf_counter() - began))
        batch = _with_all_positions(batch) if lever.all_scores else batch
        began = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = module.loss(module(batch), batch.tag_ids)
        loss.backward()
        module.configure_gradient_clipping(optimizer, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        took = time.perf_counter() - began
        if number < WARMUP_STEPS:
            warmup_seconds += took
        else:
            seconds += took
            tokens, positions = tokens + batch.num_tokens, positions + batch.input_ids.numel()
        if tokens >= STEPS_TOKENS:
            break
    return {
        "tokens_per_second": tokens / seconds,
        "matrix_rate": statistics.median(rates),
        "padding": 1 - tokens / positions,
        "warmup_seconds": warmup_seconds,
        "dtype": str(dtype).removeprefix("torch."),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _with_all_positions(batch: Any) -> Any:
    """The same batch, of which each position is scored; those without a word count for nothing."""
    import torch

    from openmed.encoding import IGNORE

    tag_ids = torch.full((batch.input_ids.numel(),), IGNORE)
    tag_ids[batch.positions] = batch.tag_ids
    return replace(batch, positions=torch.arange(len(tag_ids)), tag_ids=tag_ids)


if __name__ == "__main__":
    main(sys.argv[1:])
