"""Operators that may stand around a GRU node, each with attributes that are drawn.

Most leave the steps apart; some mix them, look back or ahead, or do what no session can. Which is
which is for the importer to find out.
"""

from collections.abc import Callable, Sequence

import numpy as np
from onnx import helper

from tests.variety.compositions.choices import Choices
from tests.variety.compositions.graph import Graph, Impossible, Value
from tests.variety.compositions.recurrent import constant

Operator = Callable[[Graph, Choices, Value], Value]

_SMOOTH = ("Abs", "Elu", "Erf", "HardSigmoid", "Identity", "LeakyRelu", "Neg", "Relu", "Selu")
_SMOOTHER = ("Sigmoid", "Softplus", "Softsign", "Sin", "Cos", "Tanh", "Atan", "Gelu", "Swish")
_END = 2**31 - 1


def some_axis(choose: Choices, value: Value, *, wild: int = 30) -> int:
    """Mostly one that is neither batch nor time."""
    plain = value.plain_axes
    if plain and not choose.chance(wild):
        return choose.of(plain)
    if not value.rank:
        raise Impossible("no axes")
    return choose.of(range(value.rank))


def signed(choose: Choices, axis: int, rank: int) -> int:
    """The same axis, perhaps counted from the end."""
    return axis - rank if choose.chance(40) else axis


def unary(graph: Graph, choose: Choices, value: Value) -> Value:
    return graph.op(choose.of((*_SMOOTHER, *_SMOOTH)), value)


def clip(graph: Graph, choose: Choices, value: Value) -> Value:
    if graph.opset < 11:
        return graph.op("Clip", value, min=-0.4, max=0.6)
    low, high = (graph.constant(np.array(one, np.float32)) for one in (-0.4, 0.6))
    return graph.op("Clip", value, low, None if choose.chance(30) else high)


def cast(graph: Graph, _: Choices, value: Value) -> Value:
    """To float64 and back; float16 would round."""
    return graph.op("Cast", graph.op("Cast", value, to=11), to=1)


def with_constant(graph: Graph, choose: Choices, value: Value) -> Value:
    """One number, a vector along an axis, or numbers for every axis that has a length."""
    kind = choose.of(("number", "vector", "all"))
    lengths = [one if isinstance(one, int) else 1 for one in value.labels]
    if kind == "number":
        lengths = []
    elif kind == "vector":
        at = some_axis(choose, value, wild=10)
        lengths = [one if index == at else 1 for index, one in enumerate(lengths)][at:]
    constant = graph.constant(choose.floats(*lengths) + np.float32(0.1))
    if choose.chance(15):
        return graph.op("PRelu", value, constant)
    operands = [value, constant] if choose.chance(70) else [constant, value]
    return graph.op(choose.of(("Add", "Mul", "Sub", "Max", "Min")), *operands)


def length_constant(graph: Graph, choose: Choices, value: Value) -> Value:
    """Numbers of their own for every step, where the file fixes how many there are."""
    at = value.axis("T")
    (_, time), (_, other) = graph.sizes
    if at is None or time != other:
        raise Impossible("any length")
    lengths = [time if index == at else 1 for index in range(value.rank)][at:]
    return graph.op("Add", value, graph.constant(choose.floats(*lengths)))


def with_other(graph: Graph, choose: Choices, value: Value) -> Value:
    other = _other(graph, choose, value)
    return graph.op(choose.of(("Add", "Mul", "Sub", "Max", "Sum", "Mean")), value, other)


def divide(graph: Graph, choose: Choices, value: Value) -> Value:
    below = graph.op("Exp", graph.op("Tanh", _other(graph, choose, value)))
    return graph.op("Div", value, below)


def where(graph: Graph, choose: Choices, value: Value) -> Value:
    other = _other(graph, choose, value)
    limit = graph.constant(choose.floats(1))
    flags = graph.op(choose.of(("Greater", "Less")), other, limit)
    if choose.chance(20):
        flags = graph.op("Not", flags)
    return graph.op("Where", flags, value, graph.op("Neg", value))


def matmul(graph: Graph, choose: Choices, value: Value) -> Value:
    if choose.chance(15):
        return graph.op("MatMul", value, _other(graph, choose, value))
    if choose.chance(15):
        length = value.labels[-2] if value.rank > 1 else "?"
        if not isinstance(length, int):
            raise Impossible("rows are batch or time")
        return graph.op("MatMul", graph.constant(choose.floats(choose.number(1, 4), length)), value)
    return graph.op("MatMul", value, graph.constant(choose.floats(_last(value), _width(choose))))


def gemm(graph: Graph, choose: Choices, value: Value) -> Value:
    rank = value.rank
    flat = value
    if rank != 2:
        shape = graph.constant(np.array([-1, _last(value)]))
        flat = graph.op("Reshape", value, shape)
    width, transposed = _width(choose), choose.chance(50)
    weights = choose.floats(_last(value), width)
    made = graph.op(
        "Gemm",
        flat,
        graph.constant(weights.T.copy() if transposed else weights),
        graph.constant(choose.floats(width)),
        transB=int(transposed),
        alpha=choose.of((1.0, 0.5)),
    )
    if rank == 2:
        return made
    lengths = [graph.length(value, axis) for axis in range(rank - 1)]
    return graph.op("Reshape", made, graph.shape(*lengths, width))


def einsum(graph: Graph, choose: Choices, value: Value) -> Value:
    letters = "abcdef"[: value.rank]
    at = choose.number(0, value.rank - 1) if choose.chance(20) else value.rank - 1
    length = value.labels[at]
    if not isinstance(length, int):
        raise Impossible("sums over batch or time")
    result = letters.replace(letters[at], "z")
    if choose.chance(30):
        result = "".join(choose.of((result[::-1], result[1:] + result[:1])))
    weights = graph.constant(choose.floats(length, _width(choose)))
    return graph.op("Einsum", value, weights, equation=f"{letters},{letters[at]}z->{result}")


def transpose(graph: Graph, choose: Choices, value: Value) -> Value:
    order = list(range(value.rank))
    for _ in range(choose.number(1, 2)):
        one, other = choose.of(range(value.rank)), choose.of(range(value.rank))
        order[one], order[other] = order[other], order[one]
    return graph.op("Transpose", value, perm=order)


def merge(graph: Graph, choose: Choices, value: Value) -> Value:
    """Two neighbouring axes become one, the shape said in one of the usual ways."""
    if value.rank < 2:
        raise Impossible("one axis")
    at = choose.number(0, value.rank - 2)
    parts: list[Value | int] = []
    for axis, label in enumerate(value.labels):
        if axis == at:
            parts.append(-1)
        elif axis != at + 1:
            parts.append(_length(graph, choose, value, axis, label))
    return graph.op("Reshape", value, graph.shape(*parts))


def cut_apart(graph: Graph, choose: Choices, value: Value) -> Value:
    """An axis becomes two."""
    at = some_axis(choose, value, wild=10)
    length = value.labels[at]
    parts: list[Value | int] = []
    for axis, label in enumerate(value.labels):
        if axis != at:
            parts.append(_length(graph, choose, value, axis, label))
        elif isinstance(length, int):
            piece = choose.of([one for one in range(1, length + 1) if length % one == 0])
            parts += [length // piece, piece]
        else:
            parts += [_length(graph, choose, value, axis, label), 1]
    return graph.op("Reshape", value, graph.shape(*parts))


def _length(
    graph: Graph, choose: Choices, value: Value, axis: int, label: int | str
) -> Value | int:
    if isinstance(label, int) and choose.chance(70):
        return label
    return graph.length(value, axis)


def flatten(graph: Graph, choose: Choices, value: Value) -> Value:
    return graph.op("Flatten", value, axis=choose.number(0, value.rank))


def unsqueeze(graph: Graph, choose: Choices, value: Value) -> Value:
    return graph.unsqueeze(value, choose.number(0, value.rank))


def squeeze(graph: Graph, choose: Choices, value: Value) -> Value:
    ones = [at for at, label in enumerate(value.labels) if label == 1]
    if not ones:
        raise Impossible("no axis of length one")
    return graph.squeeze(value, choose.of(ones))


def concat(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=20)
    others = [value]
    if choose.chance(60):
        others.append(_other(graph, choose, value))
    else:
        lengths: list[Value | int] = [
            graph.length(value, at) if at != axis else choose.number(1, 2)
            for at in range(value.rank)
        ]
        number = graph.constant(np.array(choose.of((0.0, 0.7)), np.float32))
        others.append(graph.op("Expand", number, graph.shape(*lengths)))
    if choose.chance(40):
        others.reverse()
    return graph.op("Concat", *others, axis=signed(choose, axis, value.rank))


def split(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=0)
    length = value.labels[axis]
    if not isinstance(length, int) or length < 2:
        raise Impossible("nothing to split")
    first = choose.number(1, length - 1)
    pieces = graph.split(value, signed(choose, axis, value.rank), (first, length - first))
    if choose.chance(50):
        return graph.op("Concat", *pieces[::-1], axis=axis)
    return choose.of(pieces)


def slices(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=40)
    begin = choose.of((0, 0, 1, 2, -1, -2, -3))
    end = choose.of((_END, _END, -1, -2, 3))
    step = choose.of((1, 1, 1, 2, -1))
    if step < 0:
        begin, end = -1, -_END
    return graph.slice(value, signed(choose, axis, value.rank), begin, end, step)


def gather(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=30)
    index = choose.of((-1, 0, [0], [-1], [1, 0], [0, 0, 1], [[0], [-1]]))
    given = graph.constant(np.array(index, np.int64))
    return graph.op("Gather", value, given, axis=signed(choose, axis, value.rank))


def last_step(graph: Graph, choose: Choices, value: Value) -> Value:
    at = value.axis("T")
    if at is None:
        raise Impossible("no time")
    if choose.chance(50):
        return graph.op("Gather", value, graph.constant(np.array(-1)), axis=at)
    return graph.slice(value, at, -1, _END)


def expand(graph: Graph, choose: Choices, value: Value) -> Value:
    """An axis of length one becomes as long as one of another value, or as a number."""
    ones = [at for at, label in enumerate(value.labels) if label == 1]
    if not ones:
        raise Impossible("no axis of length one")
    at, other = choose.of(ones), choose.of(graph.values)
    length: Value | int = choose.number(2, 3)
    if other.rank and choose.chance(50):
        length = graph.length(other, choose.of(range(other.rank)))
    parts: list[Value | int] = [1] * value.rank
    parts[at] = length
    return graph.op("Expand", value, graph.shape(*parts))


def tile(graph: Graph, choose: Choices, value: Value) -> Value:
    repeats = [1] * value.rank
    repeats[some_axis(choose, value)] = 2
    return graph.op("Tile", value, graph.constant(np.array(repeats, np.int64)))


def pad(graph: Graph, choose: Choices, value: Value) -> Value:
    pads = [0] * 2 * value.rank
    axis = some_axis(choose, value, wild=40)
    pads[axis], pads[value.rank + axis] = choose.of(((1, 0), (0, 1), (2, 0), (1, 1), (2, -2)))
    mode = choose.of(("constant", "constant", "constant", "edge", "reflect"))
    return graph.pad(value, pads, choose.of((0.0, 0.0, 0.5)), mode)


def convolution(graph: Graph, choose: Choices, value: Value) -> Value:
    """Over the time of [batch, channels, …, time] mostly; causal, centred, or looking ahead."""
    laid = _channels_first(graph, choose, value)
    channels = laid.labels[1]
    if not isinstance(channels, int):
        raise Impossible("channels are batch or time")
    kernel = [choose.number(1, 3) for _ in laid.labels[2:]]
    dilations = [choose.of((1, 1, 2)) for _ in kernel]
    begins = [
        choose.of(((size - 1) * by, (size - 1) * by, 0, 1))
        for size, by in zip(kernel, dilations, strict=True)
    ]
    ends = [choose.of((0, 0, 0, 1, 2)) for _ in kernel]
    group = channels if choose.chance(20) else 1
    outputs = group * choose.number(1, 2)
    weights = graph.constant(choose.floats(outputs, channels // group, *kernel))
    attributes: dict[str, object] = {
        "dilations": dilations,
        "group": group,
        "strides": [2 if choose.chance(4) else 1 for _ in kernel],
    }
    if choose.chance(10):
        attributes["auto_pad"] = choose.of(("SAME_UPPER", "SAME_LOWER", "VALID"))
    else:
        attributes["pads"] = [*begins, *ends]
    bias = graph.constant(choose.floats(outputs)) if choose.chance(60) else None
    given = [one for one in (laid, weights, bias) if one is not None]
    return graph.op("Conv", *given, **attributes)


def _channels_first(graph: Graph, choose: Choices, value: Value) -> Value:
    """Mostly [batch, channels, …] with the time behind."""
    if value.rank < 3:
        raise Impossible("no channels")
    batch = graph.batch_axis(value)
    plain = [at for at in value.plain_axes if at != batch]
    if batch is None or not plain or choose.chance(10):
        return value
    rest = [at for at in range(value.rank) if at not in (batch, plain[0])]
    return graph.op("Transpose", value, perm=[batch, plain[0], *rest])


def transposed_convolution(graph: Graph, choose: Choices, value: Value) -> Value:
    laid = _channels_first(graph, choose, value)
    channels = laid.labels[1]
    if not isinstance(channels, int):
        raise Impossible("channels are batch or time")
    kernel = [
        1 if str(label).startswith("T") and choose.chance(80) else choose.number(1, 2)
        for label in laid.labels[2:]
    ]
    weights = graph.constant(choose.floats(channels, choose.number(1, 2), *kernel))
    return graph.op("ConvTranspose", laid, weights)


def pool(graph: Graph, choose: Choices, value: Value) -> Value:
    laid = _channels_first(graph, choose, value)
    kernel = [choose.number(1, 2) for _ in laid.labels[2:]]
    pads = [choose.of((0, 0, 0, 1)) for _ in kernel] + [choose.of((0, 0, 0, 1)) for _ in kernel]
    kind = choose.of(("AveragePool", "MaxPool", "LpPool"))
    more = {"count_include_pad": choose.number(0, 1)} if kind == "AveragePool" else {}
    return graph.op(kind, laid, kernel_shape=kernel, pads=pads, strides=[1] * len(kernel), **more)


def global_pool(graph: Graph, choose: Choices, value: Value) -> Value:
    laid = _channels_first(graph, choose, value)
    return graph.op(choose.of(("GlobalAveragePool", "GlobalMaxPool")), laid)


def reduce(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=15)
    kind = choose.of(("Mean", "Sum", "Max", "Min", "L2", "SumSquare", "L1", "LogSumExp", "Prod"))
    axes = [signed(choose, axis, value.rank)]
    return graph.reduce(f"Reduce{kind}", value, axes, keep=choose.number(0, 1))


def cumulative_sum(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=70)
    return graph.op(
        "CumSum",
        value,
        graph.constant(np.array(axis, np.int64)),
        exclusive=int(choose.chance(15)),
        reverse=int(choose.chance(15)),
    )


def softmax(graph: Graph, choose: Choices, value: Value) -> Value:
    axis = some_axis(choose, value, wild=15)
    kind = choose.of(("Softmax", "LogSoftmax", "LpNormalization"))
    return graph.op(kind, value, axis=signed(choose, axis, value.rank))


def layer_normalisation(graph: Graph, choose: Choices, value: Value) -> Value:
    if graph.opset < 17:
        raise Impossible("no such operator yet, whatever ONNX Runtime says")
    axis = value.rank - 1 if choose.chance(80) else some_axis(choose, value)
    lengths = [one if isinstance(one, int) else 1 for one in value.labels[axis:]]
    scale, bias = (graph.constant(choose.floats(*lengths) + np.float32(1)) for _ in range(2))
    return graph.op(
        "LayerNormalization",
        *(value, scale, bias),
        axis=signed(choose, axis, value.rank),
        epsilon=0.01,
    )


def batch_normalisation(graph: Graph, choose: Choices, value: Value) -> Value:
    channels = value.labels[1] if value.rank > 1 else "?"
    if not isinstance(channels, int):
        value = _channels_first(graph, choose, value)
        channels = value.labels[1]
    if not isinstance(channels, int):
        raise Impossible("channels are batch or time")
    scale, bias, mean = (graph.constant(choose.floats(channels)) for _ in range(3))
    variance = graph.constant(np.abs(choose.floats(channels)) + np.float32(0.5))
    return graph.op("BatchNormalization", value, scale, bias, mean, variance)


def instance_normalisation(graph: Graph, choose: Choices, value: Value) -> Value:
    laid = _channels_first(graph, choose, value)
    channels = laid.labels[1]
    if not isinstance(channels, int):
        raise Impossible("channels are batch or time")
    scale, bias = (graph.constant(choose.floats(channels)) for _ in range(2))
    return graph.op("InstanceNormalization", laid, scale, bias, epsilon=0.01)


def reverse_sequence(graph: Graph, _: Choices, value: Value) -> Value:
    time, batch = value.axis("T"), graph.batch_axis(value)
    if {time, batch} != {0, 1}:
        raise Impossible("not [batch, time] in front")
    length = graph.op(
        "Expand", graph.length(value, time or 0), graph.shape(graph.length(value, batch or 0))
    )
    return graph.op("ReverseSequence", value, length, time_axis=time, batch_axis=batch)


def positions(graph: Graph, _: Choices, value: Value) -> Value:
    """The number of each step, counted from the beginning, is added."""
    at = value.axis("T")
    if at is None:
        raise Impossible("no time")
    length = graph.squeeze(graph.length(value, at), 0)
    zero, one = (graph.constant(np.array(number)) for number in (0, 1))
    steps = graph.op("Cast", graph.op("Range", zero, length, one), to=1)
    scaled = graph.op("Mul", steps, graph.constant(np.array(0.1, np.float32)))
    behind = value.rank - 1 - at
    if behind:
        scaled = graph.unsqueeze(scaled, *range(1, behind + 1))
    return graph.op("Add", value, scaled)


def by_length(graph: Graph, choose: Choices, value: Value) -> Value:
    """Something is divided by the length of an axis."""
    length = graph.op("Cast", graph.length(value, choose.of(range(value.rank))), to=1)
    return graph.op(choose.of(("Div", "Mul")), value, length)


def filled(graph: Graph, choose: Choices, value: Value) -> Value:
    """The value and a tensor of its own shape that holds one number."""
    number = helper.make_tensor("value", 1, [1], [choose.of((0.0, 0.3))])
    made = graph.op("ConstantOfShape", graph.op("Shape", value), value=number)
    return graph.op(choose.of(("Add", "Max")), value, made)


def random_numbers(graph: Graph, choose: Choices, value: Value) -> Value:
    """No two runs are the same."""
    kind = choose.of(("RandomNormalLike", "RandomUniformLike"))
    return graph.op("Add", value, graph.op(kind, value, dtype=1))


def dropout(graph: Graph, choose: Choices, value: Value) -> Value:
    if graph.opset < 12:
        return graph.op("Dropout", value, ratio=0.4)
    ratio = graph.constant(np.array(0.4, np.float32))
    training = graph.constant(np.array(choose.chance(20)))
    return graph.op("Dropout", value, ratio, training)


def unfamiliar(graph: Graph, choose: Choices, value: Value) -> Value:
    """Operators that hardly anybody puts near a GRU."""
    kind = choose.of(("TopK", "Trilu", "GatherElements", "Compress", "Mod", "Hardmax", "Shrink"))
    axis = some_axis(choose, value)
    if kind == "TopK":
        number = graph.constant(np.array([1], np.int64))
        return graph.ops(2, "TopK", value, number, axis=axis)[0]
    if kind == "GatherElements":
        zeros = graph.op("Mul", graph.op("Cast", value, to=7), graph.constant(np.array(0)))
        return graph.op("GatherElements", value, zeros, axis=axis)
    if kind == "Compress":
        return graph.op("Compress", value, graph.constant(np.array([True])), axis=axis)
    if kind == "Mod":
        return graph.op("Mod", value, graph.constant(np.array(1.7, np.float32)), fmod=1)
    if kind == "Hardmax" and graph.opset < 13:
        raise Impossible("onnx converts it into another operator")
    return graph.op(kind, value)


def joined_constant(graph: Graph, choose: Choices, value: Value) -> Value:
    """What a session is given at its beginning stands beside every step."""
    time, batch = graph.time_axis(value), graph.batch_axis(value)
    if time is None or batch is None or value.rank != 3:
        raise Impossible("not [batch, time, features]")
    (features,) = {0, 1, 2} - {time, batch}
    given = graph.unsqueeze(constant(graph, choose), 1)
    order = [{batch: 0, time: 1, features: 2}[at] for at in range(3)]
    laid = graph.op("Transpose", given, perm=order)
    lengths: list[Value | int] = [1, 1, 1]
    lengths[time] = graph.length(value, time)
    return graph.op("Concat", value, graph.op("Expand", laid, graph.shape(*lengths)), axis=features)


def remembered(graph: Graph, choose: Choices, value: Value) -> Value:
    """The last values of a model of single steps, passed in and out, and something made of them."""
    time, batch = graph.time_axis(value), graph.batch_axis(value)
    if graph.time != 1 or time is None or batch is None:
        raise Impossible("no single steps")
    frames = choose.number(1, 3)
    labels = [frames if at == time else one for at, one in enumerate(value.labels)]
    cache = graph.fed_back("cache", labels)
    longer = graph.op("Concat", cache, value, axis=time)
    graph.feed(cache, graph.slice(longer, time, 1, _END))
    if choose.chance(30):
        return graph.slice(longer, time, 0, 1)
    return graph.reduce(choose.of(("ReduceMean", "ReduceMax")), longer, [time], keep=1)


def summed(graph: Graph, _: Choices, value: Value) -> Value:
    """A running sum of a model of single steps."""
    if graph.time != 1 or graph.batch_axis(value) is None:
        raise Impossible("no single steps")
    before = graph.fed_back("memory", value.labels)
    tenth = graph.op("Mul", value, graph.constant(np.array(0.1, np.float32)))
    total = graph.op("Add", before, tenth)
    graph.feed(before, total)
    return total


def _other(graph: Graph, choose: Choices, value: Value) -> Value:
    """Another value, of the same axes where there is one."""
    alike = [
        one
        for one in graph.values
        if one.is_float and one.rank == value.rank and _broadcasts(one.labels, value.labels)
    ]
    floats = [one for one in graph.values if one.is_float]
    return choose.of(alike if alike and choose.chance(80) else floats)


def _broadcasts(one: Sequence[int | str], other: Sequence[int | str]) -> bool:
    return all(left == right or 1 in (left, right) for left, right in zip(one, other, strict=True))


def _last(value: Value) -> int:
    if not value.rank or not isinstance(value.labels[-1], int):
        raise Impossible("the last axis is batch or time")
    return value.labels[-1]


def _width(choose: Choices) -> int:
    return choose.number(1, 4)


COMMON: Sequence[Operator] = (
    *(unary, unary, with_constant, with_constant, matmul, matmul, gemm, with_other, concat),
    *(split, transpose, merge, cut_apart, unsqueeze, squeeze, layer_normalisation, softmax),
    *(batch_normalisation, convolution, convolution, slices, reduce, clip, cast, divide, where),
    *(expand, einsum, pad, length_constant, joined_constant),
)
OF_SINGLE_STEPS: Sequence[Operator] = (remembered, remembered, summed)
RARE: Sequence[Operator] = (
    *(flatten, gather, tile, transposed_convolution, pool, global_pool, cumulative_sum),
    *(instance_normalisation, reverse_sequence, positions, by_length, filled, random_numbers),
    *(dropout, unfamiliar, last_step),
)
