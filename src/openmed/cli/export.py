"""`openmed export MODEL --to hf|onnx|onnx-int8 --out DIR`: the model for other programs, or small and quick.

openmed export outputs/.../model --to hf --out merged
openmed export outputs/.../model --to onnx-int8 --out small && openmed predict small notes/
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from openmed.serving.export import Exported


class Target(StrEnum):
    """What to make: `openmed.serving.export.TARGETS`."""

    hf = "hf"
    onnx = "onnx"
    onnx_int8 = "onnx-int8"


def export(
    model: Annotated[Path, typer.Argument(help="a run's model/ folder", show_default=False)],
    to: Annotated[Target, typer.Option(help="hf: merged weights for transformers; onnx: float32; onnx-int8: 8 bits")],
    out: Annotated[Path, typer.Option(help="a folder that is not there yet")],
    calibrate: Annotated[
        list[str] | None,
        typer.Option(help="onnx-int8: file or folder of texts like those to be tagged; else train of its corpus"),
    ] = None,
    check: Annotated[
        list[str] | None, typer.Option(help="file or folder of texts to compare on; else dev of its corpus, or of demo")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="for machines")] = False,
) -> None:
    """Export a trained model, compared with the original before it is handed over.

    Each export can be given to `openmed predict`. Those to ONNX need the extra `onnx`.
    """
    from openmed.serving.export import export_model

    def report(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    exported = export_model(model, out, to=str(to), calibrate=calibrate or (), check=check or (), report=report)
    if as_json:
        print(json.dumps(exported.as_dict(), ensure_ascii=False))
    else:
        _show(exported)


def _show(exported: Exported) -> None:
    for name, size in exported.files.items():
        print(f"{size / 1e6:10.2f} MB  {name}")
    print(f"{sum(exported.files.values()) / 1e6:10.2f} MB  in {exported.out}")
    lines = _pipeline_lines(exported.check) if exported.to == Target.hf else _onnx_lines(exported)
    for line in lines:
        print(line)


def _pipeline_lines(check: dict[str, Any]) -> list[str]:
    differing = {reason: number for reason, number in check["differing_spans"].items() if number}
    reasons = ", ".join(f"{number} by {reason}" for reason, number in differing.items())
    settings = ", ".join(f"{name}={value!r}" for name, value in check["pipeline"].items())
    return [
        f"transformers' pipeline ({settings}) against openmed predict, on {check['texts']}:",
        f"  the same in {check['num_same']} of {check['num_documents']} documents; {check['num_spans']} spans found by "
        f"both, by one alone {sum(differing.values())}{f' ({reasons})' if reasons else ''}",
        f"  {check['num_longer']} documents are longer than a window (without stride= the pipeline cuts them off), in "
        f"{check['num_other_pieces']} the tokenizer's own pieces are not those that words have here",
    ]


def _onnx_lines(exported: Exported) -> list[str]:
    check = exported.check
    gold = ""
    if check["f1"] is not None:
        gold = f"; F1 {100 * check['f1']:.2f}, of the model {100 * check['reference_f1']:.2f}"
    lines = [
        f"against the model in float32, on {check['texts']}: the same in {check['num_same']} of "
        f"{check['num_documents']} documents, {100 * check['spans']:.2f}% of spans agree{gold}"
    ]
    if exported.quantised is not None:
        kept = exported.quantised["left_in_float32"]
        lines.append(
            f"calibrated on {exported.quantised['num_calibration_pieces']:,} pieces of {exported.quantised['texts']}; "
            f"left in float32: {', '.join(kept) if kept else 'nothing but the head and the norms'}"
        )
    return lines
