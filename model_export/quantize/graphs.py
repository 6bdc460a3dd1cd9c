"""The graphs of a bundle with 8-bit weights.

The step graph and the one to inspect multiply with the rounded weights by ONNX Runtime's
MatMulNBits; the sequence graph keeps its fused operators, with the same rounded weights in float32:
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
"""

from collections.abc import Iterable, Iterator

import numpy as np
import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
from numpy.typing import NDArray

from model_export.errors import ModelRefused
from model_export.quantize.blocks import BITS, BLOCK_SIZE, MINIMUM, in_blocks, pays
from model_export.quantize.columns import Columns

_DOMAIN = "com.microsoft"
_INT8 = 4
"""The accuracy level at which rows of activations are rounded to 8 bits too, each block of a row
by its own scale: the only one with kernels faster than float32 on a CPU."""
_RIGHT = 1
_GRU_WEIGHTS = (1, 2)
_Product = tuple[ir.Node, NDArray[np.float32]]
"""A node, and its weights [K, N]."""


def quantized_step(graph: bytes) -> bytes:
    """The step graph with every large product by constant weights in 8 bits.

    Raises ModelRefused where no product is large enough.
    """
    model = ir.from_proto(onnx.load_from_string(graph))
    products = [(node, weights) for node, weights in _products(model.graph) if pays(weights)]
    if not products:
        raise ModelRefused(
            f"no product in the step graph has {MINIMUM} rows and columns or more; "
            "smaller ones are faster in float32"
        )
    return _quantized(model, products)


def rounded_columns(graph: bytes) -> Columns:
    """The columns of weights that `quantized_step` has in 8 bits."""
    model = ir.from_proto(onnx.load_from_string(graph))
    return Columns(weights for _, weights in _products(model.graph) if pays(weights))


def quantized_inspect(graph: bytes, columns: Columns) -> bytes:
    """The graph to inspect with those weights in 8 bits that the step graph has in 8 bits.

    It has a product for each gate where the step graph joins them. A column is rounded by itself,
    so both have the same levels and scales.
    """
    model = ir.from_proto(onnx.load_from_string(graph))
    products = _products(model.graph)
    return _quantized(model, [(node, weights) for node, weights in products if weights in columns])


def rounded_sequence(graph: bytes) -> bytes:
    """The sequence graph with the weights that `quantized_step` rounds, rounded, in float32."""
    model = ir.from_proto(onnx.load_from_string(graph))
    for node, weights in _products(model.graph):
        if pays(weights):
            _put(model.graph, node, _RIGHT, _as_stored(node, in_blocks(weights).rounded()))
    for node in model.graph:
        if node.op_type != "GRU":
            continue
        for index in _GRU_WEIGHTS:
            rows = _constant(node.inputs[index])
            if rows is not None and pays(rows[0]):
                _put(model.graph, node, index, in_blocks(rows[0].T).rounded().T[np.newaxis])
    passes.RemoveUnusedNodesPass()(model)
    return _serialised(model)


def _quantized(model: ir.Model, products: Iterable[_Product]) -> bytes:
    for node, weights in products:
        _replace(model.graph, node, weights)
    for clean in (passes.RemoveUnusedNodesPass(), passes.TopologicalSortPass()):
        clean(model)
    model.opset_imports[_DOMAIN] = 1
    return _serialised(model)


def _products(graph: ir.Graph) -> Iterator[_Product]:
    """Every product by a constant, and its right operand [K, N]."""
    for node in graph:
        plain = node.op_type == "MatMul" or (
            node.op_type == "Gemm"
            and not node.attributes.get_int("transA", 0)
            and node.attributes.get_float("alpha", 1.0) == 1
            and node.attributes.get_float("beta", 1.0) == 1
        )
        weights = _constant(node.inputs[_RIGHT]) if plain else None
        if weights is not None and weights.ndim == 2 and weights.dtype == np.float32:
            yield node, _as_stored(node, weights)


def _as_stored(node: ir.Node, weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """[K, N] from what the node holds, and back."""
    return weights.T if node.attributes.get_int("transB", 0) else weights


def _replace(graph: ir.Graph, node: ir.Node, weights: NDArray[np.float32]) -> None:
    output, summand = node.outputs[0], node.inputs[2] if len(node.inputs) > 2 else None
    blocks = in_blocks(weights)
    inputs: list[ir.Value | None] = [
        node.inputs[0],
        _initializer(graph, f"{output.name}/levels", blocks.levels),
        _initializer(graph, f"{output.name}/scales", blocks.scales.ravel()),
    ]
    attributes = {
        "K": weights.shape[0],
        "N": weights.shape[1],
        "bits": BITS,
        "block_size": BLOCK_SIZE,
        "accuracy_level": _INT8,
    }
    name = f"{output.name}/8bit"
    made = [ir.node("MatMulNBits", inputs, attributes, domain=_DOMAIN, name=name)]
    if summand is not None:
        made[0].outputs[0].name = name
        made.append(ir.node("Add", [made[0].outputs[0], summand], name=f"{name}/Add"))
    _take_over(graph, node, made)


def _take_over(graph: ir.Graph, node: ir.Node, made: list[ir.Node]) -> None:
    """Put `made` in the place of the node; the last of them gives its output."""
    old, new = node.outputs[0], made[-1].outputs[0]
    new.name, old.name = old.name, f"{old.name}/before"
    new.type, new.shape = old.type, old.shape
    graph.insert_after(node, made)
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def _put(graph: ir.Graph, node: ir.Node, index: int, array: NDArray[np.float32]) -> None:
    """Give a node other weights; whoever else uses the old ones keeps them."""
    old = node.inputs[index]
    assert old is not None
    name = f"{node.outputs[0].name}/{index}/rounded"
    node.replace_input_with(index, _initializer(graph, name, array))


def _constant(value: ir.Value | None) -> NDArray[np.float32] | None:
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()


def _initializer(
    graph: ir.Graph, name: str, array: NDArray[np.float32] | NDArray[np.uint8]
) -> ir.Value:
    value = ir.val(name, const_value=ir.tensor(np.ascontiguousarray(array), name=name))
    graph.register_initializer(value)
    return value


def _serialised(model: ir.Model) -> bytes:
    serialised: bytes = ir.to_proto(model).SerializeToString()
    return serialised
