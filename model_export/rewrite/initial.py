"""Building `initial.onnx`: the state of a session that has seen nothing, from its constants."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from model_export.rewrite.axes import BATCH, Axes, length_of
from model_export.rewrite.builder import Builder
from model_export.rewrite.cleaning import clean, serialised
from model_export.rewrite.gru_node import INITIAL_H, node_input
from model_export.rewrite.rearranging import Rearranging, rows_first
from model_export.rewrite.roles import Roles
from model_export.rewrite.rules.rule import GruLayer
from model_export.rewrite.state import Segment
from service.bundle.manifest import constant_input


def write_initial(model: ir.Model, roles: Roles, segments: Sequence[Segment]) -> bytes:
    """Inputs `constant/NAME` [B, …] for every constant, output `state` [B, S]."""
    return _Initial(model, roles, segments).serialised()


class _Initial:
    def __init__(self, model: ir.Model, roles: Roles, segments: Sequence[Segment]) -> None:
        self._roles = roles
        self._model = model.clone()
        self._graph = self._model.graph
        self._inputs = {str(one.name): one for one in self._graph.inputs}
        self._rearranging = Rearranging(time=1)
        self._begin = Builder(self._graph, "begin")
        self._given = {
            name: self._feed_constant(name, axes) for name, axes in roles.constants.items()
        }
        self._feed_zeros()
        self._begin.insert_before(self._graph[0])
        end = Builder(self._graph, "end")
        state = end.concat([self._begun(end, segment) for segment in segments])
        end.append()
        self._graph.inputs[:] = list(self._given.values())
        state.name, state.type = "state", ir.TensorType(ir.DataType.FLOAT)
        state.shape = ir.Shape(["batch", sum(segment.size for segment in segments)])
        self._graph.outputs[:] = [state]
        clean(self._model)

    def serialised(self) -> bytes:
        return serialised(self._model)

    def _feed_constant(self, name: str, axes: Axes) -> ir.Value:
        """The model's own input, from one whose first axis is the batch."""
        old = self._inputs[name]
        assert old.dtype is not None
        # A single number has an axis of its own, as in the state.
        shape = [length_of(axis) for axis in axes if axis != (BATCH,)] or [1]
        made = ir.val(constant_input(name), _taken(old.dtype), ["batch", *shape])
        if self._rearranging.model_input is None:
            self._rearranging.model_input = made
        flat = self._begin.op("Flatten", made, axis=1)
        factors, groups, rows = rows_first(axes)
        value = self._rearranging.rearranged(self._begin, flat, factors, rows, groups)
        if old.dtype != made.dtype:
            value = self._begin.op("Cast", value, to=old.dtype)
        old.replace_all_uses_with(value, replace_graph_outputs=True)
        return made

    def _feed_zeros(self) -> None:
        """The sequence matters for its batch at most, and initial states of the file not at all."""
        others: dict[str, Axes] = {self._roles.input: self._roles.input_axes}
        others |= {cache.input: cache.axes for cache in self._roles.caches}
        for name, axes in others.items():
            old = self._inputs[name]
            assert old.dtype is not None
            lengths = self._rearranging.lengths_of(self._begin, axes)
            zero = self._begin.constant(np.zeros((), old.dtype.numpy()))
            old.replace_all_uses_with(self._begin.op("Expand", zero, lengths))

    def _begun(self, builder: Builder, segment: Segment) -> ir.Value:
        """A segment [B, n]."""
        if segment.kind == "constant":
            flat = builder.op("Flatten", self._given[segment.name], axis=1)
            return builder.op("Cast", flat, to=ir.DataType.FLOAT)
        if segment.initial is None:
            layer = segment.source
            assert isinstance(layer, GruLayer)
            node = next(one for one in self._graph if one.name == layer.name)
            initial = node_input(node, INITIAL_H)
            assert initial is not None
            return self._as_rows(builder, initial, ((), layer.batch_axis, (layer.hidden_size,)))
        row = builder.constant(segment.initial[np.newaxis])
        lengths = self._rearranging.lengths_of(builder, ((BATCH,), ()))
        return builder.op("Expand", row, lengths)

    def _as_rows(self, builder: Builder, value: ir.Value, axes: Axes) -> ir.Value:
        factors, groups, rows = rows_first(axes)
        return self._rearranging.rearranged(builder, value, factors, groups, rows)


def _taken(dtype: ir.DataType) -> ir.DataType:
    """What a caller gives: whole numbers or float32."""
    return ir.DataType.FLOAT if dtype == ir.DataType.FLOAT else ir.DataType.INT64
