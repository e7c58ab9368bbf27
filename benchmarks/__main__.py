"""`python -m benchmarks`: measure every row on the CPU, print them, write cpu.json, cpu.md and cpu.png.

    python -m benchmarks                          # all rows, 20 to 40 minutes on two cores: what `make bench` runs
    python -m benchmarks --only train-query-value predict
    python -m benchmarks --tiny                   # to see that everything runs

Each row: medians of interleaved runs, each (but encoding) in a process of its own, equal outputs checked first. With
--only or --tiny rows are only printed, so that the results stay those of one run on one machine; --out FOLDER writes
them there.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.ceiling import ceiling, measured_rates, training_rate
from benchmarks.dapt import dapt
from benchmarks.facts import machine_facts
from benchmarks.growth import growth
from benchmarks.plot import plot_ratios
from benchmarks.prediction import predict
from benchmarks.process import call, in_ready_process
from benchmarks.report import COMMAND, page
from benchmarks.rows import Row, not_measured
from benchmarks.sizes import Sizes
from benchmarks.table import print_ceiling, print_rows
from benchmarks.text_build import text_build
from benchmarks.throughput import train_all_linear, train_query_value

RESULTS = Path(__file__).parent / "results"
GPU_COMMAND = "python -m benchmarks.gpu"


def encode(scratch: Path, sizes: Sizes) -> list[Row]:
    """Rows of `benchmarks.encode`, which times in its own process."""
    return in_ready_process(call, "benchmarks.encode", "measure")


def on_a_gpu(scratch: Path, sizes: Sizes) -> list[Row]:
    """What another command measures, so that the table says so."""
    return [
        not_measured(f"GPU, {work}", unit, peer_name=peer, goal=2.5, why=GPU_COMMAND)
        for work, unit, peer in (
            ("LoRA training", "text pieces/s", "Trainer + PEFT"),
            ("prediction", "documents/s", "transformers pipeline"),
        )
    ]


BENCHMARKS: Mapping[str, Callable[[Path, Sizes], list[Row]]] = {
    "train-query-value": train_query_value,
    "train-all-linear": train_all_linear,
    "encode": encode,
    "predict": predict,
    "pre-train": dapt,
    "build-text": text_build,
    "growth": growth,
    "gpu": on_a_gpu,
}


def main() -> None:
    """Measure, print, write; exits non-zero when a benchmark failed."""
    options = _arguments()
    began = time.monotonic()
    facts = machine_facts()
    before = measured_rates(Sizes.tiny() if options.tiny else Sizes())
    rate = training_rate(before)
    sizes = Sizes.tiny() if options.tiny else Sizes.for_machine(rate)
    machine = f"{facts['hardware']['cpu']}, {facts['hardware']['num_cores']} cores, {facts['threads']} threads"
    print(f"{machine}, {rate / 1e12:.2f} TFLOP/s", flush=True)
    with tempfile.TemporaryDirectory(prefix="openmed-bench-") as scratch:
        rows, failures, seconds = measure(options.only or list(BENCHMARKS), Path(scratch), sizes)
    found = ceiling(rows, [before, measured_rates(sizes)])
    print_rows(rows)
    print_ceiling(found)
    minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} minutes; {json.dumps(facts)}")
    if options.out or not (options.only or options.tiny):
        out = options.out or RESULTS
        out.mkdir(parents=True, exist_ok=True)
        command = COMMAND if out == RESULTS else shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
        results = {**facts, "command": command, "minutes": minutes, "seconds": seconds, "sizes": asdict(sizes)}
        results |= {"rows": rows, "failures": failures, "ceiling": found}
        (out / "cpu.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        (out / "cpu.md").write_text(page(results), encoding="utf-8")
        plot_ratios(rows, out / "cpu.png")
        print(f"wrote {out / 'cpu.json'}, cpu.md and cpu.png")
    for name, problem in failures.items():
        print(f"FAILED {name}: {problem}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def measure(names: list[str], scratch: Path, sizes: Sizes) -> tuple[list[Row], dict[str, str], dict[str, float]]:
    """(rows, what failed and why, how long each took) of the benchmarks of these names, one after the other."""
    rows: list[Row] = []
    failures: dict[str, str] = {}
    seconds: dict[str, float] = {}
    for name in names:
        began = time.monotonic()
        try:
            found = BENCHMARKS[name](scratch / name, sizes)
        except Exception as error:  # the others are still worth having
            traceback.print_exc()
            failures[name] = f"{type(error).__name__}: {error}".replace(str(scratch), "SCRATCH")
            continue
        rows += found
        seconds[name] = time.monotonic() - began
        print(f"{name}: {seconds[name]:.0f} s", flush=True)
    return rows, failures, seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Speed against the peers, on the CPU.")
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--tiny", action="store_true", help="the least that runs; the numbers mean nothing")
    parser.add_argument("--out", type=Path, help=f"folder for what is written (of all rows: {RESULTS.name}/)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
