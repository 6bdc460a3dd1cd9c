"""Changing a copy of a model into a graph that goes on from a session's state.

The rules of the operators call the methods that take a `copy`: a node of this graph.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.axes import BATCH, TIME, Axes, Factor
from model_export.rewrite.builder import Builder
from model_export.rewrite.carried import Carried
from model_export.rewrite.cell import Cell, build_cell
from model_export.rewrite.gru_node import INITIAL_H, SEQUENCE_LENS, node_input
from model_export.rewrite.inspected_cell import INTERFERENCE, build_inspected_cell
from model_export.rewrite.rearranging import Rearranging, numbered, rows_first
from model_export.rewrite.rules.rule import GruLayer
from model_export.rewrite.state import Segment
from service.bundle.manifest import STEPS_SEEN

GraphKind = Literal["step", "sequence", "window"]


class Writer:
    """A graph on its way from the model's own inputs to `input` and `state`.

    In the step graph the time is one step long, and GRU nodes are written out. In the sequence
    graph GRU nodes stay, and every segment is collected after each step. A window is a step graph
    that runs over `time` steps, the last inputs of a session, and carries nothing else: what looks
    back stays as the model has it. A step graph or a window that `inspects` shows and takes more.
    """

    def __init__(
        self,
        graph: ir.Graph,
        segments: Sequence[Segment],
        kind: GraphKind,
        time: int | None,
        *,
        inspects: bool = False,
    ) -> None:
        self.graph = graph
        self.kind = kind
        self.inspects = inspects
        self.is_step = kind != "sequence"
        self.state = ir.val("state", ir.DataType.FLOAT, ["batch", sum(s.size for s in segments)])
        self.gates: dict[str, dict[str, ir.Value]] = {}
        """Of each layer by name: its gates [B, lanes · H], in the step graph."""
        self.hidden: dict[str, ir.Value] = {}
        """Of each layer by name: its hidden state after the step, likewise."""
        self.after: dict[str, ir.Value] = {}
        """Each segment after a step [B, n], or after every step [B, T, n]."""
        self.begin = Builder(graph, "begin")
        """What stands before all else."""
        pieces = self.begin.split(self.state, [segment.size for segment in segments])
        self.before = {segment.name: piece for segment, piece in zip(segments, pieces, strict=True)}
        """Each segment before the first step, [B, n]."""
        self.terms: dict[str, dict[str, ir.Value]] = {}
        """Of each layer by name: the terms of its gates [B, lanes · H], in the graph to inspect."""
        self.layer_inputs: dict[str, ir.Value] = {}
        """Of each layer by name: its input [B, lanes · I], likewise."""
        self.layer_states: dict[str, ir.Value] = {}
        """Of each layer without a segment by name: the hidden state [B, lanes · H] that it begins
        the step with, likewise."""
        self.interference: dict[str, ir.Value] = {}
        """Further inputs: a mask and a value [B, lanes · H] for each gate of each layer, likewise;
        by `layer/gate_mask` and `layer/gate_value`."""
        self._segments = segments
        self._rearranging = Rearranging(time)
        self._builders: dict[str, Builder] = {}

    def read_lengths_from(self, model_input: ir.Value) -> None:
        """`model_input` is [B, …] in the step graph, [B, T, …] in the sequence graph."""
        self._rearranging.model_input = model_input

    # What the rules of layout use

    def shape(self, copy: ir.Node, axes: Axes) -> ir.Value:
        """The lengths of some axes as a tensor, for a Reshape or an Expand."""
        builder = self._builder(copy, "shape")
        if copy.op_type == "Expand":
            made = self._rearranging.lengths_of(builder, axes)
        else:
            made = self._rearranging.shape_of(builder, axes)
        builder.insert_before(copy)
        return made

    def constant(self, copy: ir.Node, array: NDArray[np.generic]) -> ir.Value:
        return self._builder(copy, "constant").constant(array)

    def expand(self, copy: ir.Node, index: int, axes: Axes) -> None:
        """Have an input of a node repeated to these axes."""
        builder = self._builder(copy, "expand")
        lengths = self._rearranging.lengths_of(builder, axes)
        copy.replace_input_with(index, builder.op("Expand", copy.inputs[index], lengths))
        builder.insert_before(copy)

    def replace(self, copy: ir.Node, op_type: str, inputs: Sequence[ir.Value | None]) -> None:
        """Put another operator with one output in the place of a node."""
        builder = self._builder(copy, "instead")
        made = builder.op(op_type, *inputs)
        made.type = copy.outputs[0].type
        copy.outputs[0].replace_all_uses_with(made, replace_graph_outputs=True)
        builder.insert_before(copy)
        self.graph.remove(copy, safe=True)
        made.name = copy.outputs[0].name

    # What the rules of operators use that look back

    def look_back(self, copy: ir.Node, index: int, carried: Carried) -> None:
        """Have a node see the frames before its input as well, and keep the last ones."""
        if self.kind == "window":
            return
        builder = self._builder(copy, "past")
        copy.replace_input_with(index, self._with_past(builder, copy, index, carried))
        builder.insert_before(copy)

    def delay(self, copy: ir.Node, index: int, carried: Carried) -> None:
        """Have a node see its input so many frames later."""
        if self.kind == "window":
            return
        builder = self._builder(copy, "past")
        longer = self._with_past(builder, copy, index, carried)
        late = builder.slice(longer, carried.time_axis, 0, -carried.frames)
        copy.replace_input_with(index, late)
        builder.insert_before(copy)

    def go_on_summing(self, copy: ir.Node, carried: Carried) -> None:
        """Add the sum of all steps before to a running one."""
        if self.kind == "window":
            return
        builder = self._builder(copy, "past")
        total = copy.outputs[0]
        made = builder.op("Add", total, self._frames(builder, carried))
        total.replace_all_uses_with(made, replace_graph_outputs=True)
        builder.nodes[-1].replace_input_with(0, total)
        total.name, made.name = f"{total.name}/of these steps", total.name
        time = carried.time_axis
        axes = tuple((TIME,) if at == time else axis for at, axis in enumerate(carried.axes))
        self.after[carried.name] = self.rows(builder, made, axes)
        builder.insert_after(copy)

    def fill_forward(self, copy: ir.Node, carried: Carried) -> None:
        """Write out that a missing value takes the last one's place."""
        builder = self._builder(copy, "filled")
        x, axis = copy.inputs[0], carried.time_axis
        assert x is not None
        before = self._frames(builder, carried)
        if self.is_step:
            made = builder.op("Where", builder.op("IsNaN", x), before, x)
        else:
            longer = builder.op("Concat", before, x, axis=axis)
            made = builder.slice(_last_known(builder, longer, axis), axis, 1)
        axes = tuple((TIME,) if at == axis else one for at, one in enumerate(carried.axes))
        self.after[carried.name] = self.rows(builder, made, axes)
        made.type = copy.outputs[0].type
        copy.outputs[0].replace_all_uses_with(made, replace_graph_outputs=True)
        builder.insert_before(copy)
        self.graph.remove(copy, safe=True)

    def _with_past(self, builder: Builder, copy: ir.Node, index: int, carried: Carried) -> ir.Value:
        past = self._frames(builder, carried)
        longer = builder.op("Concat", past, copy.inputs[index], axis=carried.time_axis)
        self.after[carried.name] = self._kept(builder, longer, carried)
        return longer

    def _frames(self, builder: Builder, carried: Carried) -> ir.Value:
        """A segment of the state as the frames of a value."""
        factors, groups, batch, frames, others = _parts(carried)
        piece = self.before[carried.name]
        made = self._rearranging.rearranged(
            builder, piece, factors, [batch, [*frames, *others]], groups
        )
        return made if _is_float(carried) else builder.op("Cast", made, to=carried.dtype)

    def _kept(self, builder: Builder, longer: ir.Value, carried: Carried) -> ir.Value:
        """The last frames as a segment: after the step [B, n], or after every step [B, T, n]."""
        factors, groups, batch, frames, others = _parts(carried)
        if not _is_float(carried):
            longer = builder.op("Cast", longer, to=ir.DataType.FLOAT)
        if self.is_step:
            last = builder.slice(longer, carried.time_axis, 1)
            want = [batch, [*frames, *others]]
            return self._rearranging.rearranged(builder, last, factors, groups, want)
        moved: list[Factor] = [
            TIME if at in frames else factor for at, factor in enumerate(factors)
        ]
        windows = []
        for begin in range(1, carried.frames + 1):
            behind = carried.frames - begin
            part = builder.slice(longer, carried.time_axis, begin, -behind if behind else None)
            want = [batch, frames, others]
            windows.append(self._rearranging.rearranged(builder, part, moved, groups, want))
        return builder.concat(windows)

    def rows(self, builder: Builder, value: ir.Value, axes: Axes) -> ir.Value:
        """A value as [B, n] in the step graph, as [B, T, n] in the sequence graph."""
        factors, groups, rows = rows_first(self._rearranging.sized(axes))
        return self._rearranging.rearranged(builder, value, factors, groups, rows)

    def from_rows(self, builder: Builder, rows: ir.Value, axes: Axes) -> ir.Value:
        """The reverse of `rows`; a window is [B, N · n], one step behind the other."""
        _, groups, have = rows_first(axes)
        if self.is_step:
            have = [have[0], [at for group in have[1:] for at in group]]
        factors, _ = numbered(self._rearranging.sized(axes))
        return self._rearranging.rearranged(builder, rows, factors, have, groups)

    def unchanged(self, builder: Builder, name: str) -> ir.Value:
        """A segment that is the same after every step."""
        piece = self.before[name]
        if self.is_step:
            return piece
        steps = self._rearranging.lengths_of(builder, ((BATCH,), (TIME,), ()))
        return builder.op("Expand", builder.unsqueeze(piece, 1), steps)

    # What the rule of the GRU uses

    def write_out(self, copy: ir.Node, layer: GruLayer) -> None:
        """Have a GRU node begin from the state, and keep what it hands on."""
        builder = self._builder(copy, "cell")
        if self.kind == "window":
            self._watch_window(builder, copy, layer)
            return
        axes = (layer.batch_axis, (layer.hidden_size,))
        if layer.has_segment:
            hidden = self.from_rows(builder, self.before[layer.name], axes)
        else:
            initial = node_input(copy, INITIAL_H)
            assert initial is not None
            hidden = builder.squeeze(initial, 0)
        if self.is_step:
            self._write_step(builder, copy, layer, hidden)
        else:
            self._feed(builder, copy, layer, hidden)

    def _write_step(
        self, builder: Builder, copy: ir.Node, layer: GruLayer, hidden: ir.Value
    ) -> None:
        x = copy.inputs[0]
        assert x is not None
        axes = (layer.batch_axis, (layer.hidden_size,))
        cell = self._cell(builder, layer, builder.squeeze(x, 0), hidden)
        after = self.rows(builder, cell.hidden, axes)
        if layer.late:
            seen = self.steps_seen(builder, layer.late)
            after = builder.op("Where", seen, after, self.before[layer.name])
            for shown in (self.gates, self.terms):
                for name, value in shown.get(layer.name, {}).items():
                    shown[layer.name][name] = self.where_seen(builder, value, layer.late)
        self.hidden[layer.name] = after
        if layer.has_segment:
            self.after[layer.name] = after
        cell.hidden.shape = ir.Shape([None, layer.hidden_size])
        # Y is [T, directions, B, H], Y_h [directions, B, H].
        for output, added in zip(copy.outputs, ((0, 1), (0,)), strict=False):
            output.replace_all_uses_with(
                builder.unsqueeze(cell.hidden, *added), replace_graph_outputs=True
            )
        builder.insert_before(copy)
        self.graph.remove(copy, safe=True)
        # Values keep the names that they have in the model, so that two graphs can be compared.
        cell.hidden.name = copy.outputs[0].name or copy.outputs[1].name

    def _cell(self, builder: Builder, layer: GruLayer, x: ir.Value, hidden: ir.Value) -> Cell:
        """One step of a layer written out, for x [N, I] and hidden [N, H], and its gates kept."""
        build = self._inspected if self.inspects else self._plain
        cell = build(builder, layer, x, hidden)
        axes = (layer.batch_axis, (layer.hidden_size,))
        self.gates[layer.name] = {
            name: self.rows(builder, gate, axes) for name, gate in cell.gates.items()
        }
        return cell

    def _plain(self, builder: Builder, layer: GruLayer, x: ir.Value, hidden: ir.Value) -> Cell:
        return build_cell(builder, x, hidden, layer.gru)

    def _inspected(self, builder: Builder, layer: GruLayer, x: ir.Value, hidden: ir.Value) -> Cell:
        axes = (layer.batch_axis, (layer.hidden_size,))

        def touch(gate: str, value: ir.Value) -> ir.Value:
            mask, instead = (
                self.from_rows(builder, self.interference[f"{layer.name}/{gate}_{what}"], axes)
                for what in INTERFERENCE
            )
            change = builder.op("Mul", mask, builder.op("Sub", instead, value))
            return builder.op("Add", value, change)

        cell = build_inspected_cell(builder, x, hidden, layer.gru, touch)
        self.terms[layer.name] = {
            name: self.rows(builder, term, axes) for name, term in cell.terms.items()
        }
        width = layer.gru.weights.input_weights.shape[-1]
        self.layer_inputs[layer.name] = self.rows(builder, x, (layer.batch_axis, (width,)))
        if not self.has_segment(layer):
            self.layer_states[layer.name] = self.rows(builder, hidden, axes)
        return cell

    def _feed(self, builder: Builder, copy: ir.Node, layer: GruLayer, hidden: ir.Value) -> None:
        initial = builder.unsqueeze(hidden, 0)
        builder.insert_before(copy)
        copy.resize_inputs(max(len(copy.inputs), INITIAL_H + 1))
        copy.replace_input_with(INITIAL_H, initial)
        copy.replace_input_with(SEQUENCE_LENS, None)
        copy.outputs[0].name = copy.outputs[0].name or f"{copy.name}/Y"
        behind = self._builder(copy, "history")
        axes = ((TIME,), (), layer.batch_axis, (layer.hidden_size,))
        self.after[layer.name] = self.rows(behind, copy.outputs[0], axes)
        behind.insert_after(copy)

    def _watch_window(self, builder: Builder, copy: ir.Node, layer: GruLayer) -> None:
        """Leave a GRU node to run over the window, and show what it did at the last step.

        In a graph to inspect, the last step that the rest of the model sees is the one written out:
        what is done to its gates reaches the answer.
        """
        begun = self._begin_anew(copy, layer)
        y, x = copy.outputs[0], copy.inputs[0]
        y.name = y.name or f"{copy.name}/Y"
        assert x is not None
        axes = (layer.batch_axis, (layer.hidden_size,))
        others = [(output, list(output.uses())) for output in copy.outputs]
        history = builder.concat([begun, builder.squeeze(y, 1)], axis=0)
        before = builder.squeeze(builder.slice(history, 0, -2, -1), 0)
        cell = self._cell(builder, layer, builder.squeeze(builder.slice(x, 0, -1), 0), before)
        last = builder.squeeze(builder.slice(y, 0, -1), 0, 1)
        if self.inspects:
            last = cell.hidden
            earlier = builder.slice(y, 0, 0, -1)
            final = builder.unsqueeze(last, 0)
            whole = builder.concat([earlier, builder.unsqueeze(final, 0)], axis=0)
            for (output, uses), made in zip(others, (whole, final), strict=False):
                self._redirect(output, uses, made)
        self.hidden[layer.name] = self.rows(builder, last, axes)
        builder.insert_after(copy)

    def _redirect(self, old: ir.Value, uses: Sequence[tuple[ir.Node, int]], new: ir.Value) -> None:
        """Have some uses of a value, and the outputs of the graph, take another one."""
        new.type, new.shape = old.type, old.shape
        for node, index in uses:
            node.replace_input_with(index, new)
        for at, output in enumerate(self.graph.outputs):
            if output is old:
                self.graph.outputs[at] = new

    def _begin_anew(self, copy: ir.Node, layer: GruLayer) -> ir.Value:
        """Give every session of a batch the same initial state, and return it, [1, N, H]."""
        assert layer.initial is not None
        builder = self._builder(copy, "initial")
        row = builder.constant(layer.initial[np.newaxis])
        lengths = self._rearranging.lengths_of(builder, ((BATCH,), ()))
        axes = (layer.batch_axis, (layer.hidden_size,))
        begun = self.from_rows(builder, builder.op("Expand", row, lengths), axes)
        initial = builder.unsqueeze(begun, 0)
        copy.resize_inputs(max(len(copy.inputs), INITIAL_H + 1))
        copy.replace_input_with(INITIAL_H, initial)
        copy.replace_input_with(SEQUENCE_LENS, None)
        builder.insert_before(copy)
        return initial

    def has_segment(self, layer: GruLayer) -> bool:
        """Whether the state holds its hidden state: not in a window, not in a model's own cache."""
        return any(segment.source is layer for segment in self._segments)

    def where_seen(self, builder: Builder, value: ir.Value, late: int) -> ir.Value:
        """A value [B, n], or NaN for sessions that have not seen so many steps before."""
        nothing = builder.constant(np.array([np.nan], np.float32))
        return builder.op("Where", self.steps_seen(builder, late), value, nothing)

    def steps_seen(self, builder: Builder, late: int) -> ir.Value:
        """Whether a session has seen so many steps before this one, [B, 1]."""
        bound = builder.constant(np.array([late], np.float32))
        return builder.op("GreaterOrEqual", self.before[STEPS_SEEN], bound)

    def _builder(self, copy: ir.Node, what: str) -> Builder:
        prefix = f"{copy.name}/{what}"
        return self._builders.setdefault(prefix, Builder(self.graph, prefix))


def _last_known(builder: Builder, x: ir.Value, axis: int) -> ir.Value:
    """x with the number before it for every NaN along an axis that begins with a number.

    Every number begins a group with the NaN behind it. Added up within its group, where all others
    count as zero, it comes to each of them exactly.
    """
    is_missing = builder.op("IsNaN", x)
    begins = builder.op("Cast", builder.op("Not", is_missing), to=ir.DataType.INT64)
    counted = builder.op("CumSum", begins, builder.constant(np.array(axis, np.int64)))
    group = builder.op("Sub", counted, builder.constant(np.array(1, np.int64)))
    zero = builder.constant(np.array(0, np.float32))
    known = builder.op("Where", is_missing, zero, x)
    nothing = builder.op("Mul", known, zero)
    sums = builder.op("ScatterElements", nothing, group, known, axis=axis, reduction="add")
    return builder.op("GatherElements", sums, group, axis=axis)


def _parts(
    carried: Carried,
) -> tuple[list[Factor], list[list[int]], list[int], list[int], list[int]]:
    """The factors of carried frames, their axes, and which are the batch, the frames, the rest."""
    factors, groups = numbered(carried.axes)
    batch = [at for at, factor in enumerate(factors) if factor == BATCH]
    frames = groups[carried.time_axis]
    others = [at for at in range(len(factors)) if at not in (*batch, *frames)]
    return list(factors), groups, batch, frames, others


def _is_float(carried: Carried) -> bool:
    return carried.dtype == ir.DataType.FLOAT
