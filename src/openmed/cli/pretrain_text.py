"""`openmed pretrain-text build MIX.yaml --out DIR`: from raw sources to packed text that `module=dapt` trains on.

openmed pretrain-text build conf/pretrain_text/at_hand.yaml --out outputs/pretrain_text --workers 2
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from openmed.pretraining_text.build import Progress

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
    with _progress(shown=not as_json) as progress:
        manifest = build_text(wanted, out, workers=workers, progress=progress)
    if as_json:
        print(json.dumps(manifest, ensure_ascii=False))
        return
    _print(manifest)
    print(f"\n{out / MANIFEST} has it all\npre-train on it: python train.py module=dapt dataset.folder={out}")


def _print(manifest: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{manifest['name']}: passages of each source", title_justify="left")
    columns = ("texts", "passages", "low_quality", "contaminated", "exact_duplicates", "near_duplicates", "clean")
    table.add_column("source")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for name, counts in manifest["sources"].items():
        cells = [counts[key] if isinstance(counts[key], int) else sum(counts[key].values()) for key in columns]
        table.add_row(name, *(f"{cell:,}" for cell in cells))
    console = Console()
    console.print(table)
    left_out = {
        f"{name}, {reason}": number
        for name, counts in manifest["sources"].items()
        for reason, number in counts["left_out"].items()
    }
    if left_out:
        console.print("left out: " + "; ".join(f"{what} {number:,}" for what, number in left_out.items()))
    for name, number in manifest["short"].items():
        console.print(f"[bold]{name} has only {number:,} passages, fewer than the mix asks for[/bold]")
    splits = manifest["contamination"]
    found = ", ".join(f"{split} {entry['passages']:,}" for split, entry in splits.items()) or "none"
    console.print(f"contaminated, by what they stand in: {found}")
    if manifest["not_decontaminated_against"]:
        console.print(f"not at hand, so not looked at: {', '.join(manifest['not_decontaminated_against'])}")
    for name, packed in manifest["packed"].items():
        train, heldout = packed["train"], packed["heldout"]
        console.print(
            f"packed for {name}: {train['tokens']:,} tokens in {train['passages']:,} passages, "
            f"{heldout['tokens']:,} tokens held out"
        )


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A bar with the time left, on standard error while it is a terminal; else None."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task("", total=1.0)
        yield lambda share, stage: bars.update(bar, completed=share, description=stage)
