"""A tagger's network as an ONNX file: pieces in, a score for each tag at each piece out.

Standard operators alone (attention is one of them), so that any runtime that knows the opset can take it. Batch and
length may be anything.

    write_graph(artefact.network, folder / "model.onnx")

Inputs: input_ids and attention_mask, both (B, L) int64. Output: logits (B, L, C) float32.
"""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openmed.errors import ArtefactError, ConfigError
from openmed.networks import Tagger
from openmed.predicting.onnx_scorer import EXTRA

OPSET = 23
"""The first that has attention and rotary positions as operators."""
INPUTS = ("input_ids", "attention_mask")
OUTPUT = "logits"
_SCOPES = "pkg.torch.onnx.name_scopes"


class _Logits(nn.Module):
    """The network as ONNX shows it: tensors in, one tensor out."""

    def __init__(self, transformer: Any) -> None:
        super().__init__()
        self.network = transformer
        # Left to itself ModernBERT counts positions for one row, and the exported operator wants them for each.
        self._counts_positions = any(name.endswith("rotary_emb") for name, _ in transformer.named_modules())

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        more = {}
        if self._counts_positions:
            more["position_ids"] = torch.arange(input_ids.shape[1])[None, :].expand(input_ids.shape)
        return self.network(input_ids=input_ids, attention_mask=attention_mask, **more).logits


def write_graph(network: Tagger, path: Path) -> None:
    """Write the network (adapters merged, float32). Weights of more than 1.5 GB come as a second file beside it.

    Raises:
        ConfigError: onnx or onnxscript is not installed.
        ArtefactError: the architecture has something that ONNX or its exporter cannot say.
    """
    _check_installed()
    transformer = network.transformer
    attention = transformer.config._attn_implementation
    if attention != "eager" or transformer._supports_sdpa:
        transformer.config._attn_implementation = "sdpa"  # becomes the operator; eager would be a dozen of them
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    sample_BL = torch.ones(2, 24, dtype=torch.int64)
    try:
        with _quiet():
            program = torch.onnx.export(
                _Logits(transformer).eval(),
                (sample_BL, sample_BL.clone()),
                dynamo=True,
                dynamic_shapes=({0: batch, 1: length},) * 2,
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                opset_version=OPSET,
                verbose=False,
            )
    except Exception as error:  # of torch.export, of torch.onnx and of onnxscript, with no common base
        raise ArtefactError(
            f"{type(transformer).__name__} cannot be exported to ONNX: {_first_line(error)}",
            mend="openmed export --to hf needs no ONNX",
        ) from error
    finally:
        transformer.config._attn_implementation = attention
    assert program is not None
    _tidy(program.model)
    program.save(path)


def _tidy(model: Any) -> None:
    """Name operators after their modules, and forget the rest of what the exporter notes: paths of this machine."""
    for node in model.graph:
        scopes = ast.literal_eval(node.metadata_props.get(_SCOPES, "['']"))
        module = ".".join(scopes[-2].split(".")[1:]) if len(scopes) > 1 else ""
        node.name = f"{module}/{node.name}" if module else node.name
        node.metadata_props.clear()
        node.doc_string = None
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    model.graph.metadata_props.clear()
    model.metadata_props.clear()


def _check_installed() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(f"exporting to ONNX needs {error.name}, which is not installed", mend=EXTRA) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter speaks of packages that are not there and of names that it changes: nothing a user could mend."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
