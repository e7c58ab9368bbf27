"""An exported ONNX graph as a `Scorer`: the same words, windows and decoding as the network it was exported from.

onnxruntime does the arithmetic, on the CPU, with as many threads as torch has (`torch.set_num_threads`, or
OMP_NUM_THREADS). It is the extra `onnx`.

    model = Model("ncbi", info, tokenizer, score=OnnxScorer(folder / GRAPH))

Shapes: B windows, L pieces, N words that the windows of a batch own, C tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike
from typing import Any

import numpy as np
import torch

from openmed.encoding import Batch
from openmed.encoding.windows import PAD_TO_MULTIPLE
from openmed.errors import ArtefactError, ConfigError

EXTRA = "pip install 'openmed-ner[onnx]'"
PIECES_PER_THREAD = 1024
"""Of a batch so many go through at a time: what lies between two layers then stays in a core's own cache."""

_SLOW_FUSIONS = ["SkipLayerNormFusion"]
"""On CPUs onnxruntime (1.32) takes seven times as long for a residual with its norm in one step as for both apart."""


class OnnxScorer:
    """Args:
        graph: a file of `openmed export --to onnx` or `--to onnx-int8`, or its bytes.

    Raises:
        ConfigError: onnxruntime is not installed.
        ArtefactError: it cannot run the graph.
    """

    def __init__(self, graph: str | PathLike[str] | bytes) -> None:
        self._num_threads = torch.get_num_threads()
        self._session = open_session(graph, num_threads=self._num_threads)

    def __call__(self, batch: Batch) -> np.ndarray:
        """Scores (N, C) in float32 of the batch's owned words, in its order."""
        ids_BL, mask_BL = batch.input_ids.numpy(), batch.attention_mask.numpy()
        logits_BLC: np.ndarray | None = None
        for rows, width in self._parts(mask_BL.sum(1)):
            inputs = {"input_ids": ids_BL[rows, :width], "attention_mask": mask_BL[rows, :width]}
            part_BLC = self._session.run(None, inputs)[0]
            if logits_BLC is None:
                logits_BLC = np.zeros((*ids_BL.shape, part_BLC.shape[-1]), dtype=np.float32)
            logits_BLC[rows, :width] = part_BLC
        assert logits_BLC is not None, "a batch has windows"
        return logits_BLC.reshape(-1, logits_BLC.shape[-1])[batch.positions.numpy()]

    def _parts(self, lengths: np.ndarray) -> Iterator[tuple[slice, int]]:
        """Runs of neighbouring rows, and the width that they need."""
        budget = PIECES_PER_THREAD * self._num_threads
        start, width = 0, 0
        for row, length in enumerate(lengths.tolist()):
            wanted = max(width, -(-length // PAD_TO_MULTIPLE) * PAD_TO_MULTIPLE)
            if row > start and wanted * (row + 1 - start) > budget:
                yield slice(start, row), width
                start, wanted = row, -(-length // PAD_TO_MULTIPLE) * PAD_TO_MULTIPLE
            width = wanted
        yield slice(start, len(lengths)), width


def open_session(graph: str | PathLike[str] | bytes, *, num_threads: int) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU. Raises: as `OnnxScorer`."""
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise ConfigError("running ONNX needs onnxruntime, which is not installed", mend=EXTRA) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=_SLOW_FUSIONS,
        )
    except Exception as error:  # onnxruntime raises classes of its own that have no common base
        name = "the graph" if isinstance(graph, bytes) else graph
        raise ArtefactError(
            f"onnxruntime {onnxruntime.__version__} cannot run {name}: {str(error).splitlines()[0]}",
            mend="update onnxruntime, or export again with the version that is installed",
        ) from error
