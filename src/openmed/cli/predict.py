"""`openmed predict MODEL [FILES...]`: tag text, files or folders.

openmed predict outputs/.../model notes/ --to jsonl --out tagged/
echo "Aspirin relieves headache." | openmed predict outputs/.../model
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from openmed.errors import ConfigError, DataError


class Output(StrEnum):
    """What to write."""

    view = "view"
    jsonl = "jsonl"


def predict(
    model: Annotated[Path, typer.Argument(help="a run's model/ folder", show_default=False)],
    files: Annotated[
        list[str] | None, typer.Argument(help="files or folders; none, or '-': text from standard input")
    ] = None,
    text: Annotated[str | None, typer.Option(help="tag this text instead of files")] = None,
    to: Annotated[
        Output | None, typer.Option(help="default: view (marked-up text) on a terminal or with --text, else jsonl")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the results, one file per input file")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ...; default: the GPU where there is one")] = None,
    dtype: Annotated[str, typer.Option(help="auto, float32 or bfloat16")] = "auto",
) -> None:
    """Tag text with a trained model; offsets count the characters of the text as given."""
    if text is not None and files:
        raise ConfigError("--text and files were both given", mend="give one of them")
    if out is not None and (not files or files == ["-"] or to is Output.view):
        raise ConfigError("--out needs input files and --to jsonl", mend="name files, or leave --out away")
    from openmed.predicting import load
    from openmed.serving import annotate, expand_inputs, read_input
    from openmed.spans import Document
    from openmed.writers import document_json, write_jsonl

    inputs = expand_inputs(files) if files and files != ["-"] else []
    targets = _targets(inputs, out) if out is not None else {}
    tagger = load(model, device=device, dtype=dtype)
    if targets:
        for source, target in targets.items():
            number = write_jsonl(annotate(tagger, read_input(source)), target)
            print(f"{source}: {number} documents -> {target}", file=sys.stderr)
        return
    if inputs:
        documents = (document for file in inputs for document in read_input(file))
    else:
        documents = iter([Document("1", _given(text))])
    terminal = sys.stdout.isatty() or text is not None
    view = to is Output.view or (to is None and terminal)
    for document in annotate(tagger, documents):
        if view:
            _show(document)
        else:
            print(json.dumps(document_json(document), ensure_ascii=False), flush=True)


def _given(text: str | None) -> str:
    """That of --text, else of standard input, byte for byte: read as text, its line ends would be changed."""
    from openmed.serving import decode_text

    if text is not None:
        return decode_text(os.fsencode(text), "--text")
    return decode_text(sys.stdin.buffer.read(), "standard input")


def _show(document) -> None:
    from rich.console import Console
    from rich.text import Text

    from openmed.tracking import render_rich

    console = Console()
    console.print(Text.assemble((document.id, "bold"), f"  ({len(document.spans)} mentions)"))
    console.print(render_rich(document), soft_wrap=True)


def _targets(inputs: list[Path], out: Path) -> dict[Path, Path]:
    """Where each input's results go. Nothing is overwritten, and no two inputs share a file."""
    from openmed.serving import stem

    targets: dict[Path, Path] = {}
    for source in inputs:
        target = out / f"{stem(source)}.jsonl"
        if target in targets.values():
            raise DataError(f"two inputs would both be written to {target}", path=source, mend="tag them separately")
        if target.exists():
            raise DataError("the result is there already", path=target, mend="choose another --out, or delete it")
        targets[source] = target
    return targets
