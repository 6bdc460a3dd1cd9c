"""Recurrent operators: a GRU through time is what sessions are for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.axes import BATCH, TIME, Axes, Axis, axes_of, has_symbol, width_of
from model_export.rewrite.facts import Fact, NeedsWhole, NotAlone, Source, Whole
from model_export.rewrite.gru_node import (
    INITIAL_H,
    SEQUENCE_LENS,
    X,
    is_forward,
    node_input,
    read_gru,
)
from model_export.rewrite.origins import origin_of
from model_export.rewrite.rules.rule import Context, Edit, GruLayer, Outcome, given

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

_DIRECTIONS = {"bidirectional": 2}
_LENGTHS = ((1, 257), (1, 258), (3, 257))
"""Batches and times at which an initial state must be the same."""
_STATES = {"GRU": 1, "RNN": 1, "LSTM": 2}
RECURRENT = frozenset(_STATES)


def recurrent(node: ir.Node, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """GRU, RNN and LSTM. X is [steps, batch, I], Y [steps, directions, batch, H]."""
    inputs = [*facts, *[None] * (8 - len(facts))]
    x = given(inputs[X])
    steps, _, features = x.axes
    if BATCH in steps or BATCH in features:
        raise NotAlone("runs along the batch")
    if TIME in features:
        raise NeedsWhole("takes all steps at once for its features")
    if TIME in steps and x.source is Source.STATIC:
        raise NeedsWhole("runs over steps that do not come from the sequence")
    if not runs_through_time(node, x, context):
        return _in_one_step(node, x, inputs, context)
    if steps not in ((TIME,), ()):
        raise NeedsWhole("runs along an axis that is more than the time")
    return _through_time(node, x, inputs, context)


def runs_through_time(node: ir.Node, x: Fact, context: Context) -> bool:
    """Whether a session goes on with what the node ended the step before."""
    if x.source is Source.STATIC or len(x.axes) != 3:
        return False
    steps, _, features = x.axes
    if has_symbol(features):
        return False
    return TIME in steps or (steps == () and _goes_on(node, context))


def _goes_on(node: ir.Node, context: Context) -> bool:
    """Whether a node of a model of single steps begins where it ended the step before."""
    return context.fixed.time == 1 and _is_fed_back(node, context)


def _is_fed_back(node: ir.Node, context: Context) -> bool:
    return origin_of(node_input(node, INITIAL_H)) in context.state_inputs | context.cached


def _through_time(
    node: ir.Node,
    x: Fact,
    facts: Sequence[Fact | None],
    context: Context,
) -> Outcome:
    if not is_forward(node):
        direction = node.attributes.get_string("direction", "forward")
        raise NeedsWhole(f"runs {direction} through time: it needs inputs that are yet to come")
    if node.op_type != "GRU":
        raise NeedsWhole(f"is a layer of type {node.op_type}; sessions carry those of GRUs only")
    if facts[SEQUENCE_LENS] is not None:
        _check_lengths(given(facts[SEQUENCE_LENS]), context)
    gru = read_gru(node)
    steps, batch, features = x.axes
    width = gru.weights.input_weights.shape[-1]
    if features not in axes_of((width,)):
        raise NeedsWhole(f"takes {width} numbers a step, and its input has others")
    if batch.count(BATCH) != 1:
        raise NeedsWhole("has no batch axis")
    layer = GruLayer(
        gru,
        batch,
        lanes=width_of(batch),
        initial=_initial(node, facts[INITIAL_H], batch, context),
        late=x.late,
        has_segment=origin_of(node_input(node, INITIAL_H)) not in context.cached,
    )
    context.layers.append(layer)
    context.counts_steps |= x.late > 0
    size: Axis = (gru.weights.hidden_size,)
    whole = Fact((steps, (), batch, size), Source.STREAM, x.late, x.extra)
    last: Fact | Whole
    if steps == ():
        last = Fact(((), batch, size), Source.STREAM)
    elif x.late + x.extra == 0:
        last = Fact(((), batch, size), Source.LAST, x.late)
    else:
        last = Whole(f"GRU node {node.name!r} ends with a state that looks ahead")
    return Outcome((whole, last)[: len(node.outputs)], _write_out(layer))


def _write_out(layer: GruLayer) -> Edit:
    def write_out(writer: "Writer", copy: ir.Node) -> None:
        writer.write_out(copy, layer)

    return write_out


def _check_lengths(lengths: Fact, context: Context) -> None:
    """A file may say in numbers that every sequence is as long as the input."""
    fixed = context.fixed.time
    value = lengths.value
    if lengths.source > Source.STATIC:
        raise NeedsWhole("is told the lengths of the sequences (sequence_lens)")
    if value is None or fixed is None or any(int(one) != fixed for one in np.ravel(value)):
        raise NeedsWhole("has sequence_lens that are not the length of the input")


def _initial(
    node: ir.Node, fact: Fact | None, batch: Axis, context: Context
) -> NDArray[np.float32] | None:
    """The hidden state [lanes · H] at the beginning; None where a constant decides it."""
    value = node_input(node, INITIAL_H)
    hidden = int(_hidden_size(node))
    lanes = width_of(batch)
    if fact is None or value is None:
        return np.zeros(lanes * hidden, np.float32)
    if fact.source >= Source.STREAM:
        raise NeedsWhole("begins with a state that is computed from the sequence")
    if fact.source is Source.SESSION:
        if origin_of(value) in context.state_inputs | context.cached:
            return np.zeros(lanes * hidden, np.float32)
        return None
    return _same_for_all(context, value, batch, hidden)


def _same_for_all(
    context: Context, value: ir.Value, batch: Axis, hidden: int
) -> NDArray[np.float32]:
    """The numbers of a STATIC initial state, which must not depend on the lengths."""
    lanes = width_of(batch)
    found = []
    for sequences, steps in _LENGTHS:
        rows = np.asarray(context.evaluate(value, sequences, steps), np.float32)
        fits = rows.size == sequences * lanes * hidden
        if not fits and rows.size != lanes * hidden:
            raise NeedsWhole("begins with a state whose size depends on the lengths")
        order = rows.reshape(-1 if fits else 1, lanes, hidden) if batch[:1] == (BATCH,) else None
        if order is None:
            order = rows.reshape(lanes, -1, hidden).transpose(1, 0, 2)
        found += list(order)
    if any(not np.array_equal(one, found[0]) for one in found):
        raise NeedsWhole("begins with a state that depends on the lengths or the place in a batch")
    return np.ascontiguousarray(found[0].ravel())


def _hidden_size(node: ir.Node) -> int:
    given_size = node.attributes.get_int("hidden_size", 0)
    if given_size:
        return given_size
    weights = node.inputs[2]
    assert weights is not None
    assert weights.shape is not None
    return int(str(weights.shape[2]))


def _in_one_step(node: ir.Node, x: Fact, facts: Sequence[Fact | None], context: Context) -> Outcome:
    """A recurrence along another axis is over within a step: an operator like any other."""
    if _is_fed_back(node, context):
        raise NeedsWhole("begins with a state that is fed back, and does not run through time")
    for index in (SEQUENCE_LENS, INITIAL_H, INITIAL_H + 1):
        if facts[index] is not None and given(facts[index]).source >= Source.STREAM:
            raise NeedsWhole("begins with a state that is computed from the sequence")
    directions = _DIRECTIONS.get(node.attributes.get_string("direction", "forward"), 1)
    size = (_hidden_size(node),)
    steps, batch, _ = x.axes
    (many,) = axes_of((directions,))
    y = x.with_axes((steps, many, batch, size))
    end = x.with_axes((many, batch, size))
    outputs = (y, *[end] * _STATES[node.op_type])[: len(node.outputs)]
    return Outcome(outputs, _begin_alike(node, batch, context, facts))


def _begin_alike(
    node: ir.Node, batch: Axis, context: Context, facts: Sequence[Fact | None]
) -> Edit | None:
    """Initial states are stored, or expanded, for the lengths of the export."""
    indexes = [
        index
        for index in range(SEQUENCE_LENS, min(len(node.inputs), INITIAL_H + 2))
        if node.inputs[index] is not None and given(facts[index]).source is Source.STATIC
    ]
    if not indexes:
        return None
    rows: dict[int, NDArray[np.generic]] = {}
    for index in indexes:
        value = node.inputs[index]
        assert value is not None
        found = np.asarray(context.evaluate(value, 1, 1))
        axis = 0 if index == SEQUENCE_LENS else 1
        first = found.take([0], axis=axis)
        if not np.array_equal(found, np.broadcast_to(first, found.shape)):
            raise NeedsWhole("begins each lane with a state of its own")
        rows[index] = first

    def begin_alike(writer: "Writer", copy: ir.Node) -> None:
        for index, first in rows.items():
            wanted: Axes = (
                (batch,)
                if index == SEQUENCE_LENS
                else (axes_of(first.shape)[0], batch, axes_of(first.shape)[2])
            )
            copy.replace_input_with(index, writer.constant(copy, first))
            writer.expand(copy, index, wanted)

    return begin_alike
