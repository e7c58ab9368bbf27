"""What stopping poor trials early would have saved: the pruners of a search, replayed over the curves of its trials.

    python train.py -m search=tpe search.pruner=none dataset=s800 backbone=minilm
    python -m benchmarks.pruning outputs/multirun/2026-01-01_12-00-00 --markdown docs/results/pruning.md

How the trials are replayed stands in `benchmarks.replay`. Their order is one draw (of which trials others are held
against, and of Hyperband's brackets), so shuffled orders are replayed, too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.replay import Curve, Replay, read_curves, replay, replay_shuffled, summary
from openmed.analysis.report.blocks import Prose, Section, Table
from openmed.analysis.report.drawing import COLOURS, INK, drawing, legend, svg
from openmed.analysis.report.markdown import to_markdown
from openmed.analysis.report.terminal import print_sections
from openmed.errors import OpenMedError
from openmed.search.settings import PRUNERS
from openmed.search.state import Sweep
from openmed.writers.atomic import atomic_path

TITLE = "What pruning saves"
CAVEAT = (
    "The trials were drawn by a search that saw every curve to its end. A search that stops trials early learns less "
    "from them and draws others afterwards; the replay measures the pruner on these trials, not that other search. "
    "Later trials tend to be better, since the search learns: the recorded order keeps that, shuffled ones do not."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Replay, print, write; exits with 1 where the folder holds no such search."""
    options = _arguments(arguments)
    try:
        sweep, curves = read_curves(options.sweep)
    except OpenMedError as error:
        sys.exit(f"error: {error}")
    recorded = {pruner: replay(sweep, curves, pruner) for pruner in PRUNERS}
    shuffled = replay_shuffled(sweep, curves, orders=options.orders, seed=options.seed)
    sections = [_section(sweep, curves, recorded, shuffled)]
    print_sections(sections)
    if options.out:
        content = _content(sweep, curves, recorded, shuffled, options.seed)
        _write(options.out, json.dumps(content, indent=1, allow_nan=False) + "\n")
    if options.markdown:
        _write(options.markdown, to_markdown(TITLE, sections))
    if options.plot:
        _write(options.plot, picture(curves, recorded))


def _section(
    sweep: Sweep, curves: Sequence[Curve], recorded: Mapping[str, Replay], shuffled: Mapping[str, Sequence[Replay]]
) -> Section:
    per_epoch = sweep.search["evaluations_per_epoch"]
    told = (
        f"python -m benchmarks.pruning over the folder of: python train.py -m {' '.join(sweep.arguments)}. "
        f"{len(curves)} trials, {len(sweep.jobs) - len(curves)} failed ones left out; "
        f"{sum(curve.epochs[-1] for curve in curves):.1f} epochs in all; evaluations an epoch: {per_epoch}."
    )
    columns = ["pruner", "epochs", "of all (%)", "trials stopped", "best dev F1 (%)", "points lost", "its rank"]
    rows = [
        [name, f"{a.epochs:.1f}", f"{100 * a.share:.1f}", a.num_stopped, f"{100 * a.f1:.2f}", f"{a.points:.2f}", a.rank]
        for name, a in recorded.items()
    ]
    note = "The best of the trials that were trained to their end, and its rank among all trials."
    blocks = [Prose(told), Table(columns, rows, title="In the order of the search", note=note)]
    if any(shuffled.values()):
        blocks.append(_shuffled_table(shuffled))
    return Section("", [*blocks, Prose(CAVEAT)])


def _shuffled_table(shuffled: Mapping[str, Sequence[Replay]]) -> Table:
    rows = []
    for name, replays in shuffled.items():
        found = summary(replays)
        shares = [f"{100 * found['share'][key]:.1f}" for key in ("mean", "low", "high")]
        points = [f"{found['points'][key]:.2f}" for key in ("mean", "low", "high")]
        rows.append([name, *_with_range(shares), *_with_range(points), f"{100 * found['best_kept']:.0f}"])
    columns = ["pruner", "of all epochs (%)", "5-95%", "points lost", "5-95%", "best trial kept (% of orders)"]
    num_orders = len(next(iter(shuffled.values())))
    return Table(
        columns, rows, title=f"In {num_orders} shuffled orders", note="Means, and where 90% of the orders lie."
    )


def _with_range(values: Sequence[str]) -> tuple[str, str]:
    mean, low, high = values
    return mean, f"{low} to {high}"


def _content(
    sweep: Sweep,
    curves: Sequence[Curve],
    recorded: Mapping[str, Replay],
    shuffled: Mapping[str, Sequence[Replay]],
    seed: int,
) -> dict[str, Any]:
    return {
        "sweep": sweep.folder.absolute().name,
        "arguments": sweep.arguments,
        # Without `storage`, whose address may hold a password.
        "search": {name: value for name, value in sweep.search.items() if name != "storage"},
        "optuna": metadata.version("optuna"),
        "recorded": {name: asdict(replayed) for name, replayed in recorded.items()},
        "shuffled": {"seed": seed, **{name: summary(replays) for name, replays in shuffled.items() if replays}},
        "curves": [asdict(curve) for curve in curves],
        "caveat": CAVEAT,
    }


def picture(curves: Sequence[Curve], recorded: Mapping[str, Replay]) -> str:
    """An SVG: each trial's curve, with marks where each pruner stops it."""
    with drawing(height_inches=4.2) as (canvas, axes):
        for curve in curves:
            axes.plot(curve.epochs, [100 * f1 for f1 in curve.f1], color=INK, linewidth=0.9, alpha=0.6)
        places = {curve.trial: dict(zip(curve.epochs, curve.f1, strict=True)) for curve in curves}
        marks = [name for name in recorded if name != "none"]
        for number, name in enumerate(marks):
            points = [(epochs, 100 * places[trial][epochs]) for trial, epochs in recorded[name].stops.items()]
            look = {"marker": "ox"[number], "markersize": 6 + 2 * number, "fillstyle": "none", "linestyle": "none"}
            label = f"stopped by {name}"
            axes.plot([x for x, _ in points], [y for _, y in points], color=COLOURS[number], label=label, **look)
        axes.set(xlabel="epochs", ylabel="dev F1 (%)")
        legend(axes)
        # Alone on a page the picture has no text colour to take; this grey is read on white and on black.
        return svg(canvas).replace("currentColor", INK) + "\n"


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"wrote {path}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pruning", description=f"{TITLE}, by replay.")
    parser.add_argument("sweep", type=Path, help="folder of a finished search=tpe search.pruner=none")
    parser.add_argument("--out", type=Path, metavar="JSON", help="write the numbers and all curves")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    parser.add_argument("--plot", type=Path, metavar="SVG", help="draw the curves, and where they are stopped")
    parser.add_argument("--orders", type=int, default=100, help="shuffled orders of the trials (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the shuffling")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
