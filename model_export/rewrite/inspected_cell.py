"""One time step of a GRU layer, written out for looking inside and for interfering."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.activations import activate
from model_export.rewrite.builder import Builder
from model_export.rewrite.cell import Cell
from model_export.rewrite.gru_node import GruNode

TERMS = ("reset_pre", "update_pre", "candidate_pre", "candidate_input", "candidate_history")
"""What each gate's activation is applied to, and the two terms of the candidate's: what comes from
the input, and what comes from the state before. Where `keeps` is set, `update_pre` is keep's."""
INTERFERENCE = ("mask", "value")
"""What puts something else in the place of a gate: g′ = mask · value + (1 − mask) · g."""

Touch = Callable[[str, ir.Value], ir.Value]
"""Puts something else in the place of a gate [N, H]."""


@dataclass(frozen=True, slots=True)
class InspectedCell(Cell):
    """Also the `TERMS` by name, [N, H] each."""

    terms: dict[str, ir.Value]


def build_inspected_cell(
    builder: Builder, x: ir.Value, hidden: ir.Value, gru: GruNode, touch: Touch
) -> InspectedCell:
    """The same equations as `build_cell`, each term by itself, for x [N, I] and hidden [N, H]."""
    write = _Equations(builder, x, hidden, gru)
    reset_pre, update_pre = write.sum_of(0), write.sum_of(1)
    reset = touch("reset", write.gate(reset_pre))
    update = touch("update", write.update(update_pre))
    from_input = write.from_input(2)
    history = write.history(reset)
    candidate_pre = write.clipped(builder.op("Add", from_input, history))
    active = activate(builder, candidate_pre, gru.candidate_activation)
    candidate = touch("candidate", active)
    written = builder.op("Mul", update, builder.op("Sub", candidate, hidden))
    terms = (reset_pre, update_pre, candidate_pre, from_input, history)
    return InspectedCell(
        reset,
        update,
        candidate,
        builder.op("Add", hidden, written),
        dict(zip(TERMS, terms, strict=True)),
    )


@dataclass(frozen=True, slots=True)
class _Equations:
    """Rows 0, 1 and 2 of the weights are those of reset, update and candidate."""

    builder: Builder
    x: ir.Value
    hidden: ir.Value
    gru: GruNode

    def sum_of(self, row: int) -> ir.Value:
        """W x + U h + b of a gate, clipped."""
        from_hidden = self._product(self.hidden, self.gru.weights.hidden_weights[row])
        return self.clipped(self.builder.op("Add", self.from_input(row), from_hidden))

    def from_input(self, row: int) -> ir.Value:
        """W x + b"""
        weights = self.gru.weights
        product = self._product(self.x, weights.input_weights[row])
        return self.builder.op("Add", product, self.builder.constant(weights.biases[row]))

    def history(self, reset: ir.Value) -> ir.Value:
        """U (r ⊙ h), or r ⊙ (U h + c)."""
        weights = self.gru.weights
        if self.gru.reset == "before":
            recalled = self.builder.op("Mul", reset, self.hidden)
            return self._product(recalled, weights.hidden_weights[2])
        product = self._product(self.hidden, weights.hidden_weights[2])
        bias = self.builder.constant(weights.candidate_bias)
        return self.builder.op("Mul", reset, self.builder.op("Add", product, bias))

    def gate(self, summed: ir.Value) -> ir.Value:
        return activate(self.builder, summed, self.gru.gate_activation)

    def update(self, summed: ir.Value) -> ir.Value:
        active = self.gate(summed)
        if not self.gru.weights.keeps:
            return active
        return self.builder.op("Sub", self.builder.constant(np.ones(1, np.float32)), active)

    def clipped(self, value: ir.Value) -> ir.Value:
        if self.gru.clip is None:
            return value
        bounds = (np.array(bound, np.float32) for bound in (-self.gru.clip, self.gru.clip))
        return self.builder.op("Clip", value, *map(self.builder.constant, bounds))

    def _product(self, rows: ir.Value, weights: NDArray[np.float32]) -> ir.Value:
        return self.builder.op("MatMul", rows, self.builder.constant(weights.T))
