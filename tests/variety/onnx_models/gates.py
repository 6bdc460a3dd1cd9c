"""The gates of every GRU node of a foreign file in float64, straight from the operator's text.

https://onnx.ai/onnx/operators/onnx__GRU.html. X, W, R, B and the initial state are taken from the
file as ONNX Runtime computes them, so weights may be stored or computed.
"""

from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from tests.oracle import sigmoid
from tests.variety.onnx_models.original import Given

Array = NDArray[np.float64]


def gates_by_node(model: onnx.ModelProto, feed: Given) -> dict[str, dict[str, Array]]:
    """reset, update, candidate and hidden [T, lanes · H] of one sequence, by the node's name.

    Nodes with other activations than the usual ones, backward ones and those of one step along
    another axis are the caller's to leave out.
    """
    nodes = [node for node in model.graph.node if node.op_type == "GRU" and _is_usual(node)]
    if not nodes:
        return {}
    wanted = dict.fromkeys(name for node in nodes for name in node.input if name)
    found = _computed(model, list(wanted), feed)
    return {node.name: _run(node, [found.get(name) for name in node.input]) for node in nodes}


def _is_usual(node: onnx.NodeProto) -> bool:
    said = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    names = said.get("activations", [b"Sigmoid", b"Tanh"])
    return (
        said.get("direction", b"forward") == b"forward"
        and said.get("layout", 0) == 0
        and "clip" not in said
        and list(names) == [b"Sigmoid", b"Tanh"]
    )


def _computed(model: onnx.ModelProto, names: list[str], feed: Given) -> dict[str, Array]:
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    have = {one.name for one in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in have)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(shown.SerializeToString(), options)
    taken = {one.name: feed[one.name] for one in session.get_inputs()}
    found = session.run(names, taken)
    return {name: one.astype(np.float64) for name, one in zip(names, found, strict=True)}


def _run(node: onnx.NodeProto, given: list[Any]) -> dict[str, Array]:
    known: list[Any] = [*given, *[None] * (6 - len(given))]
    x, weights, recurrent, b, h = (known[at] for at in (0, 1, 2, 3, 5))
    said = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    after = bool(said.get("linear_before_reset", 0))
    size = recurrent.shape[-1]
    w_z, w_r, w_n = np.split(weights[0], 3)
    u_z, u_r, u_n = np.split(recurrent[0], 3)
    biases = np.zeros(6 * size) if b is None else b[0]
    b_z, b_r, b_n, c_z, c_r, c_n = np.split(biases, 6)
    hidden = np.zeros((x.shape[1], size)) if h is None else h[0]
    history: dict[str, list[Array]] = {
        name: [] for name in ("reset", "update", "candidate", "hidden")
    }
    for frame in x:
        z = sigmoid(frame @ w_z.T + hidden @ u_z.T + b_z + c_z)
        r = sigmoid(frame @ w_r.T + hidden @ u_r.T + b_r + c_r)
        past = r * (hidden @ u_n.T + c_n) if after else (r * hidden) @ u_n.T + c_n
        n = np.tanh(frame @ w_n.T + b_n + past)
        hidden = (1 - z) * n + z * hidden
        for name, one in (("reset", r), ("update", 1 - z), ("candidate", n), ("hidden", hidden)):
            history[name].append(one.ravel())
    return {name: np.stack(rows) for name, rows in history.items()}
