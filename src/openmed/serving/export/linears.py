"""Where the products with constant weights are in an ONNX graph, and the graph with some of them in 8 bits.

A product becomes three operators: the activations are divided by an equaliser (one number per channel), rounded to
unsigned 8 bits, and multiplied as integers; scales and bias are applied to the 32-bit sums. Word embeddings become
8-bit rows with a scale each. All scales are constants, so a window's scores do not depend on its batch.

    groups = find_groups(model)                         # linear layers by the activations that they share
    smaller = quantised(model, {group.activations: plan}, tables=find_tables(model))

Shapes: K inputs and N outputs of a product; V words of a table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper

from openmed.serving.export.graph import INPUTS, OUTPUT

MAX_CODE = 127
"""Of a weight, and of two neighbouring weights of the same sign together; see `weight_codes`."""
MAX_ACTIVATION = 255
_LEAST_SCALE = np.finfo(np.float32).tiny
"""Of weights that are all 0, such as the padding's row of embeddings."""
_ORT = "com.microsoft"


@dataclass(frozen=True)
class Linear:
    """One product: `output = activations @ weight + bias`, where weight and bias name initialisers.

    Attributes:
        name: of its module.
        product: the tensor between product and bias; it is `output` where there is no bias.
    """

    name: str
    activations: str
    weight: str
    bias: str | None
    product: str
    output: str


class Group(NamedTuple):
    """Linear layers that read the same activations, which are therefore rounded once for all of them."""

    activations: str
    linears: tuple[Linear, ...]

    @property
    def name(self) -> str:
        return " + ".join(linear.name for linear in self.linears)


@dataclass(frozen=True)
class Plan:
    """How the activations of a group are rounded: `round(x / equaliser_K / scale) + zero_point`, in 0..255.

    Attributes:
        error: share of the products' energy that rounding activations and weights adds as noise, on the sample.
    """

    equaliser_K: np.ndarray
    scale: float
    zero_point: int
    error: float


def find_groups(model: onnx.ModelProto) -> list[Group]:
    """The linear layers of the encoder, in order, by what they read. The head, which is small and decides, is left out.

    Only those whose input goes back to the graph's own inputs count: DeBERTa multiplies a table of relative positions,
    too, which is the same for every text and computed once when the graph is loaded.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    fed = _fed_by_inputs(model)
    grouped: dict[str, list[Linear]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[0] in fed and len(_dims(constants, node.input[1])) == 2:
            linear = _linear(node, readers, constants)
            if linear.output != OUTPUT:
                grouped.setdefault(linear.activations, []).append(linear)
    return [Group(activations, tuple(linears)) for activations, linears in grouped.items()]


def find_tables(model: onnx.ModelProto) -> list[str]:
    """Initialisers (V, D) from which rows are taken by the ids of pieces: the word embeddings."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    return [
        node.input[0]
        for node in model.graph.node
        if node.op_type == "Gather" and node.input[1] == INPUTS[0] and len(_dims(constants, node.input[0])) == 2
    ]


def weight_codes(weight_KN: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """8-bit codes (K, N) int8 and scales (N,), one per output.

    Processors without VNNI add the products of two neighbouring inputs in 16 bits, where 255 * (a + b) must fit. So two
    neighbours of the same sign get codes that add up to 128 at most: exact on every processor. A scale of half the
    range would do that, too (that is onnxruntime's `reduce_range`), and lose a bit on all weights for a few pairs.
    """
    num_inputs, num_outputs = weight_KN.shape
    pairs = np.zeros((-(-num_inputs // 2), 2, num_outputs), dtype=np.float32)
    pairs.reshape(-1, num_outputs)[:num_inputs] = weight_KN
    largest_N = np.abs(weight_KN).max(axis=0)
    for sign in (1, -1):
        largest_N = np.maximum(largest_N, np.maximum(sign * pairs, 0).sum(axis=1).max(axis=0))
    scale_N = np.maximum(largest_N / MAX_CODE, _LEAST_SCALE).astype(np.float32)
    return np.rint(weight_KN / scale_N).astype(np.int8), scale_N


def quantised(model: onnx.ModelProto, plans: Mapping[str, Plan], tables: Collection[str]) -> onnx.ModelProto:
    """A copy with these groups' products (by their activations) and these tables in 8 bits, all else as it was."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    constants = {tensor.name: tensor for tensor in copy.graph.initializer}
    chosen = [group for group in find_groups(model) if group.activations in plans]
    linears = {linear.product: linear for group in chosen for linear in group.linears}
    biased = {linear.output for linear in linears.values() if linear.bias is not None}
    made = _Made()
    rounded: set[str] = set()
    for node in copy.graph.node:
        output = node.output[0]
        if output in linears:
            linear = linears[output]
            plan = plans[linear.activations]
            if linear.activations not in rounded:
                made.round(linear.activations, plan)
                rounded.add(linear.activations)
            made.product(linear, plan, numpy_helper.to_array(constants[linear.weight]))
        elif node.op_type == "Gather" and node.input[0] in tables:
            made.rows(node, numpy_helper.to_array(constants[node.input[0]]))
        elif output not in biased:  # the bias is part of the product now
            made.nodes.append(node)
    return _replaced(copy, made)


class _Made:
    """Nodes and constants of the graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def round(self, activations: str, plan: Plan) -> None:
        """`activations` -> `<activations>.codes`"""
        source = activations
        if not np.all(plan.equaliser_K == 1):
            source = f"{activations}.equal"
            shrink = self._constant(f"{activations}.shrink", (1 / plan.equaliser_K).astype(np.float32))
            self._node("Mul", [activations, shrink], source)
        scale = self._constant(f"{activations}.scale", np.float32(plan.scale))
        zero_point = self._constant(f"{activations}.zero_point", np.uint8(plan.zero_point))
        self._node("QuantizeLinear", [source, scale, zero_point], f"{activations}.codes")

    def product(self, linear: Linear, plan: Plan, weight_KN: np.ndarray) -> None:
        """The layer on the codes. A weight that other nodes read, too, keeps its own name."""
        codes_KN, scale_N = weight_codes(weight_KN * plan.equaliser_K[:, None])
        codes = self._constant(f"{linear.product}.weight", codes_KN)
        scales = self._constant(f"{linear.product}.weight_scale", scale_N)
        read = [f"{linear.activations}.{part}" for part in ("codes", "scale", "zero_point")]
        inputs = [read[0], codes, read[1], scales, read[2], "", linear.bias or ""]
        self._node("MatMulIntegerToFloat", inputs, linear.output, name=linear.name, domain=_ORT)

    def rows(self, node: onnx.NodeProto, table_VD: np.ndarray) -> None:
        """Rows of 8-bit codes and their scales, multiplied."""
        output, ids = node.output[0], node.input[1]
        scale_V1 = np.maximum(np.abs(table_VD).max(axis=1, keepdims=True) / MAX_CODE, _LEAST_SCALE).astype(np.float32)
        codes = self._constant(f"{output}.table", np.rint(table_VD / scale_V1).astype(np.int8))
        scales = self._constant(f"{output}.table_scale", scale_V1)
        self._node("Gather", [codes, ids], f"{output}.codes")
        self._node("Gather", [scales, ids], f"{output}.scales")
        self._node("Cast", [f"{output}.codes"], f"{output}.whole", to=onnx.TensorProto.FLOAT)
        self._node("Mul", [f"{output}.whole", f"{output}.scales"], output)

    def _constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def _node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))


def _replaced(model: onnx.ModelProto, made: _Made) -> onnx.ModelProto:
    """The model with these nodes, and with the constants that they read."""
    del model.graph.node[:]
    model.graph.node.extend(made.nodes)
    read = {name for node in made.nodes for name in node.input}
    kept = [tensor for tensor in [*model.graph.initializer, *made.constants] if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.value_info[:]  # shapes of tensors, some of which are gone
    if all(opset.domain != _ORT for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(_ORT, 1))
    return model


def _fed_by_inputs(model: onnx.ModelProto) -> set[str]:
    """Tensors whose values (not their shapes alone) come from the ids of pieces."""
    fed = {INPUTS[0]}
    for node in model.graph.node:
        if node.op_type != "Shape" and fed & set(node.input):
            fed.update(node.output)
    return fed


def _linear(node: onnx.NodeProto, readers: Mapping[str, list[onnx.NodeProto]], constants: Mapping[str, Any]) -> Linear:
    product = node.output[0]
    name = node.name.partition("/")[0]
    after = readers.get(product, [])
    if len(after) == 1 and after[0].op_type == "Add":
        others = [other for other in after[0].input if other != product]
        if others and len(_dims(constants, others[0])) == 1:
            return Linear(name, node.input[0], node.input[1], others[0], product, after[0].output[0])
    return Linear(name, node.input[0], node.input[1], None, product, product)


def _dims(constants: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """The shape of an initialiser; () of any other tensor."""
    return tuple(constants[name].dims) if name in constants else ()
