"""An ONNX graph in 8 bits that still finds what the network finds: calibrated, checked, and mended where it does not.

All linear layers and the word embeddings are rounded. Then both tag texts that were not calibrated on; as long as they
agree too little, the layer that harms the scores most by itself goes back to float32.

    small = shrink(model, artefact, calibration=train, reference=Reference(artefact, score, dev, view), report=print)
    small.model, small.agreement

Shapes: N words, C tags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from openmed.artefact import Artefact
from openmed.encoding import Batch
from openmed.errors import ArtefactError, DataError
from openmed.predicting.onnx_scorer import OnnxScorer
from openmed.serving.export.agreement import Agreement, Reference
from openmed.serving.export.batches import Cut
from openmed.serving.export.calibrate import choose, observe
from openmed.serving.export.linears import Group, Plan, find_groups, find_tables, quantised
from openmed.serving.export.texts import Texts

MIN_AGREEMENT = 0.985
"""F1 of the spans found in 8 bits against those found in float32. Changed spans are right about as often as not, so a
hundredth of them moves the F1 against gold by a few tenths of a point at most."""
MAX_F1_LOSS = 0.003
"""Against gold, where there is some."""
MAX_CALIBRATION_PIECES = 32_000
_RANKING_PIECES = 8_000
"""On so many each layer's harm is measured."""
_MAX_BYTES = 2**31 - 1


@dataclass(frozen=True)
class Shrunk:
    """Attributes:
    model: the graph.
    num_parts: linear layers that share their input, and tables of embeddings.
    left_out: names of those that stayed in float32, in the order in which they were found to harm.
    num_pieces: calibrated on.
    """

    model: onnx.ModelProto
    agreement: Agreement
    num_parts: int
    left_out: list[str]
    num_pieces: int

    def as_dict(self) -> dict[str, Any]:
        """What was done to it; the agreement is told with the check."""
        return {
            "num_parts": self.num_parts,
            "left_in_float32": self.left_out,
            "num_calibration_pieces": self.num_pieces,
        }


def shrink(
    model: onnx.ModelProto,
    artefact: Artefact,
    *,
    calibration: Texts,
    reference: Reference,
    report: Callable[[str], None],
) -> Shrunk:
    """Calibrate, round, compare; leave out what harms until it is good enough.

    Args:
        report: is told of each comparison.

    Raises:
        DataError: no text to calibrate on.
        ArtefactError: even with half of the layers in float32 too little agrees; a graph of more than 2 GB.
    """
    if model.ByteSize() > _MAX_BYTES:
        raise ArtefactError("a graph of more than 2 GB cannot be quantised", mend="openmed export --to onnx")
    batches = Cut(artefact, calibration.documents).batches(num_pieces=MAX_CALIBRATION_PIECES)
    if not batches:
        raise DataError("there is no word in the texts to calibrate on", mend="name others: --calibrate FILE")
    groups, tables = find_groups(model), find_tables(model)
    plans = _plans(model, batches, groups)
    parts = {table: "word embeddings" for table in tables} | {group.activations: group.name for group in groups}
    left_out: list[str] = []
    harmful: list[str] | None = None
    while True:
        small = _quantised(model, plans, tables, without=left_out)
        agreement = reference.compared(small.SerializeToString())
        report(_line(agreement, [parts[part] for part in left_out]))
        if _is_enough(agreement):
            num_pieces = sum(batch.num_tokens for batch in batches)
            return Shrunk(small, agreement, len(parts), [parts[part] for part in left_out], num_pieces)
        if harmful is None:
            harmful = _by_harm(model, plans, tables, _first(batches, _RANKING_PIECES))
        if len(left_out) >= len(harmful) / 2:
            raise ArtefactError(
                f"in 8 bits this model finds other spans than in float32 ({100 * agreement.spans:.1f}% agree) even "
                f"with {len(left_out)} of {len(parts)} parts left in float32",
                mend="openmed export --to onnx, or --calibrate with more texts like those to be tagged",
            )
        left_out.append(harmful[len(left_out)])


def _plans(model: onnx.ModelProto, batches: Sequence[Batch], groups: Sequence[Group]) -> dict[str, Plan]:
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    seen = observe(model, batches, [group.activations for group in groups])
    weights = {
        group.activations: np.concatenate(
            [numpy_helper.to_array(constants[linear.weight]) for linear in group.linears], axis=1
        )
        for group in groups
    }
    return {activations: choose(seen[activations], weights[activations]) for activations in weights}


def _quantised(
    model: onnx.ModelProto, plans: dict[str, Plan], tables: Sequence[str], *, without: Sequence[str]
) -> onnx.ModelProto:
    kept = {activations: plan for activations, plan in plans.items() if activations not in without}
    return quantised(model, kept, [table for table in tables if table not in without])


def _by_harm(
    model: onnx.ModelProto, plans: dict[str, Plan], tables: Sequence[str], batches: Sequence[Batch]
) -> list[str]:
    """The parts, by how far the scores move when that part alone is rounded, furthest first."""
    wanted_NC = _scores(model, batches)
    parts = [*tables, *plans]
    harm = {}
    for part in parts:
        alone = _quantised(model, plans, tables, without=[other for other in parts if other != part])
        harm[part] = float(np.square(_scores(alone, batches) - wanted_NC).mean())
    return sorted(parts, key=lambda part: -harm[part])


def _scores(model: onnx.ModelProto, batches: Sequence[Batch]) -> np.ndarray:
    """(N, C) of all batches."""
    score = OnnxScorer(model.SerializeToString())
    return np.concatenate([score(batch) for batch in batches])


def _first(batches: Sequence[Batch], num_pieces: int) -> list[Batch]:
    """Every so many-th batch, so that these have about that many pieces; one at least."""
    step = max(1, sum(batch.num_tokens for batch in batches) // num_pieces)
    return list(batches[::step])


def _is_enough(agreement: Agreement) -> bool:
    loss = (agreement.reference_f1 or 0) - (agreement.f1 or 0)
    return agreement.spans >= MIN_AGREEMENT and loss <= MAX_F1_LOSS


def _line(agreement: Agreement, left_out: Sequence[str]) -> str:
    gold = ""
    if agreement.f1 is not None and agreement.reference_f1 is not None:
        gold = f", F1 {100 * agreement.f1:.2f} (float32: {100 * agreement.reference_f1:.2f})"
    rest = f", {len(left_out)} parts left in float32 (last: {left_out[-1]})" if left_out else ""
    return f"8 bits: {100 * agreement.spans:.2f}% of spans agree with float32{gold}{rest}"
