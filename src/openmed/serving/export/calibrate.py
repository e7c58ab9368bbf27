"""How far the activations of each linear layer reach on real texts, and the rounding that harms its products least.

Some channels of a transformer reach ten times as far as the others, and one step of 8 bits for all of them would be
coarse. So each channel is divided by a number of its own, with which the weights are multiplied in turn (SmoothQuant,
arXiv 2211.10438). How much of the reach goes into the weights, and where the range is cut, is searched for.

    sample = observe(model, batches, [group.activations for group in groups])
    plan = choose(sample[group.activations], weights_KN)

Shapes: K inputs, N outputs, R rows (pieces of text).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import torch
from onnx import helper

from openmed.encoding import Batch
from openmed.predicting.onnx_scorer import open_session
from openmed.serving.export.graph import INPUTS
from openmed.serving.export.linears import MAX_ACTIVATION, Plan, weight_codes

NUM_ROWS = 1536
"""Pieces kept of each layer's activations."""
_EXTREME_ROWS = 4
"""Of each batch so many rows of the largest values are kept in any case."""
_SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
"""How much of a channel's reach goes into the weights (alpha of SmoothQuant)."""
_CUTS = (0.9, 0.8, 0.7)
"""Where the range of the activations is cut, as a share of what was seen."""
_TINY = 1e-6
_SEED = 1


@dataclass
class Seen:
    """Of one tensor: the least and greatest value of each channel in all texts, and some rows."""

    least_K: np.ndarray
    greatest_K: np.ndarray
    rows: list[np.ndarray] = field(default_factory=list)

    @property
    def rows_RK(self) -> np.ndarray:
        return np.concatenate(self.rows)


def observe(model: onnx.ModelProto, batches: Sequence[Batch], names: Sequence[str]) -> dict[str, Seen]:
    """Run the batches through the graph and keep what these tensors hold where there is text."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = open_session(watched.SerializeToString(), num_threads=torch.get_num_threads())
    rng = np.random.default_rng(_SEED)
    seen: dict[str, Seen] = {}
    for batch in batches:
        mask_BL = batch.attention_mask.numpy()
        found = session.run(list(names), dict(zip(INPUTS, (batch.input_ids.numpy(), mask_BL), strict=True)))
        is_text_BL = mask_BL.astype(bool)
        drawn = rng.permutation(int(is_text_BL.sum()))[: -(-NUM_ROWS // len(batches))]
        for name, values in zip(names, found, strict=True):
            _add(seen, name, values.reshape(*mask_BL.shape, -1)[is_text_BL], drawn)
    return seen


def _add(seen: dict[str, Seen], name: str, values_RK: np.ndarray, drawn: np.ndarray) -> None:
    least_K, greatest_K = values_RK.min(axis=0), values_RK.max(axis=0)
    one = seen.setdefault(name, Seen(least_K, greatest_K))
    one.least_K, one.greatest_K = np.minimum(one.least_K, least_K), np.maximum(one.greatest_K, greatest_K)
    extreme = np.abs(values_RK).max(axis=1).argsort()[-_EXTREME_ROWS:]
    one.rows.append(values_RK[np.union1d(drawn, extreme)])


def choose(seen: Seen, weight_KN: np.ndarray) -> Plan:
    """The rounding with the least squared error of `activations @ weight`; of several layers, side by side.

    First the equaliser is searched for, then where to cut the range.
    """
    error = _Error(seen.rows_RK, weight_KN)
    equalisers = _equalisers(seen, weight_KN)
    best = min((error.of(equaliser_K, *_range(seen, equaliser_K)) for equaliser_K in equalisers), key=_by_error)
    low, high = _range(seen, best.equaliser_K)
    cut = [error.of(best.equaliser_K, share * low, share * high) for share in _CUTS]
    return min((best, *cut), key=_by_error)


def _by_error(plan: Plan) -> float:
    return plan.error


def _equalisers(seen: Seen, weight_KN: np.ndarray) -> Iterator[np.ndarray]:
    reach_K = np.maximum(np.abs(seen.least_K), np.abs(seen.greatest_K)).astype(np.float64) + _TINY
    weight_K = np.abs(weight_KN).max(axis=1).astype(np.float64) + _TINY
    yield np.ones(len(reach_K), dtype=np.float32)
    for share in _SHARES:
        equaliser_K = reach_K**share / weight_K ** (1 - share)
        yield (equaliser_K / np.exp(np.log(equaliser_K).mean())).astype(np.float32)


def _range(seen: Seen, equaliser_K: np.ndarray) -> tuple[float, float]:
    """Least and greatest activation, equalised; 0 is among them, and has a code of its own."""
    low, high = (seen.least_K / equaliser_K).min(), (seen.greatest_K / equaliser_K).max()
    return min(0.0, float(low)), max(0.0, float(high))


class _Error:
    """What rounding does to `rows @ weight`."""

    def __init__(self, rows_RK: np.ndarray, weight_KN: np.ndarray) -> None:
        self._rows_RK = rows_RK
        self._weight_KN = weight_KN
        self._wanted_RN = rows_RK @ weight_KN
        self._energy = float(np.square(self._wanted_RN).sum()) or 1.0

    def of(self, equaliser_K: np.ndarray, low: float, high: float) -> Plan:
        codes_KN, weight_scale_N = weight_codes(self._weight_KN * equaliser_K[:, None])
        scale = np.float32((high - low) / MAX_ACTIVATION or 1.0)
        zero_point = int(np.rint(-low / scale))
        codes_RK = np.clip(np.rint(self._rows_RK / equaliser_K / scale) + zero_point, 0, MAX_ACTIVATION)
        found_RN = ((codes_RK - zero_point) * scale).astype(np.float32) @ (codes_KN * weight_scale_N)
        noise = float(np.square(found_RN - self._wanted_RN).sum())
        return Plan(equaliser_K, float(scale), zero_point, noise / self._energy)
