"""ONNX models with GRU nodes made by hand, as foreign tools might make them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.oracle import Layer

Float32 = NDArray[np.float32]
INPUTS, OUTPUTS = 3, 2


@dataclass(frozen=True, slots=True)
class OnnxWeights:
    """W [1, 3H, I], R [1, 3H, H] and B [1, 6H] in ONNX's own order: keep, reset, candidate."""

    W: Float32
    R: Float32
    B: Float32

    @classmethod
    def random(cls, input_size: int, hidden_size: int, seed: int) -> "OnnxWeights":
        random = np.random.default_rng(seed)

        def draw(*shape: int) -> Float32:
            return random.uniform(-1, 1, shape).astype(np.float32)

        rows = 3 * hidden_size
        return cls(draw(1, rows, input_size), draw(1, rows, hidden_size), draw(1, 2 * rows))

    def layer(self, reset: str) -> Layer:
        """The same weights as the oracle wants them; ONNX has the blocks keep, reset, candidate."""
        W_k, W_r, W_n = np.split(self.W[0].astype(np.float64), 3)
        U_k, U_r, U_n = np.split(self.R[0].astype(np.float64), 3)
        b_k, b_r, b_n, c_k, c_r, c_n = np.split(self.B[0].astype(np.float64), 6)
        blocks = (W_r, W_k, W_n), (U_r, U_k, U_n), (b_r, b_k, b_n), (c_r, c_k, c_n)
        return Layer.of_blocks(*blocks, reset)


FIRST, SECOND = OnnxWeights.random(INPUTS, 4, seed=1), OnnxWeights.random(4, 5, seed=2)
HEAD = np.random.default_rng(3).uniform(-1, 1, (5, OUTPUTS)).astype(np.float32)


def stacked_model(
    *, first: dict[str, Any] | None = None, second: dict[str, Any] | None = None
) -> onnx.ModelProto:
    """Scale → GRU of 4 → tanh → GRU of 5 → product; both begin from zeros of their own.

    `first` and `second` are attributes of the GRU nodes on top of their hidden size.
    """
    nodes = [
        helper.make_node("Mul", ["x", "half"], ["scaled"], name="scale"),
        helper.make_node("Transpose", ["scaled"], ["by_time"], perm=[1, 0, 2]),
        helper.make_node(
            "GRU", ["by_time", "W1", "R1", "B1"], ["y1"], "gru_one", hidden_size=4, **(first or {})
        ),
        helper.make_node("Squeeze", ["y1", "one"], ["h1"]),
        helper.make_node("Tanh", ["h1"], ["between"]),
        helper.make_node(
            "GRU", ["between", "W2", "R2", "B2"], ["y2"], "gru_two", hidden_size=5, **(second or {})
        ),
        helper.make_node("Squeeze", ["y2", "one"], ["h2"]),
        helper.make_node("Transpose", ["h2"], ["h2_by_batch"], perm=[1, 0, 2]),
        helper.make_node("MatMul", ["h2_by_batch", "head"], ["y"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "half": np.array([0.5], np.float32),
        "one": np.array([1]),
        "head": HEAD,
        **{"W1": FIRST.W, "R1": FIRST.R, "B1": FIRST.B},
        **{"W2": SECOND.W, "R2": SECOND.R, "B2": SECOND.B},
    }
    return finished(nodes, constants)


def finished(nodes: list[onnx.NodeProto], constants: dict[str, NDArray[Any]]) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "made by hand",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "time", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "time", OUTPUTS])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def as_ir(model: onnx.ModelProto) -> ir.Model:
    onnx.checker.check_model(model)
    return ir.from_proto(model)


def run(graph: bytes, **feed: NDArray[Any]) -> dict[str, Float32]:
    session = onnxruntime.InferenceSession(graph)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))
