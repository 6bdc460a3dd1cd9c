"""One time step of a GRU layer, written out as primitive operators."""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.activations import activate
from model_export.rewrite.builder import Builder
from model_export.rewrite.gru_node import GruNode


@dataclass(frozen=True, slots=True)
class Cell:
    """The values of one step, [N, H] each."""

    reset: ir.Value
    update: ir.Value
    candidate: ir.Value
    hidden: ir.Value

    @property
    def gates(self) -> dict[str, ir.Value]:
        """By the names that the manifest gives them."""
        return {"reset": self.reset, "update": self.update, "candidate": self.candidate}


def build_cell(builder: Builder, x: ir.Value, hidden: ir.Value, gru: GruNode) -> Cell:
    """The equations of docs/architecture.md for x [N, I] and the state before, hidden [N, H].

    Products that share an operand are one Gemm, and Gemm adds what it can: at a batch of one the
    number of nodes is what a step costs.
    """
    weights = gru.weights
    size = weights.hidden_size
    from_input = builder.op(
        "Gemm",
        x,
        _columns(builder, weights.input_weights),
        builder.constant(weights.biases.ravel()),
    )
    input_gates, input_candidate = builder.split(from_input, [2 * size, size])
    if gru.reset == "before":
        gates = builder.op(
            "Gemm", hidden, _columns(builder, weights.hidden_weights[:2]), input_gates
        )
        r, u = _gates(builder, gates, gru)
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
        r, u = _gates(builder, builder.op("Add", input_gates, hidden_gates), gru)
        candidate = builder.op("Add", input_candidate, builder.op("Mul", r, hidden_candidate))
    n = activate(builder, _clipped(builder, candidate, gru), gru.candidate_activation)
    # (1 − u) ⊙ h + u ⊙ n with one product less.
    written = builder.op("Mul", u, builder.op("Sub", n, hidden))
    return Cell(r, u, n, builder.op("Add", hidden, written))


def _gates(builder: Builder, summed: ir.Value, gru: GruNode) -> tuple[ir.Value, ir.Value]:
    """reset and update [N, H] of what both were summed to, [N, 2H]."""
    size = gru.weights.hidden_size
    active = activate(builder, _clipped(builder, summed, gru), gru.gate_activation)
    r, u = builder.split(active, [size, size])
    if gru.weights.keeps:
        one = builder.constant(np.ones(1, np.float32))
        u = builder.op("Sub", one, u)
    return r, u


def _clipped(builder: Builder, value: ir.Value, gru: GruNode) -> ir.Value:
    if gru.clip is None:
        return value
    bounds = (np.array(bound, np.float32) for bound in (-gru.clip, gru.clip))
    return builder.op("Clip", value, *map(builder.constant, bounds))


def _columns(builder: Builder, blocks: NDArray[np.float32]) -> ir.Value:
    """[gates, H, I] as the right operand of a product, [I, gates · H]."""
    return builder.constant(blocks.reshape(-1, blocks.shape[-1]).T)
