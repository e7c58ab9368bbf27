"""LoRA training and prediction on a GPU: ours against Trainer + PEFT and the pipeline, at the sizes of real encoders.

    python -m benchmarks.gpu                            # all shapes in nine minutes; benchmarks/results/gpu.json
    python -m benchmarks.gpu --shapes deberta_large --lora all_linear --lengths mixed --out mixed.json
    python -m benchmarks.gpu --device cpu --tiny        # try the program where there is no GPU; the numbers say nothing

BERT and DeBERTa-v3, base and large, random weights, bfloat16, windows of 256 tokens. `--lengths full`: every row fills
its window, so nobody gains by padding; `mixed`: sentences as long as in abstracts, which ours joins and the peer pads.

Equal outputs come first: our losses may not be further from those of PEFT's own forward in float32 than bfloat16 makes
that forward, and both sides must find the same mentions. Each number is the median of three runs, ours and the peer's
in turn, each side at its best batch. The results are written anew after each row, so a call that is cut off leaves what
it has. Shapes that no longer fit into `--minutes` are left out and say so.

No network and no hub are needed. It takes a GPU, this repository, torch, transformers, peft, accelerate, lightning, and
the other packages of pyproject.toml. What a machine lacks can be brought as a folder of wheels, made elsewhere for its
Python (`pip download --only-binary=:all:`; `pip wheel` for packages without one), and need not be installed for good:

    pip install --no-index --no-deps --target site wheels/*.whl
    PYTHONPATH=site:src python -m benchmarks.gpu

Model FLOP utilisation counts 4 N FLOP a token for N frozen encoder parameters (2 N forward, 2 N for the gradient of
each layer's input) over the data sheet's dense bfloat16 peak, or over the measured matrix rate of a device whose data
sheet is not known here; attention, adapters and head come on top and are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import textwrap
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu.device import Rating, facts, rate_device
from benchmarks.gpu.language import Language
from benchmarks.gpu.measure import left_out, measure_shape
from benchmarks.gpu.ours import TINY, Sizes, Work
from benchmarks.gpu.shapes import SHAPES, Shape
from benchmarks.gpu.timing import Budget, NotMeasured, OutputsDiffer
from benchmarks.rows import Row

RESULTS = Path(__file__).parents[1] / "results" / "gpu.json"
NO_GPU = (
    "benchmarks.gpu needs a CUDA GPU and a torch built for it, and torch sees none "
    f"(torch {torch.__version__}). To try the program without numbers that mean anything: --device cpu --tiny"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 0 when all that was measured was sound, 1 when outputs differed or a shape failed."""
    options = _parse(arguments)
    # The Trainer would split its batches over all that it sees.
    os.environ["CUDA_VISIBLE_DEVICES"] = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0]
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    _quiet()
    if options.device == "cuda" and not torch.cuda.is_available():
        print(NO_GPU, file=sys.stderr)
        return 2
    budget = Budget(options.minutes)
    rating = rate_device(options.device, tiny=options.tiny)
    settings = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
    report = {**facts(options.device), "peak": asdict(rating), "settings": settings, "rows": []}
    print(f"{report['device']}; {report['versions']}")
    print(f"{rating.flops:.3g} FLOP/s ({rating.source}); matrix product {rating.matrix_flops:.3g} FLOP/s", flush=True)
    sound = True
    for row, is_sound in _rows(options, rating, budget):
        report["rows"].append(row)
        sound = sound and is_sound
        print(line(row), flush=True)
        if options.out is not None:
            options.out.parent.mkdir(parents=True, exist_ok=True)
            options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("\n".join(["", *map(line, report["rows"])]))
    return 0 if sound else 1


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES), metavar="SHAPE")
    parser.add_argument("--lora", default="paper", help="a file of conf/lora/ (default: %(default)s)")
    parser.add_argument("--lengths", choices=("full", "mixed"), default="full")
    parser.add_argument("--minutes", type=float, default=9.0, help="begin nothing new after so long (default: 9)")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small shapes and little work, to try the program")
    parser.add_argument(
        "--out", type=Path, help=f"results (default: {RESULTS.name} beside the others; none with --tiny)"
    )
    options = parser.parse_args(arguments)
    if options.out is None and not options.tiny:
        options.out = RESULTS
    return options


def _rows(options: argparse.Namespace, rating: Rating, budget: Budget) -> Iterator[tuple[Row, bool]]:
    """All rows, each with whether it is sound. A shape that fails does not lose the others."""
    languages: dict[str, Language] = {}
    slowest_seconds = 0.0
    for name in options.shapes:
        shape = SHAPES[name].tiny() if options.tiny else SHAPES[name]
        began, done, why, is_sound = time.monotonic(), 0, "no time left", True
        try:
            # The shapes grow, so one takes longer than those before it.
            if budget.left_seconds() < 1.5 * slowest_seconds:
                raise NotMeasured(why)
            if shape.architecture not in languages:
                languages[shape.architecture] = Language(shape.architecture)
            for row in _measured(shape, languages[shape.architecture], options, rating, budget):
                done += 1
                yield row, True
        except NotMeasured as reason:
            why, is_sound = str(reason), not isinstance(reason, OutputsDiffer)
        except Exception as error:
            traceback.print_exc()
            why, is_sound = f"{type(error).__name__}: {textwrap.shorten(str(error), 300)}", False
        slowest_seconds = max(slowest_seconds, time.monotonic() - began)
        for row in left_out(shape, options.lengths, done=done, why=why):
            yield row, is_sound


def _measured(
    shape: Shape, language: Language, options: argparse.Namespace, rating: Rating, budget: Budget
) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="openmed-gpu-") as folder:
        work = Work(
            shape,
            language,
            TINY if options.tiny else Sizes(),
            device=options.device,
            lora=options.lora,
            mixed=options.lengths == "mixed",
            folder=Path(folder),
        )
        yield from measure_shape(work, rating=rating, budget=budget)


def _quiet() -> None:
    """Reports of the libraries on weights that are new, and their bars, would bury the table."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)


def line(row: Row) -> str:
    """One line of the table."""
    goal = "" if row["goal"] is None else f"goal {row['goal']:g}"
    met = {True: "met", False: "missed", None: ""}[row["met"]]
    note = row.get("note", "")
    if row["ours"] is None:
        return f"{row['name']:42} {note} {goal}"
    ours, peer = (f"{row[side]:,.3g}" if row[side] < 100 else f"{row[side]:,.0f}" for side in ("ours", "peer"))
    numbers = f"ours {ours:>10}  {row['peer_name']} {peer:>10}  {row['unit']:14} {row['ratio']:6.2f} times"
    return f"{row['name']:42} {numbers}  {goal} {met} {note}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
