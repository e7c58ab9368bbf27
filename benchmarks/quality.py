"""`make bench-quality`: whole trainings, ours and the peers'; time to a score, peak memory, dev F1 over seeds.

    python -m benchmarks.quality                      # all that is not done yet; stop it and go on whenever you like
    python -m benchmarks.quality ours-seed1 spacy     # these, unless they are done
    python -m benchmarks.quality --redo ours-seed1    # this one again
    python -m benchmarks.quality --report             # train nothing: rows and plot of what is done

Writes benchmarks/results/quality/JOB.json as soon as a job ends, quality.json and quality.png after each.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.facts import machine_facts, same_machine
from benchmarks.process import in_fresh_process
from benchmarks.quality_jobs import JOBS, Record, open_jobs, read_records, run_job
from benchmarks.quality_rows import quality_rows
from benchmarks.rows import Row
from benchmarks.table import print_jobs, print_rows
from openmed.writers.atomic import atomic_path

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Train what is open, print, write; exits non-zero when a job failed."""
    options = _arguments()
    done = options.out / "quality"
    todo = [] if options.report else open_jobs(options.jobs, read_records(done), redo=options.redo)
    facts = machine_facts() if todo else {}
    if todo and (problem := of_another_machine(read_records(done), facts, redo=todo)):
        sys.exit(f"{problem}; give --out FOLDER")
    failures = train(todo, done, facts)
    records = read_records(done)
    rows = report(records, options.out)
    print_jobs(list(records.values()))
    print_rows(rows)
    for name, problem in failures.items():
        print(f"FAILED {name}: {problem}", file=sys.stderr)
    sys.exit(1 if failures else 0)


def of_another_machine(
    records: Mapping[str, Record], facts: Mapping[str, Any], *, redo: Collection[str] = ()
) -> str | None:
    """What is wrong with setting trainings of this machine beside these records, but for those done again."""
    others = [name for name, record in records.items() if name not in redo and not same_machine(record, facts)]
    if not others:
        return None
    theirs, mine = records[others[0]]["hardware"], facts["hardware"]
    return f"{', '.join(others)} were measured on another machine, {theirs}; this one is {mine}"


def train(names: Sequence[str], done: Path, facts: Mapping[str, Any]) -> dict[str, str]:
    """Run these jobs one after the other, each record written when it is there. Returns what failed and why."""
    failures = {}
    for name in names:
        print(f"{name} ({JOBS[name].what}) ...", flush=True)
        with tempfile.TemporaryDirectory(prefix="openmed-quality-") as scratch:
            try:
                record = run_job(name, Path(scratch) / name, facts=facts)
                _write_json(record, done / f"{name}.json")
                report(read_records(done), done.parent)
            except Exception as error:  # the others are still worth having
                traceback.print_exc()
                failures[name] = f"{type(error).__name__}: {error}".replace(scratch, "SCRATCH")
                continue
        print(
            f"{name}: {record['seconds']:.0f} s, {record['peak_bytes'] / 2**20:.0f} MiB, dev F1 "
            f"{100 * record['best_dev_f1']:.2f} after {record['seconds_to_best']:.0f} s",
            flush=True,
        )
    return failures


def report(records: Mapping[str, Record], out: Path) -> list[Row]:
    """Write quality.json and quality.png of the records; returns the rows."""
    rows = quality_rows(records)
    _write_json({"rows": rows, "jobs": list(records), "open": [job for job in JOBS if job not in records]},
                out / "quality.json")  # fmt: skip
    if records:
        in_fresh_process(_plot, curves(records), out / "quality.png")  # this process starts trainings: it stays small
    return rows


def curves(records: Mapping[str, Record]) -> dict[str, list[list[tuple[float, float]]]]:
    """What was trained -> (seconds, dev F1) of each of its seeds."""
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for job, record in records.items():
        points = [(evaluation["seconds"], evaluation["dev_f1"]) for evaluation in record["evaluations"]]
        found.setdefault(JOBS[job].what, []).append(points)
    return found


def _plot(found: dict[str, list[list[tuple[float, float]]]], path: Path) -> None:
    from benchmarks.plot import plot_curves

    plot_curves(found, path)


def _write_json(content: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description="Whole trainings, on the CPU.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--redo", nargs="+", default=[], choices=JOBS, metavar="JOB", help="do these again")
    parser.add_argument("--report", action="store_true", help="train nothing: rows and plot of what is done")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    if unknown := [job for job in options.jobs if job not in JOBS]:
        parser.error(f"no such job: {', '.join(unknown)}; there are {', '.join(JOBS)}")
    return options


if __name__ == "__main__":
    main()
