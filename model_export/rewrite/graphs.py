"""Building `sequence.onnx` and `step.onnx` out of one ONNX model with GRU nodes.

Both keep the model's other operators as they are. The hidden states of all layers become one flat
`state` [B, S], whether the model took them as inputs or began from zeros.
"""

from collections.abc import Callable
from dataclasses import dataclass

import onnx_ir as ir
import onnx_ir.passes.common as passes

from model_export.errors import ExportError
from model_export.rewrite.builder import Builder
from model_export.rewrite.cell import Cell, build_cell
from model_export.rewrite.gru_node import INITIAL_H, GruNode, read_gru_nodes
from model_export.rewrite.layout import cancel_layout
from service.bundle.manifest import Reset

_IR_VERSION = 10


@dataclass(frozen=True, slots=True)
class Graphs:
    """The two graphs, serialised, and what the manifest says about them."""

    step: bytes
    sequence: bytes
    hidden_sizes: tuple[int, ...]
    reset: Reset
    opset: int


def rewrite(model: ir.Model) -> Graphs:
    """Rewrite a model with `input` [B, T, …] first among its inputs and `output` [B, T, O] first
    among its outputs.

    Raises ExportError naming the node that stands in the way.
    """
    gru_nodes = read_gru_nodes(model.graph)
    return Graphs(
        step=_rewritten(model, _to_step),
        sequence=_rewritten(model, _to_sequence),
        hidden_sizes=tuple(node.weights.hidden_size for node in gru_nodes),
        reset=gru_nodes[0].reset,
        opset=model.opset_imports[""],
    )


def _rewritten(model: ir.Model, change: Callable[[ir.Graph, list[GruNode]], None]) -> bytes:
    """Change a copy of the model, clean it, and serialise it."""
    copy = model.clone()
    _free_names(copy.graph)
    change(copy.graph, read_gru_nodes(copy.graph))
    for clean in (passes.TopologicalSortPass(), passes.RemoveUnusedNodesPass()):
        clean(copy)
    _forget_shapes(copy.graph)
    copy.ir_version = _IR_VERSION
    copy.producer_name = "gatewise"
    copy.metadata_props.clear()
    serialised: bytes = ir.to_proto(copy).SerializeToString()
    return serialised


def _to_sequence(graph: ir.Graph, gru_nodes: list[GruNode]) -> None:
    """Feed each GRU node its slice of `state` and collect all states."""
    state, slices = _state_input(graph, gru_nodes)
    collect = Builder(graph, "states")
    histories = []
    for gru, hidden in zip(gru_nodes, slices, strict=True):
        feed = Builder(graph, f"{gru.name}/initial")
        initial = feed.unsqueeze(hidden, 0)
        feed.insert_before(gru.node)
        gru.node.resize_inputs(max(len(gru.node.inputs), INITIAL_H + 1))
        gru.node.replace_input_with(INITIAL_H, initial)
        histories.append(collect.squeeze(gru.node.outputs[0], 1))
    states = collect.op("Transpose", collect.concat(histories), perm=[1, 0, 2])
    collect.append()
    output = graph.outputs[0]
    graph.inputs[:] = [_named(graph.inputs[0], "input"), state]
    graph.outputs[:] = [
        _typed(output, "output", ["batch", "time", _width(output)]),
        _typed(states, "states", ["batch", "time", _state_size(gru_nodes)]),
    ]


def _to_step(graph: ir.Graph, gru_nodes: list[GruNode]) -> None:
    """Cut the time axis to length one and write every GRU node out."""
    state, slices = _state_input(graph, gru_nodes)
    step_input = _without_time(graph)
    cells = [_write_out(graph, gru, hidden) for gru, hidden in zip(gru_nodes, slices, strict=True)]
    finish = Builder(graph, "step")
    by_time = graph.outputs[0]
    output = finish.squeeze(by_time, 1)
    gathered = {
        "next_state": finish.concat([cell.hidden for cell in cells]),
        "reset": finish.concat([cell.reset for cell in cells]),
        "update": finish.concat([cell.update for cell in cells]),
        "candidate": finish.concat([cell.candidate for cell in cells]),
    }
    finish.append()
    graph.inputs[:] = [step_input, state]
    graph.outputs[:] = [
        _typed(output, "output", ["batch", _width(by_time)]),
        *(
            _typed(value, name, ["batch", _state_size(gru_nodes)])
            for name, value in gathered.items()
        ),
    ]
    cancel_layout(graph)


def _state_input(
    graph: ir.Graph, gru_nodes: list[GruNode]
) -> tuple[ir.Value, tuple[ir.Value, ...]]:
    """The new input `state` [B, S] and each layer's slice [B, H] of it."""
    sizes = [gru.weights.hidden_size for gru in gru_nodes]
    state = ir.val("state", ir.DataType.FLOAT, ["batch", sum(sizes)])
    cut = Builder(graph, "state")
    slices = cut.split(state, sizes)
    if cut.nodes:
        cut.insert_before(gru_nodes[0].node)
    return state, slices


def _without_time(graph: ir.Graph) -> ir.Value:
    """Replace the model's input by one without a time axis, put back right behind it."""
    old = graph.inputs[0]
    if old.shape is None or len(old.shape) < 2 or old.dtype is None:
        raise ExportError(f"input {old.name!r} has no known shape [batch, time, …]")
    new = ir.val("input", old.dtype, ir.Shape(["batch", *old.shape[2:]]))
    restore = Builder(graph, "input")
    old.replace_all_uses_with(restore.unsqueeze(new, 1))
    restore.insert_before(graph[0])
    return new


def _write_out(graph: ir.Graph, gru: GruNode, hidden: ir.Value) -> Cell:
    """Put the primitives of one step in the place of a GRU node."""
    builder = Builder(graph, gru.name)
    cell = build_cell(builder, builder.squeeze(gru.input, 0), hidden, gru.weights, gru.reset)
    cell.hidden.shape = ir.Shape(["batch", gru.weights.hidden_size])
    # Y is [T, directions, B, H], Y_h [directions, B, H].
    for output, axes in zip(gru.node.outputs, ((0, 1), (0,)), strict=False):
        output.replace_all_uses_with(
            builder.unsqueeze(cell.hidden, *axes), replace_graph_outputs=True
        )
    builder.insert_before(gru.node)
    graph.remove(gru.node, safe=True)
    return cell


def _free_names(graph: ir.Graph) -> None:
    """Rename whatever bears a name that the rewritten graphs give away."""
    taken = {"input", "state", "output", "states", "next_state", "reset", "update", "candidate"}
    values = [*graph.inputs, *(output for node in graph for output in node.outputs)]
    for value in values:
        if value.name in taken:
            value.name = f"model/{value.name}"


def _forget_shapes(graph: ir.Graph) -> None:
    """Shapes inside were those of the model before; ONNX Runtime infers them anew."""
    for node in graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None
                value.type = None


def _named(value: ir.Value, name: str) -> ir.Value:
    value.name = name
    return value


def _typed(value: ir.Value, name: str, shape: list[str | int]) -> ir.Value:
    value.type = ir.TensorType(ir.DataType.FLOAT)
    value.shape = ir.Shape(shape)
    return _named(value, name)


def _width(output: ir.Value) -> int:
    width = output.shape[-1] if output.shape is not None else None
    if not isinstance(width, int):
        raise ExportError(f"output {output.name!r} has no fixed width [batch, time, width]")
    return width


def _state_size(gru_nodes: list[GruNode]) -> int:
    return sum(gru.weights.hidden_size for gru in gru_nodes)
