"""From a trained network to an ONNX model with GRU nodes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
import torch
from onnxscript.optimizer import fold_constants
from torch import Tensor, nn
from torch.export import Dim

from model_export.errors import ModelRefused
from model_export.model.config import TokensFront
from model_export.model.front import ValuesModule
from model_export.model.network import Network
from model_export.model.operator import ONNX_TRANSLATION
from model_export.rewrite.roles import Hints
from model_export.rewrite.rules.filling import DOMAIN, FILL_FORWARD

OPSET = 20
_NO_LIMIT = 2**40


def export_network(network: Network) -> ir.Model:
    """The network over whole sequences, batch and time being dynamic.

    Inputs `input` [B, T, F] or [B, T] and `state` [B, Σ H]; outputs `output` [B, T, O] and `states`
    [B, T, Σ H]. Each GRU layer is one GRU node, whichever the reset variant. A network that takes
    its own forecasts for missing values is exported for one step, T = 1, with a further input
    `expected` [B, F], normalised, and what it is at the next step, `next_expected`. The network is
    left in evaluation mode.
    """
    network.eval()
    exported = _SingleStep(network) if network.fills_with_forecasts else _WholeSequence(network)
    with _quiet():
        program = torch.onnx.export(
            exported,
            exported.example(),
            dynamo=True,
            input_names=list(exported.inputs),
            output_names=list(exported.outputs),
            dynamic_shapes=exported.open_axes(),
            custom_translation_table=ONNX_TRANSLATION,
            opset_version=OPSET,
            verbose=False,
        )
        if program is None:
            raise ModelRefused("torch.onnx.export gave no program")
        model: ir.Model = program.model
        # The exporter folds only small constants; a large layer's reordered weights are not.
        fold_constants(model, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    _name(model.graph)
    return model


def hints_of(network: Network) -> Hints:
    """What the inputs and outputs of the exported network are for."""
    states = {"states": "state"}
    if network.fills_with_forecasts:
        states["next_expected"] = "expected"
    return Hints(output="output", states=states)


def _name(graph: ir.Graph) -> None:
    """Nodes that a session keeps something for give it their name."""
    for index, node in enumerate(node for node in graph if node.op_type == "GRU"):
        node.name = f"layer {index}"
    for node in graph:
        if (node.domain, node.op_type) == (DOMAIN, FILL_FORWARD):
            node.name = "values"
    for value in list(graph.initializers.values()):
        value.name = str(value.name).removeprefix("network.")


class _WholeSequence(nn.Module):
    inputs = ("input", "state")
    outputs = ("output", "states")

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        outputs, states = self.network(inputs, state)
        return outputs, states

    def example(self) -> tuple[Tensor, ...]:
        # Two and three, since an exporter may take a dimension of one for a constant.
        return _example_input(self.network, batch=2, time=3), _example_state(self.network, batch=2)

    def open_axes(self) -> tuple[dict[int, Dim], ...]:
        batch = Dim("batch")
        return {0: batch, 1: Dim("time")}, {0: batch}


class _SingleStep(nn.Module):
    inputs = ("input", "state", "expected")
    outputs = ("output", "states", "next_expected")

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, inputs: Tensor, state: Tensor, expected: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        front = self.network.front
        assert isinstance(front, ValuesModule)
        scores, states, base, following = self.network.filled_step(
            front, inputs.transpose(0, 1), state, expected
        )
        outputs = self.network.head.outputs(scores, base)
        return outputs.transpose(0, 1), states.transpose(0, 1), following

    def example(self) -> tuple[Tensor, ...]:
        return (
            _example_input(self.network, batch=2, time=1),
            _example_state(self.network, batch=2),
            torch.zeros(2, self.network.config.front.carried),
        )

    def open_axes(self) -> tuple[dict[int, Dim], ...]:
        batch = Dim("batch")
        return {0: batch}, {0: batch}, {0: batch}


def _example_state(network: Network, *, batch: int) -> Tensor:
    return torch.zeros(batch, network.config.hidden_size)


def _example_input(network: Network, *, batch: int, time: int) -> Tensor:
    front = network.config.front
    if isinstance(front, TokensFront):
        return torch.zeros(batch, time, dtype=torch.int64)
    return torch.zeros(batch, time, front.width)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's remarks about its own insides are no use to whoever trains a model."""
    exporter = logging.getLogger("torch.onnx")
    optimizer = logging.getLogger("onnxscript")
    levels = exporter.level, optimizer.level
    exporter.setLevel(logging.ERROR)
    optimizer.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(levels[0])
        optimizer.setLevel(levels[1])
