"""Building `sequence.onnx` and `step.onnx` out of one ONNX model with GRU nodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.axes import BATCH, Axis, width_of
from model_export.rewrite.builder import Builder
from model_export.rewrite.carried import EXACT
from model_export.rewrite.cleaning import clean, forget_shapes, serialised
from model_export.rewrite.facts import Fact, Source, Whole
from model_export.rewrite.initial import write_initial
from model_export.rewrite.inspected_cell import INTERFERENCE, TERMS
from model_export.rewrite.layout import cancel_layout
from model_export.rewrite.new_input import new_input
from model_export.rewrite.roles import Roles
from model_export.rewrite.state import LAST_INPUTS, Segment, segments_of
from model_export.rewrite.whole import write_whole
from model_export.rewrite.writer import GraphKind, Writer
from service.bundle.manifest import GRU_GATES, STEPS_SEEN, SequenceGraph

_TAKEN = {
    *TERMS,
    "input",
    "state",
    "output",
    "states",
    "next_state",
    "hidden",
    "reset",
    "update",
    "candidate",
    *(f"{gate}_{what}" for gate in GRU_GATES for what in INTERFERENCE),
}
_TAKEN_BY_NUMBER = ("layer_input_", "layer_state_")


@dataclass(frozen=True, slots=True)
class Graphs:
    """The graphs, serialised, and what the manifest says about them.

    `why_whole` says why there is no step graph; then `sequence` is the model itself. Otherwise
    `sequence` is None where a session can only go step by step.
    """

    step: bytes | None
    sequence: bytes | None
    segments: tuple[Segment, ...]
    roles: Roles
    output: Fact
    opset: int
    sequence_gives: SequenceGraph | None = "outputs and states"
    inspect: bytes | None = None
    initial: bytes | None = None
    why_whole: str | None = None
    window: int | None = None

    @property
    def ready_at(self) -> int:
        """The first step that has an answer."""
        return self.output.late + 1 if self.window is None else self.window

    @property
    def looks_ahead(self) -> int:
        """How many steps before the end of a sequence the answers still change."""
        if self.roles.takes_single_steps or self.window is not None:
            return 0
        if self.output.source is Source.LAST:
            return 0
        return max(0, self.output.late + self.output.extra)


def write_graphs(model: ir.Model, roles: Roles) -> Graphs:
    """Rewrite a normalised model."""
    fact = roles.analysis.facts[roles.output]
    opset = model.opset_imports[""]
    if isinstance(fact, Fact) and fact.late < 0:
        fact = Whole(f"the output {roles.output!r} begins with padding, which belongs to no step")
    if isinstance(fact, Whole) or not roles.analysis.layers:
        reason = fact.reason if isinstance(fact, Whole) else _without_layers(roles)
        if roles.takes_single_steps:
            raise ModelRefused(
                f"the file takes one step at a time, and {reason}; if it passes on a state, say so "
                "by --state OUTPUT=INPUT"
            )
        whole, output = write_whole(model, roles)
        return Graphs(None, whole, (), roles, output, opset, "outputs", why_whole=reason)
    if roles.fixed.time not in (None, 1) and fact.extra:
        raise ModelRefused(
            f"the output {roles.output!r} has {roles.fixed.time + fact.extra} steps where the file "
            f"fixes {roles.fixed.time} for the input; export it with an open time axis"
        )
    segments = _segments(model, roles, fact.late + 1)
    step, inspect = (
        _Graph(model, roles, segments, fact, "step", inspects=inspects).serialised()
        for inspects in (False, True)
    )
    sequence: bytes | None = None
    gives: SequenceGraph | None = None
    looks_ahead = fact.source is Source.STREAM and fact.late + fact.extra > 0
    if looks_ahead and not roles.takes_single_steps:
        sequence, gives = write_whole(model, roles)[0], "outputs"
    elif not roles.takes_single_steps and STEPS_SEEN not in {one.name for one in segments}:
        gives = "outputs and states" if fact.source is Source.STREAM else "states"
        sequence = _Graph(model, roles, segments, fact, "sequence").serialised()
    return Graphs(
        step,
        sequence,
        segments,
        roles,
        fact,
        opset,
        gives,
        inspect,
        initial=write_initial(model, roles, segments) if roles.constants else None,
    )


def _without_layers(roles: Roles) -> str:
    return f"no GRU node behind the output {roles.output!r} runs through time"


def write_window(model: ir.Model, roles: Roles, window: int) -> Graphs:
    """Graphs of sessions that answer what the model answers to their last inputs.

    Raises ModelRefused for a model that takes single steps, or another number of them.
    """
    if roles.takes_single_steps:
        raise ModelRefused(f"the input {roles.input!r} takes single steps, which have no window")
    if roles.constants:
        names = ", ".join(map(repr, roles.constants))
        raise ModelRefused(f"a session of windows takes no constants, and the model has {names}")
    if roles.fixed.time not in (None, window):
        raise ModelRefused(f"the file fixes the window at {roles.fixed.time} steps, not {window}")
    if window == 1:
        raise ModelRefused("a window of one step carries nothing; serve it as it is")
    whole, output = _whole_of_window(model, roles)
    late = window - 1
    width = prod(width_of(axis) for axis in roles.input_axes)
    segments = [Segment(LAST_INPUTS, "carried", (late, width), np.zeros(late * width, np.float32))]
    segments.append(Segment(STEPS_SEEN, "carried", (1,), np.zeros(1, np.float32)))
    step, inspect = (
        _Graph(
            model, roles, segments, output, "window", window=window, inspects=inspects
        ).serialised()
        for inspects in (False, True)
    )
    return Graphs(
        step,
        whole,
        tuple(segments),
        roles,
        output,
        model.opset_imports[""],
        None if whole is None else "outputs",
        # Where every GRU node needs the whole window, there is no gate to look at.
        inspect=inspect if roles.analysis.layers else None,
        window=window,
    )


def _whole_of_window(model: ir.Model, roles: Roles) -> tuple[bytes | None, Fact]:
    """The model itself, where it takes a batch, and what is known of its output."""
    fact = roles.analysis.facts[roles.output]
    if roles.fixed.batch == 1 and isinstance(fact, Fact):
        return None, fact
    return write_whole(model, roles)


def _segments(model: ir.Model, roles: Roles, ready_at: int) -> tuple[Segment, ...]:
    found = list(segments_of(roles.analysis, ready_at))
    ours = {STEPS_SEEN, LAST_INPUTS, *(one.name for one in found)}
    for cache in roles.caches:
        _check_exact(model, cache.input)
        shape = _numbers(cache.axes)
        size = int(np.prod(shape))
        found.append(Segment(cache.input, "carried", shape, np.zeros(size, np.float32)))
    for name, axes in roles.constants.items():
        given = next(one for one in model.graph.inputs if one.name == name)
        integers = _integers(given)
        found.append(Segment(name, "constant", _numbers(axes), None, integers=integers))
    given_names = {*(cache.input for cache in roles.caches), *roles.constants}
    for name in sorted(given_names & ours):
        raise ModelRefused(
            f"the input {name!r} has a name that a session needs for itself; export it under "
            "another one"
        )
    return tuple(found)


def _check_exact(model: ir.Model, name: str) -> None:
    dtype = next(one.dtype for one in model.graph.inputs if one.name == name)
    if dtype not in EXACT:
        raise ModelRefused(
            f"the input {name!r} is fed back and holds {dtype}, whose numbers float32 does not all "
            "hold exactly; export it as float32, or as integers of 16 bits or fewer"
        )


def _integers(given: ir.Value) -> tuple[int, int] | None:
    """The whole numbers that an input's type and float32 both hold; None for floats."""
    assert given.dtype is not None
    if given.dtype == ir.DataType.FLOAT:
        return None
    if given.dtype == ir.DataType.BOOL:
        return 0, 1
    held = np.iinfo(given.dtype.numpy())
    return max(int(held.min), -(2**24)), min(int(held.max), 2**24)


def _numbers(axes: Sequence[Axis]) -> tuple[int, ...]:
    """The shape of one session's part."""
    return tuple(width_of(axis) for axis in axes if axis != (BATCH,)) or (1,)


class _Graph:
    """One graph of a bundle, made from a copy of the model."""

    def __init__(
        self,
        model: ir.Model,
        roles: Roles,
        segments: Sequence[Segment],
        output: Fact,
        kind: GraphKind,
        *,
        window: int | None = None,
        inspects: bool = False,
    ) -> None:
        self._roles = roles
        self._segments = segments
        self._output = output
        self._kind = kind
        self._inspects = inspects
        self._is_step = kind != "sequence"
        self._late = output.late if window is None else window - 1
        self._outputs = [str(one.name) for one in model.graph.outputs]
        self._model = model.clone()
        self._graph = self._model.graph
        names = [str(one.name) for one in model.graph.inputs]
        self._inputs = dict(zip(names, self._graph.inputs, strict=True))
        _free_names(self._graph)
        time = {"sequence": None, "window": window}.get(kind, 1)
        self._writer = Writer(self._graph, segments, kind, time, inspects=inspects)
        lengths = ["batch"] if self._is_step else ["batch", "time"]
        given = new_input(self._inputs[roles.input], roles.input_axes, lengths)
        self._begin(given)
        interference = self._interfere() if inspects else []
        for node in list(self._graph):
            edit = roles.analysis.edits.get(str(node.name))
            if edit is not None:
                edit(self._writer, node)
        self._end([given, self._writer.state, *interference])

    def serialised(self) -> bytes:
        return serialised(self._model)

    def _begin(self, given: ir.Value) -> None:
        """Make the model's own inputs from `input` and `state`."""
        builder, writer, roles = self._writer.begin, self._writer, self._roles
        writer.read_lengths_from(given)
        is_tokens = given.dtype == ir.DataType.INT64
        rows = builder.unsqueeze(given, -1) if is_tokens else given
        if self._kind == "window":
            rows = self._last_inputs(builder, rows)
        self._feed(builder, roles.input, writer.from_rows(builder, rows, roles.input_axes))
        for cache in roles.caches:
            rows = writer.before[cache.input]
            self._feed(builder, cache.input, writer.from_rows(builder, rows, cache.axes))
        for name, axes in roles.constants.items():
            rows = writer.before[name]
            self._feed(builder, name, writer.from_rows(builder, rows, axes))
            writer.after[name] = writer.unchanged(builder, name)
        builder.insert_before(self._graph[0])

    def _last_inputs(self, builder: Builder, row: ir.Value) -> ir.Value:
        """The window [B, N · F] with a new row [B, F] at its end."""
        past = self._writer.before[LAST_INPUTS]
        is_tokens = row.dtype != ir.DataType.FLOAT
        new = builder.op("Cast", row, to=ir.DataType.FLOAT) if is_tokens else row
        window = builder.concat([past, new])
        width = prod(width_of(axis) for axis in self._roles.input_axes)
        self._writer.after[LAST_INPUTS] = builder.slice(window, 1, width)
        return builder.op("Cast", window, to=ir.DataType.INT64) if is_tokens else window

    def _feed(self, builder: Builder, name: str, made: ir.Value) -> None:
        old = self._inputs[name]
        if old.dtype not in (ir.DataType.FLOAT, ir.DataType.INT64) or (
            old.dtype == ir.DataType.INT64 and name != self._roles.input
        ):
            made = builder.op("Cast", made, to=old.dtype)
        old.replace_all_uses_with(made, replace_graph_outputs=True)

    def _end(self, inputs: Sequence[ir.Value]) -> None:
        graph, writer = self._graph, self._writer
        builder = Builder(graph, "end")
        results: dict[str, ir.Value] = {}
        if self._is_step or self._output.source is Source.STREAM:
            results["output"] = self._answer(builder)
        for cache in self._roles.caches:
            value = _as_float(builder, self._old_output(cache.output))
            writer.after[cache.input] = writer.rows(builder, value, cache.axes)
        self._count(builder)
        after = [writer.after[segment.name] for segment in self._segments]
        results["next_state" if self._is_step else "states"] = builder.concat(after)
        if self._is_step:
            results |= self._gates(builder)
            layers = self._roles.analysis.layers
            if writer.hidden and not all(map(writer.has_segment, layers)):
                results["hidden"] = self._hidden(builder)
        if self._inspects:
            results |= self._terms(builder)
        graph.inputs[:] = inputs
        time: list[str | int] = [] if self._is_step else ["time"]
        graph.outputs[:] = []
        for name, value in results.items():
            # An output needs a value of its own: two names for one are not to be had.
            own = (
                builder.op("Identity", value)
                if value in graph.outputs or _is_given(value)
                else value
            )
            graph.outputs.append(_typed(own, name, ["batch", *time, self._width_of(name)]))
        builder.append()
        clean(self._model)
        if self._kind == "step":
            cancel_layout(graph)
            clean(self._model)
        forget_shapes(graph)

    def _interfere(self) -> list[ir.Value]:
        """`GATE_mask` and `GATE_value` [B, G] for every gate, cut into those of each layer."""
        layers, writer = self._roles.analysis.layers, self._writer
        size, inputs = sum(layer.width for layer in layers), []
        builder = Builder(self._graph, "interference")
        for gate in GRU_GATES:
            for what in INTERFERENCE:
                given = ir.val(f"{gate}_{what}", ir.DataType.FLOAT, ["batch", size])
                inputs.append(given)
                pieces = builder.split(given, [layer.width for layer in layers])
                for layer, piece in zip(layers, pieces, strict=True):
                    writer.interference[f"{layer.name}/{gate}_{what}"] = piece
        builder.insert_before(self._graph[0])
        return inputs

    def _terms(self, builder: Builder) -> dict[str, ir.Value]:
        """The terms of all gates [B, G], and what each layer is given."""
        writer = self._writer
        found = {
            name: self._seen(
                builder, builder.concat([terms[name] for terms in writer.terms.values()])
            )
            for name in TERMS
        }
        for index, layer in enumerate(self._roles.analysis.layers):
            found[f"layer_input_{index}"] = writer.layer_inputs[layer.name]
            if layer.name in writer.layer_states:
                found[f"layer_state_{index}"] = writer.layer_states[layer.name]
        return found

    def _hidden(self, builder: Builder) -> ir.Value:
        """The hidden states of all layers [B, G], where the state does not have them."""
        return self._seen(builder, builder.concat(list(self._writer.hidden.values())))

    def _seen(self, builder: Builder, value: ir.Value) -> ir.Value:
        """What is shown [B, n]. Before a window is full it is of inputs that never came: NaN."""
        is_window = self._kind == "window" and self._late
        return self._writer.where_seen(builder, value, self._late) if is_window else value

    def _gates(self, builder: Builder) -> dict[str, ir.Value]:
        """One tensor [B, G] for each name; zeros where a layer has no gate of that name."""
        layers = self._writer.gates.values()
        names = dict.fromkeys(name for gates in layers for name in gates)
        nothing = {
            name: builder.op("Mul", value, builder.constant(np.zeros(1, np.float32)))
            for name, gates in self._writer.gates.items()
            for value in [next(iter(gates.values()))]
            if len(gates) < len(names)
        }
        made = {
            name: builder.concat(
                [
                    gates[name] if name in gates else nothing[layer]
                    for layer, gates in self._writer.gates.items()
                ]
            )
            for name in names
        }
        return {name: self._seen(builder, gate) for name, gate in made.items()}

    def _width_of(self, name: str) -> int:
        if name == "output":
            return prod(width_of(axis) for axis in self._output.axes)
        if name in ("next_state", "states"):
            return sum(segment.size for segment in self._segments)
        layers = self._roles.analysis.layers
        if name.startswith("layer_input_"):
            layer = layers[int(name.removeprefix("layer_input_"))]
            return layer.lanes * int(layer.gru.weights.input_weights.shape[-1])
        if name.startswith("layer_state_"):
            return layers[int(name.removeprefix("layer_state_"))].width
        return sum(layer.width for layer in layers)

    def _old_output(self, name: str) -> ir.Value:
        return self._graph.outputs[self._outputs.index(name)]

    def _answer(self, builder: Builder) -> ir.Value:
        value = _as_float(builder, self._old_output(self._roles.output))
        axes, time = self._output.axes, self._output.time_axis
        if self._kind == "window" and time is not None:
            value = builder.slice(value, time, -1)
            axes = tuple(() if at == time else axis for at, axis in enumerate(axes))
        made = self._writer.rows(builder, value, axes)
        late = self._late
        return self._writer.where_seen(builder, made, late) if self._is_step and late else made

    def _count(self, builder: Builder) -> None:
        """Steps are counted no further than anybody asks."""
        if STEPS_SEEN not in self._writer.before:
            return
        most = max([self._late, *(layer.late for layer in self._roles.analysis.layers)])
        more = builder.op(
            "Add", self._writer.before[STEPS_SEEN], builder.constant(np.ones(1, np.float32))
        )
        bound = builder.constant(np.array([most], np.float32))
        self._writer.after[STEPS_SEEN] = builder.op("Min", more, bound)


def _as_float(builder: Builder, value: ir.Value) -> ir.Value:
    return value if value.dtype == ir.DataType.FLOAT else builder.op("Cast", value, to=1)


def _is_given(value: ir.Value) -> bool:
    return value.is_graph_input() or value.producer() is None


def _free_names(graph: ir.Graph) -> None:
    """Rename whatever bears a name that the rewritten graphs give away."""
    values = [*graph.inputs, *(output for node in graph for output in node.outputs)]
    for value in values:
        if value.name in _TAKEN or str(value.name).startswith(_TAKEN_BY_NUMBER):
            value.name = f"model/{value.name}"


def _typed(value: ir.Value, name: str, shape: list[str | int]) -> ir.Value:
    value.type = ir.TensorType(ir.DataType.FLOAT)
    value.shape = ir.Shape(shape)
    value.name = name
    return value
