"""The gates that a session shows against those of the original's own GRU nodes.

What each node is given, and the hidden states that it gives, come from the original model run in
float64; its gates from the equations. Neither knows of the graphs that were written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.float64.graph import Float64Graph
from model_export.original import Arrays, Original
from model_export.rewrite.axes import TIME
from model_export.rewrite.builder import Builder
from model_export.rewrite.graphs import Graphs
from model_export.rewrite.gru_node import INITIAL_H, X, node_input
from model_export.rewrite.rules.rule import GruLayer
from model_export.verify.asked import Asked, Rows, as_rows
from model_export.verify.check import Check
from model_export.verify.reference import Float64, one_step
from service.bundle.manifest import HIDDEN, Layer
from service.engine.golden import deviation

_STEPS = 64
"""Of a sequence at most: NumPy keeps all that a convolution looks back at, for every step."""
_WINDOWS = 3
"""How many windows of a session are compared."""
_X, _BEFORE, _AFTER = _WHAT = ("x", "before", "after")
"""Of a GRU node at every step: its input, and the hidden states before and after."""


@dataclass(frozen=True, slots=True)
class _Trace:
    """What one layer did at every step of its own: each gate and the hidden state [B, T, lanes · H]
    by name, and the hidden state [B, lanes · H] that it began with."""

    shown: Mapping[str, Float64]
    begun: Float64


class OriginalGates:
    """A normalised model, and what its GRU nodes do."""

    def __init__(
        self, model: ir.Model, graphs: Graphs, layers: Sequence[Layer], cells: Arrays
    ) -> None:
        self._graphs = graphs
        self._layers = list(zip(graphs.roles.analysis.layers, layers, strict=True))
        self._cells = cells
        traced = _traced(model, [layer.name for layer, _ in self._layers])
        run = Float64Graph(traced.SerializeToString()).run
        original = Original(traced, run, run, Path(), "ONNX")
        self._asked = Asked(original, graphs.roles, graphs.output)

    def checks(self, rows: Rows, constants: Arrays, session: Arrays) -> Iterator[Check]:
        """`session` holds what a session in float64 showed over the same rows: every gate
        [B, T, G] by name, `states` [B, T, S], and `hidden` where these do not have it."""
        size = sum(layer.width for _, layer in self._layers)
        shown = {HIDDEN: session["states"][..., :size], **session}
        if self._graphs.window is None:
            if self._graphs.roles.fixed.time is None:
                rows = rows[:, : _STEPS + self._graphs.output.late]
            for index, trace in enumerate(self._traces(rows, constants)):
                yield from self._compared(index, shown, trace, rows.shape[1])
            return
        window = self._graphs.window
        for end in np.linspace(window, rows.shape[1], _WINDOWS).astype(int):
            for index, trace in enumerate(self._traces(rows[:, end - window : end], {})):
                for name, expected in trace.shown.items():
                    found = shown[name][:, end - 1, self._layers[index][1].span]
                    yield self._check(index, name, found, expected[:, -1], f", step {end}")

    def _compared(self, index: int, shown: Arrays, trace: _Trace, steps: int) -> Iterator[Check]:
        """A layer that waits for its input shows no gates before, and keeps its hidden state."""
        source, layer = self._layers[index]
        for name, values in trace.shown.items():
            nothing = trace.begun if name == HIDDEN else np.full_like(trace.begun, np.nan)
            waiting = np.repeat(nothing[:, np.newaxis], source.late, axis=1)
            expected = np.concatenate([waiting, values], axis=1)[:, :steps]
            yield self._check(
                index, name, shown[name][:, : expected.shape[1], layer.span], expected
            )

    def _check(
        self, index: int, name: str, found: NDArray[Any], expected: Float64, where: str = ""
    ) -> Check:
        source, _ = self._layers[index]
        scale = np.full(expected.shape[-1], max(1.0, float(np.nanmax(np.abs(expected)))))
        what = f"{name} of {source.name!r} against the original and the equations{where}"
        return Check(what, deviation(found, expected, scale))

    def _traces(self, rows: Rows, constants: Arrays) -> list[_Trace]:
        parts = [
            [self._trace(index, batch, found) for index in range(len(self._layers))]
            for batch, found in self._runs(rows, constants)
        ]
        return [_joined(of_layer) for of_layer in zip(*parts, strict=True)]

    def _runs(self, rows: Rows, constants: Arrays) -> Iterator[tuple[int, Arrays]]:
        """x, before and after [T, N, …] of every layer, for one batch after another."""
        names = [f"{index}/{what}" for index in range(len(self._layers)) for what in _WHAT]
        if self._graphs.roles.takes_single_steps:
            for batch, steps in self._asked.runs_of_steps(rows, constants):
                yield (
                    batch,
                    {name: np.concatenate([found[name] for found in steps]) for name in names},
                )
            return
        for batch, found in self._asked.runs(rows, constants):
            yield batch, {name: _with_history(found, name) for name in names}

    def _trace(self, index: int, batch: int, found: Arrays) -> _Trace:
        source, layer = self._layers[index]
        x, before, after = (found[f"{index}/{what}"] for what in _WHAT)
        flat = (part.reshape(-1, part.shape[-1]) for part in (x, before))
        equations = one_step(layer, self._cells, index, *flat)
        shown = {name: equations[name].reshape(after.shape) for name in layer.gates}
        return _Trace(
            {
                name: _in_rows(value, source, batch)
                for name, value in (shown | {HIDDEN: after}).items()
            },
            _in_rows(before[:1], source, batch)[:, 0],
        )


def _traced(model: ir.Model, names: Sequence[str]) -> onnx.ModelProto:
    """The model with x [T, N, I], before [1, N, H] and after [T, N, H] of GRU nodes as outputs."""
    copy = model.clone()
    graph = copy.graph
    builder = Builder(graph, "traced")
    nodes = {node.name: node for node in graph}
    for index, name in enumerate(names):
        node = nodes[name]
        x, y = node.inputs[X], node.outputs[0]
        assert x is not None
        y.name = y.name or f"{name}/Y"
        after = builder.squeeze(y, 1)
        begun = node_input(node, INITIAL_H)
        if begun is None:
            first = builder.slice(after, 0, 0, 1)
            begun = builder.op("Sub", first, first)
        for what, value in zip(_WHAT, (x, begun, after), strict=True):
            made = builder.op("Identity", value)
            made.name = f"{index}/{what}"
            made.type = ir.TensorType(ir.DataType.FLOAT)
            graph.outputs.append(made)
    builder.append()
    proto: onnx.ModelProto = ir.to_proto(copy)
    return proto


def _with_history(found: Arrays, name: str) -> NDArray[Any]:
    """Of a whole sequence: before each step is after the one before."""
    index, what = name.split("/")
    if what != _BEFORE:
        return found[name]
    return np.concatenate([found[name], found[f"{index}/{_AFTER}"]])[:-1]


def _in_rows(value: NDArray[Any], layer: GruLayer, batch: int) -> Float64:
    """[T, N, H] as [B, T, lanes · H]."""
    axes = ((TIME,), layer.batch_axis, (layer.hidden_size,))
    return as_rows(value, axes, batch, len(value))


def _joined(parts: Sequence[_Trace]) -> _Trace:
    """Those of one batch after another."""
    shown = {name: np.concatenate([part.shown[name] for part in parts]) for name in parts[0].shown}
    return _Trace(shown, np.concatenate([part.begun for part in parts]))
