"""Building `sequence.onnx` of a model that needs whole sequences: the model, in our layout."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray

from model_export.errors import ModelRefused, one_line
from model_export.float64.graph import Float64Graph
from model_export.rewrite.axes import BATCH, TIME, Axes, Axis, index_of, width_of
from model_export.rewrite.builder import Builder
from model_export.rewrite.cleaning import clean, forget_shapes, serialised
from model_export.rewrite.facts import Fact, Source, Whole
from model_export.rewrite.new_input import new_input
from model_export.rewrite.rearranging import Rearranging, rows_first
from model_export.rewrite.roles import Roles

_BATCHES = (2, 3)
_SIZES = tuple(tuple(zip(_BATCHES, times, strict=True)) for times in ((29, 31), (509, 521)))
"""Batches and times that no other axis has, at which the output's axes are told apart: a table of
positions may be too short for the longer ones, a convolution too wide for the shorter ones."""


def write_whole(model: ir.Model, roles: Roles) -> tuple[bytes, Fact]:
    """`input` [B, T, F] or [B, T] → `output` [B, T, O], or [B, O] of a last step.

    Returns the graph and what is known of the output in the model's own layout. Raises ModelRefused
    for a model that takes one sequence at a time, or more than the sequence.
    """
    _refuse_impossible(roles)
    fact = _output_fact(model, roles)
    copy = model.clone()
    graph = copy.graph
    answer = graph.outputs[[str(one.name) for one in model.graph.outputs].index(roles.output)]
    for value in [one for node in graph for one in node.outputs]:
        if value.name in ("input", "output"):
            value.name = f"model/{value.name}"
    rearranging = Rearranging(time=None)
    new = _begin(graph, roles, rearranging)
    output = _end(graph, answer, fact, rearranging)
    graph.inputs[:] = [new]
    graph.outputs[:] = [output]
    clean(copy)
    forget_shapes(graph)
    return serialised(copy), fact


def _refuse_impossible(roles: Roles) -> None:
    found = roles.analysis.facts[roles.output]
    because = f" ({found.reason})" if isinstance(found, Whole) else ""
    if isinstance(found, Whole) and found.is_final:
        raise ModelRefused(f"{found.reason}; what a sequence is answered must depend on it alone")
    if roles.fixed.batch == 1:
        raise ModelRefused(
            f"the file fixes the batch at 1 and needs whole sequences{because}; export it with an "
            "open batch"
        )
    if roles.constants or roles.fed_back or roles.states:
        others = {**roles.constants, **roles.fed_back, **dict.fromkeys(roles.states)}
        names = ", ".join(map(repr, others))
        raise ModelRefused(
            f"the model needs whole sequences{because}, and also takes {names}, which is not "
            "supported"
        )


def _begin(graph: ir.Graph, roles: Roles, rearranging: Rearranging) -> ir.Value:
    """Put `input` [B, T, F] or [B, T] in the place of the model's own."""
    old = next(one for one in graph.inputs if one.name == roles.input)
    new = new_input(old, roles.input_axes, ["batch", "time"])
    old.name = "model/input"
    rearranging.model_input = new
    builder = Builder(graph, "begin")
    rows = builder.unsqueeze(new, -1) if new.dtype == ir.DataType.INT64 else new
    factors, groups, have = rows_first(roles.input_axes)
    made = rearranging.rearranged(builder, rows, factors, have, groups)
    if old.dtype != new.dtype:
        made = builder.op("Cast", made, to=old.dtype)
    old.replace_all_uses_with(made)
    builder.insert_before(graph[0])
    return new


def _end(graph: ir.Graph, answer: ir.Value, fact: Fact, rearranging: Rearranging) -> ir.Value:
    """`output` [B, T, O] or [B, O] from what the model answers."""
    builder = Builder(graph, "end")
    if answer.dtype != ir.DataType.FLOAT:
        answer = builder.op("Cast", answer, to=ir.DataType.FLOAT)
    factors, groups, want = rows_first(fact.axes)
    output = builder.op("Identity", rearranging.rearranged(builder, answer, factors, groups, want))
    builder.append()
    size = int(np.prod([width_of(axis) for axis in fact.axes]))
    steps: list[str | int] = ["time"] if fact.source is Source.STREAM else []
    output.name, output.type = "output", ir.TensorType(ir.DataType.FLOAT)
    output.shape = ir.Shape(["batch", *steps, size])
    return output


def _output_fact(model: ir.Model, roles: Roles) -> Fact:
    """Which axes of the output are the batch and the time, found by running the model."""
    fixed = roles.fixed.time
    shapes, is_free = _shapes(model, roles)
    axes = _axes_of(shapes, roles.output)
    if fixed is not None and not is_free:
        axes = _with_time(axes, fixed, roles)
    if axes.count((BATCH,)) != 1 or axes.count((TIME,)) > 1:
        raise ModelRefused(f"the output {roles.output!r} does not have one row for each sequence")
    return Fact(tuple(axes), Source.STREAM if (TIME,) in axes else Source.LAST)


def _shapes(model: ir.Model, roles: Roles) -> tuple[list[tuple[int, ...]], bool]:
    """Shapes of the output at two sizes, and whether their times are those of `_SIZES`.

    A file may say a length that none of its nodes insists on. Raises ModelRefused.
    """
    given = next(one for one in model.graph.inputs if one.name == roles.input)
    assert given.dtype is not None
    run = _runner(model, roles)
    tried = [(sizes, True) for sizes in _SIZES]
    if roles.fixed.time is not None:
        tried.append((tuple((batch, roles.fixed.time) for batch in _BATCHES), False))
    refused: list[ModelRefused] = []
    for sizes, is_free in tried:
        zeros = [_zeros(roles.input_axes, batch, time, given.dtype) for batch, time in sizes]
        try:
            return [run(one).shape for one in zeros], is_free
        except ModelRefused as error:
            refused.append(error)
    raise refused[-1]


def _runner(model: ir.Model, roles: Roles) -> Callable[[NDArray[np.generic]], NDArray[np.generic]]:
    """The model in ONNX Runtime, and in NumPy first: the GRU kernel of the former ends the process
    where a length leaves it no steps."""
    free = model.clone()
    for value in (*free.graph.inputs, *free.graph.outputs):
        value.shape = None if value.name in (roles.input, roles.output) else value.shape
    forget_shapes(free.graph)
    content = serialised(free)
    in_numpy = Float64Graph(content)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options)
    except Exception as error:  # whatever it says, the file is at fault
        raise ModelRefused(f"ONNX Runtime cannot run the model: {one_line(error)}") from None

    def run(rows: NDArray[np.generic]) -> NDArray[np.generic]:
        in_numpy.run({roles.input: rows})
        try:
            return np.asarray(session.run([roles.output], {roles.input: rows})[0])
        except Exception as error:
            raise ModelRefused(f"ONNX Runtime cannot run the model: {one_line(error)}") from None

    return run


def _axes_of(shapes: list[tuple[int, ...]], name: str) -> list[Axis]:
    """The axes whose lengths are those of `_SIZES`."""
    times = [tuple(time for _, time in sizes) for sizes in _SIZES]
    axes: list[Axis] = []
    for lengths in zip(*shapes, strict=True):
        if lengths == _BATCHES:
            axes.append((BATCH,))
        elif lengths in times:
            axes.append((TIME,))
        elif len(set(lengths)) == 1:
            axes.append((int(lengths[0]),) if lengths[0] != 1 else ())
        else:
            raise ModelRefused(f"the output {name!r} has another length than the input")
    return axes


def _with_time(axes: list[Axis], time: int, roles: Roles) -> list[Axis]:
    """Which axis of a length that the file fixes is the time: none, where there is no other axis
    that could be the numbers of an answer."""
    places = [at for at, axis in enumerate(axes) if axis == (time,)]
    if not places or len(axes) < 3:
        return axes
    if len(places) > 1:
        places = [at for at in places if at == index_of(roles.input_axes, TIME)]
    if not places:
        raise ModelRefused(
            f"which axis of the output {roles.output!r} is the time cannot be told: several are "
            f"{time} long"
        )
    return [(TIME,) if at == places[0] else axis for at, axis in enumerate(axes)]


def _zeros(axes: Axes, batch: int, time: int, dtype: ir.DataType) -> NDArray[np.generic]:
    sizes = {BATCH: batch, TIME: time}
    shape = [
        int(np.prod([factor if isinstance(factor, int) else sizes[factor] for factor in axis]))
        for axis in axes
    ]
    return np.zeros(shape, dtype.numpy())
