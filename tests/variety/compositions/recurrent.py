"""GRU nodes as they are drawn: weights, attributes, initial states, and the way to and from them."""

from typing import Any

import numpy as np

from tests.variety.compositions.choices import Choices
from tests.variety.compositions.graph import Graph, Impossible, Label, Value

_GATES = (
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


def recurrent(graph: Graph, choose: Choices, value: Value) -> list[Value]:
    """A GRU over a value: all that comes of it, what is used further on as the last."""
    laid, lanes = _laid(graph, choose, value)
    width = laid.labels[2]
    if not isinstance(width, int):
        raise Impossible("the features are batch or time")
    kind = "GRU" if choose.chance(97) else choose.of(("LSTM", "RNN"))
    direction = choose.of(("reverse", "bidirectional")) if choose.chance(8) else "forward"
    directions, hidden = (2 if direction == "bidirectional" else 1), choose.number(1, 4)
    attributes: dict[str, Any] = {"hidden_size": hidden}
    if direction != "forward":
        attributes["direction"] = direction
    blocks = {"GRU": 3, "LSTM": 4, "RNN": 1}[kind]
    if kind == "GRU":
        attributes |= _attributes(choose, directions)
    weights = [
        _weights(graph, choose, directions, blocks * hidden, width),
        _weights(graph, choose, directions, blocks * hidden, hidden),
    ]
    inputs: list[Value | None] = [laid, *weights, None, None, None]
    if choose.chance(70):
        inputs[3] = graph.constant(choose.floats(directions, 2 * blocks * hidden))
    if choose.chance(4):
        inputs[4] = _lengths(graph, laid)
    if choose.chance(45):
        inputs[5] = _initial(graph, choose, laid, directions, hidden)
    while inputs[-1] is None:
        inputs.pop()
    every, last = graph.ops(2, kind, *inputs, **attributes)
    taken = _every(graph, choose, every, last, lanes)
    return [last, taken]


def _attributes(choose: Choices, directions: int) -> dict[str, Any]:
    weighed = [one for one, weight in _GATES for _ in range(weight // 5)]
    chosen = choose.of(weighed)
    attributes = {name: given * directions for name, given in chosen.items()}
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
    time, batch = value.axis("T"), graph.batch_axis(value)
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
    kind = choose.of(
        ("zeros", "learnt", "fed back", "constant", "another's end", "mean", "first step")
    )
    batch = graph.length(laid, 1)
    if kind == "zeros":
        return graph.op("ConstantOfShape", graph.shape(directions, batch, hidden))
    if kind == "learnt":
        stored = graph.constant(choose.floats(directions, 1, hidden))
        return graph.op("Expand", stored, graph.shape(directions, batch, hidden))
    if kind in ("fed back", "constant"):
        return _given(graph, choose, laid, kind, directions, hidden)
    if kind == "another's end":
        wanted = (directions, laid.labels[1], hidden)
        ends = [one for one in graph.values if one.labels == wanted and one.is_float]
        if not ends:
            raise Impossible("no such state")
        return choose.of(ends)
    if kind == "mean":
        row = graph.reduce("ReduceMean", laid, [0], keep=1)
    else:
        row = graph.slice(laid, 0, 0, 1)
    width = laid.labels[2]
    assert isinstance(width, int)
    if directions != 1:
        raise Impossible("for one direction")
    return graph.op("MatMul", row, graph.constant(choose.floats(width, hidden)))


def _given(
    graph: Graph, choose: Choices, laid: Value, kind: str, directions: int, hidden: int
) -> Value:
    """From an input of its own: a state as it is, or a constant that a state is computed from."""
    label: Label = laid.labels[1]
    (one, _), (other, _) = graph.sizes
    if label != "B" and one != other:
        raise Impossible("lanes, or no batch")
    name = f"{'state' if kind == 'fed back' else 'speaker'}_{len(graph.inputs)}"
    if kind == "fed back":
        shapes = ((directions, one, hidden), (directions, other, hidden))
        arrays = tuple(np.zeros(shape, np.float32) for shape in shapes)
        return graph.input(name, (directions, "B", hidden), (arrays[0], arrays[1]))
    if directions != 1:
        raise Impossible("for one direction")
    numbers = choose.floats(max(one, other), 3)
    speaker = graph.input(name, ("B", 3), (numbers[:one], numbers[:other]))
    begun = graph.op("MatMul", speaker, graph.constant(choose.floats(3, hidden)))
    return graph.unsqueeze(graph.op("Tanh", begun), 0)


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
