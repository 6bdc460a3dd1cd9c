"""From a trained network to an ONNX model with GRU nodes."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
import torch
from onnxscript.optimizer import fold_constants

from model_export.errors import ModelRefused
from model_export.model.config import TokensFront
from model_export.model.network import Network
from model_export.model.operator import ONNX_TRANSLATION

OPSET = 20
_NO_LIMIT = 2**40


def export_network(network: Network) -> ir.Model:
    """The network over whole sequences, batch and time being dynamic.

    Inputs `input` [B, T, F] or [B, T] and `state` [B, S]; outputs `output` [B, T, O] and `states`
    [B, T, S]. Each GRU layer is one GRU node, whichever the reset variant. The network is left in
    evaluation mode.
    """
    network.eval()
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    with _quiet():
        program = torch.onnx.export(
            network,
            # Two and three, since an exporter may take a dimension of one for a constant.
            (_example_input(network, batch=2, time=3), network.initial_state(2)),
            dynamo=True,
            input_names=["input", "state"],
            output_names=["output", "states"],
            dynamic_shapes=({0: batch, 1: time}, {0: batch}),
            custom_translation_table=ONNX_TRANSLATION,
            opset_version=OPSET,
            verbose=False,
        )
        if program is None:
            raise ModelRefused("torch.onnx.export gave no program")
        model: ir.Model = program.model
        # The exporter folds only small constants; a large layer's reordered weights are not.
        fold_constants(model, input_size_limit=_NO_LIMIT, output_size_limit=_NO_LIMIT)
    for index, node in enumerate(node for node in model.graph if node.op_type == "GRU"):
        node.name = f"layer {index}"
    return model


def _example_input(network: Network, *, batch: int, time: int) -> torch.Tensor:
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
