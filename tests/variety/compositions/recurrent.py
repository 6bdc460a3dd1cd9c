"""GRU nodes as they are drawn: weights, attributes, initial states, the way to and from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.variety.compositions.choices import Choices
from tests.variety.compositions.graph import Graph, Impossible, Label, Value

CONSTANT_WIDTH = 3
"""Of what a session is given at its beginning."""
_GATES: Sequence[tuple[Mapping[str, list[Any]], int]] = (
    ({}, 60),
    ({"activations": ["HardSigmoid", "Tanh"]}, 10),
    ({"activations": ["Sigmoid", "Relu"]}, 10),
    ({"activations": ["sigmoid", "softsign"]}, 5),
    ({"activations": ["HardSigmoid", "Affine"], "activation_alpha": [0.1, 0.7],
      "activation_beta": [0.4, 0.1]}, 5),
    ({"activations": ["Sigmoid", "ScaledTanh"], "activation_alpha": [0.8],
      "activation_beta": [1.2]}, 5),
    ({"activations": ["Softsign", "Tanh"]}, 5),
)  # fmt: skip

_BLOCKS = {"GRU": 3, "LSTM": 4, "RNN": 1}
_INITIAL = ("zeros", "learnt", "fed back", "constant", "another's end", "mean", "first step")


def recurrent(graph: Graph, choose: Choices, value: Value) -> list[Value]:
    """A GRU over a value: all that comes of it, what is used further on as the last."""
    laid, lanes = _laid(graph, choose, value)
    kind = "GRU" if choose.chance(97) else choose.of(("LSTM", "RNN"))
    direction = choose.of(("reverse", "bidirectional")) if choose.chance(8) else "forward"
    directions, hidden = (2 if direction == "bidirectional" else 1), choose.number(1, 4)
    attributes: dict[str, Any] = {"hidden_size": hidden}
    if direction != "forward":
        attributes["direction"] = direction
    if kind == "GRU":
        attributes |= _attributes(choose, directions)
    inputs = _inputs(graph, choose, laid, (_BLOCKS[kind], directions, hidden))
    every, last = graph.ops(2, kind, *inputs, **attributes)
    if len(inputs) > 5 and str(getattr(inputs[5], "name", "")).startswith("state"):
        assert inputs[5] is not None
        graph.feed(inputs[5], last)
    return [last, _every(graph, choose, every, last, lanes)]


def _inputs(
    graph: Graph, choose: Choices, laid: Value, sizes: tuple[int, int, int]
) -> list[Value | None]:
    """Of a node with so many blocks, directions and units."""
    blocks, directions, hidden = sizes
    width = laid.labels[2]
    if not isinstance(width, int):
        raise Impossible("the features are batch or time")
    weights = [
        _weights(graph, choose, directions, blocks * hidden, width),
        _weights(graph, choose, directions, blocks * hidden, hidden),
    ]
    inputs: list[Value | None] = [laid, *weights, None, None, None]
    if choose.chance(70):
        inputs[3] = graph.constant(choose.floats(directions, 2 * blocks * hidden))
    if choose.chance(4):
        inputs[4] = _lengths(graph, laid)
    if choose.chance(90 if graph.time == 1 else 45):
        inputs[5] = _initial(graph, choose, laid, directions, hidden)
    while inputs[-1] is None:
        inputs.pop()
    return inputs


def _attributes(choose: Choices, directions: int) -> dict[str, Any]:
    weighed = [one for one, weight in _GATES for _ in range(weight // 5)]
    chosen = choose.of(weighed)
    attributes: dict[str, Any] = {name: given * directions for name, given in chosen.items()}
    if choose.chance(50):
        attributes["linear_before_reset"] = 1
    if choose.chance(15):
        attributes["clip"] = 0.5
    return attributes


def _weights(graph: Graph, choose: Choices, *shape: int) -> Value:
    """Stored, or computed from what is stored."""
    stored = graph.constant(choose.floats(*shape))
    return graph.op("Neg", stored) if choose.chance(10) else stored


def _laid(graph: Graph, choose: Choices, value: Value) -> tuple[Value, Value | None]:
    """[steps, batch, features] of a value, and the value itself where its other axes are lanes."""
    if value.rank == 2:
        value = graph.unsqueeze(value, choose.of((1, 2)))
    time, batch = graph.time_axis(value), graph.batch_axis(value)
    if time is None or batch is None or choose.chance(5):
        if value.rank != 3:
            raise Impossible("not [steps, batch, features]")
        return value, None
    rest = [at for at in range(value.rank) if at not in (time, batch)]
    if value.rank == 3:
        return _transposed(graph, value, [time, batch, *rest]), None
    lengths = [graph.length(value, at) for at in (time, batch)]
    moved = _transposed(graph, value, [time, batch, *rest])
    features = moved.labels[-1]
    if not isinstance(features, int):
        raise Impossible("the features are batch or time")
    if choose.chance(60):
        # Lanes: every row of another axis has a state of its own.
        shape = graph.shape(lengths[0], -1, features)
        return graph.op("Reshape", moved, shape), moved
    return graph.op("Reshape", moved, graph.shape(*lengths, -1)), None


def _transposed(graph: Graph, value: Value, order: list[int]) -> Value:
    if order == list(range(value.rank)):
        return value
    return graph.op("Transpose", value, perm=order)


def _lengths(graph: Graph, laid: Value) -> Value:
    steps, batch = graph.length(laid, 0), graph.length(laid, 1)
    return graph.op("Cast", graph.op("Expand", steps, batch), to=6)


def _initial(graph: Graph, choose: Choices, laid: Value, directions: int, hidden: int) -> Value:
    """[directions, batch, hidden] of one of many kinds."""
    kind = choose.of(_INITIAL)
    if graph.time == 1 and choose.chance(80):
        kind = "fed back"
    batch = graph.length(laid, 1)
    if kind in ("zeros", "learnt"):
        stored = graph.constant(choose.floats(directions, 1, hidden))
        shape = graph.shape(directions, batch, hidden)
        return (
            graph.op("ConstantOfShape", shape)
            if kind == "zeros"
            else graph.op("Expand", stored, shape)
        )
    if kind == "fed back":
        return _fed_back(graph, laid, directions, hidden)
    if kind == "constant":
        return _constant(graph, choose, laid, directions, hidden)
    if kind == "another's end":
        return _end(graph, choose, (directions, laid.labels[1], hidden))
    if directions != 1:
        raise Impossible("for one direction")
    if kind == "mean":
        return _projected(graph, choose, graph.reduce("ReduceMean", laid, [0], keep=1), hidden)
    return _projected(graph, choose, graph.slice(laid, 0, 0, 1), hidden)


def _end(graph: Graph, choose: Choices, wanted: tuple[Label, ...]) -> Value:
    """The last state of another layer."""
    ends = [one for one in graph.values if one.labels == wanted]
    if not ends:
        raise Impossible("no such state")
    return choose.of(ends)


def _projected(graph: Graph, choose: Choices, row: Value, hidden: int) -> Value:
    width = row.labels[-1]
    assert isinstance(width, int)
    return graph.op("MatMul", row, graph.constant(choose.floats(width, hidden)))


def _fed_back(graph: Graph, laid: Value, directions: int, hidden: int) -> Value:
    """An input of its own that is the state as it is."""
    _check_batch(graph, laid)
    return graph.fed_back("state", (directions, graph.batch or "B", hidden))


def _constant(graph: Graph, choose: Choices, laid: Value, directions: int, hidden: int) -> Value:
    """An input of its own that a state is computed from."""
    if directions != 1:
        raise Impossible("for one direction")
    _check_batch(graph, laid)
    speaker = constant(graph, choose)
    weights = graph.constant(choose.floats(CONSTANT_WIDTH, hidden))
    return graph.unsqueeze(graph.op("Tanh", graph.op("MatMul", speaker, weights)), 0)


def constant(graph: Graph, choose: Choices) -> Value:
    """What a session is given at its beginning, [batch, n]."""
    (one, _), (other, _) = graph.sizes
    numbers = choose.floats(max(one, other), CONSTANT_WIDTH)
    name = f"speaker_{len(graph.inputs)}"
    labels = (graph.batch or "B", CONSTANT_WIDTH)
    return graph.input(name, labels, (numbers[:one], numbers[:other]))


def _check_batch(graph: Graph, laid: Value) -> None:
    if laid.labels[1] != (graph.batch or "B"):
        raise Impossible("lanes, or no batch")


def _every(graph: Graph, choose: Choices, every: Value, last: Value, lanes: Value | None) -> Value:
    """The states after every step, as exporters go on with them; or the last one."""
    if choose.chance(10):
        return last
    directions = every.labels[1]
    if directions == 1 and choose.chance(70):
        flat = graph.squeeze(every, 1)
    else:
        turned = graph.op("Transpose", every, perm=[0, 2, 1, 3])
        flat = graph.op("Reshape", turned, graph.constant(np.array([0, 0, -1])))
    if lanes is not None:
        lengths = [graph.length(lanes, at) for at in range(lanes.rank - 1)]
        flat = graph.op("Reshape", flat, graph.shape(*lengths, -1))
    if choose.chance(70):
        flat = graph.op("Transpose", flat, perm=[1, 0, *range(2, flat.rank)])
    return flat
