"""`openmed corpora fetch NAME...`: get the files of corpora, verify them, and tell where they are.

openmed corpora fetch ncbi bc5cdr_disease
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Annotated

import typer

from openmed.errors import ConfigError, DataError

if TYPE_CHECKING:
    from openmed.corpora.files import Obtained, Progress

CUSTOM = "custom"
"""The corpus whose files are the user's own: nothing to fetch."""


def fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="as in dataset=NAME")] = None,
    everything: Annotated[bool, typer.Option("--all", help="all corpora that have a YAML")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="rename files that were altered to *.bad, and fetch them anew")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Get the files of corpora and verify them; --json: {name, files: {name: path}}, a list of these for several."""
    from openmed.corpora import corpus_names, load_spec
    from openmed.corpora.files import obtain_each, together

    if everything == bool(names):
        raise ConfigError("either name corpora or say --all", mend="openmed corpora fetch ncbi")
    names = [name for name in corpus_names() if name != CUSTOM] if everything else list(dict.fromkeys(names or ()))
    specs = [load_spec(name) for name in names]
    answers: list[dict[str, object]] = []
    errors: list[DataError] = []
    for spec in specs:
        with _progress(shown=not as_json) as progress:
            obtained, problems = obtain_each(spec, again=again, progress=progress)
        answers.append({"name": spec.name, "files": {name: str(one.path) for name, one in obtained.items()}})
        if not as_json:
            print("".join(f"{_line(one)}\n" for one in obtained.values()), end="", flush=True)
        if problems:
            errors.append(together(spec, problems))
    if as_json:
        print(json.dumps(answers if everything or len(answers) > 1 else answers[0], ensure_ascii=False))
    if len(errors) > 1:
        mends = dict.fromkeys(error.mend for error in errors if error.mend)
        told = "; ".join(f"{error.path}: {error.problem}" if error.path else error.problem for error in errors)
        raise DataError(told, mend=". ".join(mends))
    if errors:
        raise errors[0]


def _line(one: Obtained) -> str:
    from rich.filesize import decimal

    there = next(path for path in (one.path, *one.path.parents) if path.exists())  # the archive, if it leads into one
    files = [path for path in there.rglob("*") if path.is_file()] if there.is_dir() else [there]
    aside = f"what was there is now {one.set_aside.name}; " if one.set_aside else ""
    state = "fetched and verified" if one.fetched else "verified"
    return f"{decimal(sum(path.stat().st_size for path in files)):>9}  {one.path}: {aside}{state}"


@contextmanager
def _progress(*, shown: bool) -> Iterator[Progress | None]:
    """A bar for each download, on standard error while it is a terminal; else None."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        yield None
        return
    tasks: dict[str, TaskID] = {}
    adding = Lock()  # downloads tell of themselves from threads of their own

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bars:

        def tell(name: str, done: int, total: int | None) -> None:
            with adding:
                if name not in tasks:
                    tasks[name] = bars.add_task(Path(name).name)
            bars.update(tasks[name], completed=done, total=total)

        yield tell
