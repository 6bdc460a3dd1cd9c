"""A bundle's network put back into PyTorch, from the numbers in its sequence graph."""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from model_export.model.config import (
    NetworkConfig,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.network import Network
from service.bundle.bundle import Bundle
from service.bundle.signatures import Tokens

Arrays = dict[str, NDArray[Any]]


def rebuilt_network(bundle: Bundle) -> Network:
    """The same weights in a new `Network`, in evaluation mode."""
    graph = onnx.load(bundle.sequence_graph).graph
    arrays = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    network = Network(_config(bundle, arrays))
    weights = {name: array for name, array in arrays.items() if name in network.state_dict()}
    for index, node in enumerate(node for node in graph.node if node.op_type == "GRU"):
        for name, array in _layer_weights(*(arrays[value] for value in node.input[1:4])).items():
            weights[f"layers.{index}.{name}"] = array
    (head,) = (node for node in graph.node if node.op_type == "MatMul")
    weights["head.weight"] = arrays[head.input[1]].T
    expected = network.state_dict()
    network.load_state_dict({name: torch.tensor(weights[name]) for name in expected})
    return network.eval()


def _config(bundle: Bundle, arrays: Arrays) -> NetworkConfig:
    manifest = bundle.manifest
    sizes = tuple(layer.hidden_size for layer in manifest.layers)
    if isinstance(manifest.input, Tokens):
        return NetworkConfig(
            front=TokensFront(*arrays["front.weight"].shape),
            head=SoftmaxHead(manifest.output.width),
            hidden_sizes=sizes,
            reset=manifest.layers[0].reset,
        )
    return NetworkConfig(
        front=ValuesFront(
            tuple(arrays["front.mean"].tolist()), tuple(arrays["front.scale"].tolist())
        ),
        head=ResidualHead(tuple(arrays["head.scale"].tolist())),
        hidden_sizes=sizes,
        reset=manifest.layers[0].reset,
    )


def _layer_weights(w: NDArray[Any], r: NDArray[Any], b: NDArray[Any]) -> Arrays:
    """From ONNX's blocks (z, r, h) to PyTorch's (r, z, n); both let z keep."""

    def reordered(rows: NDArray[Any]) -> NDArray[Any]:
        z, reset, candidate = np.split(rows, 3)
        return np.concatenate([reset, z, candidate])

    input_bias, hidden_bias = np.split(b[0], 2)
    return {
        "weight_ih": reordered(w[0]),
        "weight_hh": reordered(r[0]),
        "bias_ih": reordered(input_bias),
        "bias_hh": reordered(hidden_bias),
    }
