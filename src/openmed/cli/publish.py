"""`openmed publish MODEL --repo OWNER/NAME`: a model card made from the run, and the model on the hub.

openmed publish outputs/.../model --repo me/OpenMed-NER-PathologyDetect-PubMed-109M --dry-run
openmed publish outputs/.../model --repo me --name-scheme paper --private
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openmed.errors import ConfigError

if TYPE_CHECKING:
    from openmed.serving.publish import Facts, Pushed, Written

_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]{0,95}")
_OWNER = re.compile(r"[A-Za-z0-9][\w.-]*")


class NameScheme(StrEnum):
    """How the repository is named."""

    PAPER = "paper"


def publish(
    model: Annotated[Path, typer.Argument(help="the model/ in a run's folder", show_default=False)],
    repo: Annotated[str, typer.Option(help="OWNER/NAME on the hub; with --name-scheme OWNER", show_default=False)],
    name_scheme: Annotated[
        NameScheme | None, typer.Option(help="paper: name it as the paper's authors name theirs", show_default=False)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="write the folder, send nothing")] = False,
    out: Annotated[
        Path | None, typer.Option(help="the folder; with --dry-run published/NAME, else none is kept")
    ] = None,
    merged: Annotated[bool, typer.Option("--merged", help="all weights in one: needs no base, loads anywhere")] = False,
    licence: Annotated[
        str | None,
        typer.Option(help="under which you offer it, as the hub abbreviates it (apache-2.0, cc-by-4.0, ...)"),
    ] = None,
    hub_dataset: Annotated[
        list[str] | None, typer.Option(help="id on the hub of the corpus, for the card; may be repeated")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="make the new repository private")] = False,
    update: Annotated[bool, typer.Option("--update", help="replace what the repository holds")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Write what others get (adapter and head or all weights, tokenizer, openmed.json, a card), and push it.

    Nothing is published that holds a key, a path of this machine or its user's name, nor anything but safetensors.
    """
    from openmed.serving.publish import Wanted, push, read_facts, write_folder

    facts = read_facts(model)
    name = _full_name(facts, repo, name_scheme)
    wanted = Wanted(name, merged=merged, licence=licence, datasets=tuple(hub_dataset or ()))
    with tempfile.TemporaryDirectory() as scratch:
        place = out or (Path("published") if dry_run else Path(scratch)) / name.rpartition("/")[2]
        written = write_folder(facts, place, wanted)
        pushed = None
        if not dry_run:
            pushed = push(place, repo=name, private=private, update=update, tell=_tell)
    _show(name, written, pushed, kept=dry_run or out is not None, as_json=as_json)


def _full_name(facts: Facts, repo: str, scheme: NameScheme | None) -> str:
    """Owner and name.

    Raises:
        ConfigError: not as the hub wants it.
    """
    from openmed.serving.publish import paper_name

    if scheme is None:
        if not _REPO.fullmatch(repo):
            raise ConfigError(
                f"--repo {repo} is no OWNER/NAME", mend="such as --repo me/OpenMed-NER-PathologyDetect-PubMed-109M"
            )
        return repo
    if not _OWNER.fullmatch(repo):
        raise ConfigError(f"--repo {repo} is no owner", mend="with --name-scheme say the owner alone: --repo me")
    return f"{repo}/{paper_name(facts.run.dataset, facts.manifest.backbone['name'])}"


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(name: str, written: Written, pushed: Pushed | None, *, kept: bool, as_json: bool) -> None:
    if as_json:
        folder = str(written.folder) if kept else None
        answer = {"repo": name, "folder": folder, "files": dict(written.files), "left_out": list(written.left_out)}
        print(json.dumps({**answer, "split": written.split, "pushed": asdict(pushed) if pushed else None}))
        return
    for file, size in written.files.items():
        print(f"{size:>13,}  {file}")
    if written.left_out:
        print(f"no part of the model, left out: {', '.join(written.left_out)}")
    if written.split == "dev":
        print("the card has dev scores only: the run did not score test (test=true)")
    if pushed is None:
        print(f"{written.folder}: ready for {name}; nothing was sent")
    elif pushed.commit is None:
        print(f"{pushed.url} holds all of it already")
    else:
        print(f"{pushed.url} (commit {pushed.commit[:12]})")
    for label, names in (("deleted", pushed.deleted), ("left as they were", pushed.left)) if pushed else ():
        if names:
            print(f"{label}: {', '.join(names)}")
