"""`openmed pretrain-text build MIX.yaml --out DIR`: from raw sources to packed text that `module=dapt` trains on.

openmed pretrain-text build conf/pretrain_text/at_hand.yaml --out outputs/pretrain_text --workers 2
"""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from openmed.pretraining_text.build import Progress

SITTING_SECONDS = 30 * 24 * 3600.0
"""Longer than any sitting."""

app = typer.Typer(help="Text to pre-train on.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `build` a command of its own."""


@app.command()
def build(
    mix: Annotated[Path, typer.Argument(metavar="MIX.yaml", help="such as conf/pretrain_text/at_hand.yaml")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="new, or that of a build that was broken off")],
    workers: Annotated[int, typer.Option("--workers", help="processes")] = 1,
    backbone: Annotated[
        list[str] | None, typer.Option("--backbone", help="pack for this one's tokenizer (repeatable); else the mix's")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines: the manifest")] = False,
) -> None:
    """Clean, deduplicate, decontaminate and pack text; go on with a build that was broken off."""
    os.environ["TQDM_DISABLE"] = "1"  # the engine's bars: read when tqdm is first imported, so before all else
    from openmed.pretraining_text.build import MANIFEST
    from openmed.pretraining_text.build import build as build_text
    from openmed.pretraining_text.mix import Mix

    wanted = Mix.read(mix)
    if backbone:
        # The first one's tokenizer counts the tokens of passages: further ones join behind it.
        wanted = replace(wanted, backbones=tuple(dict.fromkeys([wanted.backbones[0], *backbone])))
    with _leaving_in_order(), _progress(shown=not as_json) as progress:
        manifest = build_text(wanted, out, workers=workers, progress=progress)
    if as_json:
        print(json.dumps(manifest, ensure_ascii=False))
        return
    _print(manifest)
    print(f"\n{out / MANIFEST} has it all\npre-train on it: python train.py module=dapt dataset.folder={out}")


def _print(manifest: dict[str, Any]) -> None:
    """What became of each source, and why."""
    from openmed.analysis.report.blocks import Prose, Section, Table
    from openmed.analysis.report.terminal import print_sections

    sources: dict[str, dict[str, Any]] = manifest["sources"]
    rows = [
        (
            name,
            counts["texts"],
            counts["passages"],
            sum(counts["low_quality"].values()),
            counts["contaminated"],
            counts["exact_duplicates"] + counts["near_duplicates"],
            counts["clean"],
        )
        for name, counts in sources.items()
    ]
    table = Table(("source", "texts", "passages", "poor", "contaminated", "copies", "clean"), rows)
    counted: Counter[str] = Counter()
    for counts in sources.values():
        counted.update(counts["left_out"])
    contaminated = {split: entry["passages"] for split, entry in manifest["contamination"].items()}
    notes = [
        f"Counted while reading and cutting: {_list(counted)}.",
        *(f"{name} has only {number:,} passages, fewer than asked for." for name, number in manifest["short"].items()),
        f"Contaminated, by what they stand in: {_list(contaminated)}.",
    ]
    if missing := manifest["not_decontaminated_against"]:
        notes.append(f"Not at hand, so not looked at: {', '.join(missing)}.")
    if later := manifest["came_later"]:
        notes.append(
            f"Came or changed when all was done, so not looked at: {', '.join(later)}. "
            "The same command with another --out builds a text without what stands there."
        )
    for name, packed in manifest["packed"].items():
        train, heldout = packed["train"], packed["heldout"]
        notes.append(
            f"Packed for {name}: {train['tokens']:,} tokens in {train['passages']:,} passages; "
            f"{heldout['tokens']:,} tokens are held out."
        )
    print_sections([Section(f"{manifest['name']}: passages of each source", [table, *map(Prose, notes)])])


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{what} {number:,}" for what, number in sorted(counts.items())) or "nothing"


@contextmanager
def _leaving_in_order() -> Iterator[None]:
    """SIGTERM is an exception here, as Ctrl-C is: workers are ended, and what is half written is removed."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A bar with the time left, on standard error while it is a terminal; else None."""
    from rich.console import Console

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield None
        return
    with _bars(console=console, transient=True) as bars:
        yield _Follow(bars)


def _bars(**settings: Any) -> Bars:
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    # The share moves when a task ends, perhaps once in minutes: speed is that of all this sitting, not of 30 seconds.
    return Bars(*columns, speed_estimate_period=SITTING_SECONDS, **settings)


class _Follow:
    """Moves a bar. What was done before the first call, in an earlier sitting, counts as done, but not as speed."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._bar: TaskID | None = None

    def __call__(self, share: float, stage: str) -> None:
        if self._bar is None:
            # rich measures from its first sample on, whose own advance it leaves out: one of almost nothing, now.
            begun = share - 1e-9
            self._bar = self._bars.add_task(stage, total=1.0, completed=begun)  # pyright: ignore[reportArgumentType]
        self._bars.update(self._bar, completed=share, description=stage)
