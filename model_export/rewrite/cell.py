"""One time step of a GRU layer, written out as primitive operators."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.builder import Builder
from model_export.rewrite.gru_node import Weights
from service.bundle.manifest import Reset


@dataclass(frozen=True, slots=True)
class Cell:
    """The values of one step, [B, H] each."""

    reset: ir.Value
    update: ir.Value
    candidate: ir.Value
    hidden: ir.Value


def build_cell(
    builder: Builder, x: ir.Value, hidden: ir.Value, weights: Weights, reset: Reset
) -> Cell:
    """The equations of docs/architecture.md for x [B, I] and the state before, hidden [B, H].

    Products that share an operand are one Gemm, and Gemm adds what it can: at a batch of one the
    number of nodes is what a step costs.
    """
    size = weights.hidden_size
    from_input = builder.op(
        "Gemm",
        x,
        _columns(builder, weights.input_weights),
        builder.constant(weights.biases.ravel()),
    )
    input_gates, input_candidate = builder.split(from_input, [2 * size, size])
    if reset == "before":
        gates = builder.op(
            "Gemm", hidden, _columns(builder, weights.hidden_weights[:2]), input_gates
        )
        r, u = builder.split(builder.op("Sigmoid", gates), [size, size])
        candidate = builder.op(
            "Gemm",
            builder.op("Mul", r, hidden),
            _columns(builder, weights.hidden_weights[2:]),
            input_candidate,
        )
    else:
        biases = np.concatenate([np.zeros(2 * size, np.float32), weights.candidate_bias])
        from_hidden = builder.op(
            "Gemm", hidden, _columns(builder, weights.hidden_weights), builder.constant(biases)
        )
        hidden_gates, hidden_candidate = builder.split(from_hidden, [2 * size, size])
        gates = builder.op("Add", input_gates, hidden_gates)
        r, u = builder.split(builder.op("Sigmoid", gates), [size, size])
        candidate = builder.op("Add", input_candidate, builder.op("Mul", r, hidden_candidate))
    n = builder.op("Tanh", candidate)
    # (1 − u) ⊙ h + u ⊙ n with one product less.
    written = builder.op("Mul", u, builder.op("Sub", n, hidden))
    return Cell(r, u, n, builder.op("Add", hidden, written))


def _columns(builder: Builder, blocks: NDArray[np.float32]) -> ir.Value:
    """[gates, H, I] as the right operand of a product, [I, gates · H]."""
    return builder.constant(blocks.reshape(-1, blocks.shape[-1]).T)
