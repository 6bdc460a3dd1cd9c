"""Building an ONNX graph node by node, and knowing what every value is by computing it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

IR_VERSION = 10
_LARGEST = 1e4
"""Of the numbers of a value: beyond it float32 says little about the operators."""

LONGEST_LOOK = 6
"""By so much two lengths of sequences may differ."""

Arrays = tuple[NDArray[Any], NDArray[Any]]
Label = int | str


class Impossible(Exception):
    """An operator that ONNX Runtime does not run here, or whose numbers are of no use."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """`arrays` are its numbers at both sizes of the graph.

    `labels` say of every axis "B", "T", "T+k", "BT", a number, or "?". `recurrent` says that a
    recurrent node is behind it.
    """

    name: str
    arrays: Arrays
    labels: tuple[Label, ...]
    recurrent: bool = False

    @property
    def rank(self) -> int:
        return len(self.labels)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.arrays[0].dtype

    @property
    def is_float(self) -> bool:
        return self.dtype == np.float32

    def axis(self, label: Label) -> int | None:
        return self.labels.index(label) if label in self.labels else None

    @property
    def plain_axes(self) -> list[int]:
        """Those that are neither batch nor time."""
        return [at for at, label in enumerate(self.labels) if isinstance(label, int)]

    @property
    def has_steps(self) -> bool:
        return self.rank > 0 and any(str(label).startswith("T") for label in self.labels)


class Graph:
    """Nodes are added at the end, each run at once by ONNX Runtime at two (batch, time)."""

    def __init__(self, opset: int, sizes: tuple[tuple[int, int], tuple[int, int]]) -> None:
        self.opset = opset
        self.sizes = sizes
        self.values: list[Value] = []
        """All that may be used further on, the newest last."""
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.fed: dict[str, Value] = {}
        """Outputs by the inputs that they are fed to."""
        self._made = 0

    def input(self, name: str, labels: Sequence[Label], arrays: Arrays) -> Value:
        value = Value(name, arrays, tuple(labels))
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        shape = [{"B": "batch", "T": "time"}.get(str(one), one) for one in labels]
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return value

    def constant(self, array: NDArray[Any] | Sequence[int]) -> Value:
        """Numbers that the file holds."""
        numbers = np.asarray(array)
        name = self._name("stored")
        self.stored.append(numpy_helper.from_array(numbers, name))
        return Value(name, (numbers, numbers), numbers.shape)

    def op(self, op_type: str, *inputs: Value | None, **attributes: Any) -> Value:  # noqa: ANN401
        return self.ops(1, op_type, *inputs, **attributes)[0]

    def ops(
        self,
        outputs: int,
        op_type: str,
        *inputs: Value | None,
        **attributes: Any,  # noqa: ANN401
    ) -> list[Value]:
        """A node. Raises Impossible, and leaves the graph as it was."""
        name = self._name(op_type)
        names = [f"{name}_{index}" for index in range(outputs)]
        given = ["" if one is None else one.name for one in inputs]
        node = helper.make_node(op_type, given, names, name=name, **attributes)
        known = [one for one in inputs if one is not None]
        first, second = (self._run(node, known, at) for at in (0, 1))
        recurrent = op_type in ("GRU", "LSTM", "RNN") or any(one.recurrent for one in known)
        made = [
            Value(name, (one, other), self._labels(one, other), recurrent)
            for name, one, other in zip(names, first, second, strict=True)
        ]
        self.nodes.append(node)
        return made

    def _run(self, node: onnx.NodeProto, inputs: list[Value], at: int) -> list[NDArray[Any]]:
        feeds = {one.name: one.arrays[at] for one in inputs}
        model = self._model(
            [node],
            [_typed(name, array) for name, array in feeds.items()],
            [helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        try:
            found = _session(model).run(None, feeds)
        except Exception as error:
            raise Impossible(str(error)) from None
        for array in map(np.asarray, found):
            if array.size > 2000 or not array.size:
                raise Impossible("too large, or empty")
            if array.dtype.kind == "f" and not np.abs(array).max() < _LARGEST:
                raise Impossible("numbers of no use")
        return [np.asarray(one) for one in found]

    def _labels(self, first: NDArray[Any], second: NDArray[Any]) -> tuple[Label, ...]:
        if first.ndim != second.ndim:
            raise Impossible("a rank that depends on the sizes")
        return tuple(map(self._label, first.shape, second.shape))

    def _label(self, first: int, second: int) -> Label:
        (one_batch, one_time), (other_batch, other_time) = self.sizes
        if first == second and (one_time != other_time or not self._is_near(first)):
            return first
        if (first, second) == (one_batch, other_batch):
            return "B"
        if (first, second) == (one_time, other_time):
            return "T"
        if (first, second) == (one_batch * one_time, other_batch * other_time):
            return "BT"
        if first - one_time == second - other_time <= LONGEST_LOOK:
            return f"T{first - one_time:+d}"
        return "?"

    def _is_near(self, length: int) -> bool:
        """Whether a length may have to do with that of sequences, which the file fixes."""
        if self.time is None or self.time == 1:
            return False
        return abs(length - self.time) <= LONGEST_LOOK or length % self.time == 0

    def fed_back(self, what: str, labels: Sequence[Label]) -> Value:
        """An input that is zeros at the beginning."""
        if not all(isinstance(one, int) or one in ("B", "T") for one in labels):
            raise Impossible("an axis that is neither")
        shapes = [
            [{"B": batch, "T": time}.get(str(one), one) for one in labels]
            for batch, time in self.sizes
        ]
        first, second = (np.zeros([int(one) for one in shape], np.float32) for shape in shapes)
        return self.input(f"{what}_{len(self.inputs)}", labels, (first, second))

    def feed(self, given: Value, made: Value) -> None:
        """Have an input be fed a value, which becomes an output that bears its name."""
        self.fed[given.name] = self.op("Identity", made)
        name = f"{given.name}_out"
        self.nodes[-1].output[0] = name
        self.fed[given.name] = replace(self.fed[given.name], name=name)

    def finished(self, output: Value) -> onnx.ModelProto:
        """The model, with all sizes of its inputs left open."""
        needed = _needed(self.nodes, [output.name])
        used = {name for node in needed for name in node.input}
        others = [made for name, made in self.fed.items() if name in used]
        outputs = [
            helper.make_tensor_value_info(
                one.name,
                helper.np_dtype_to_tensor_dtype(one.dtype),
                [label if isinstance(label, int) else None for label in one.labels],
            )
            for one in (output, *others)
        ]
        nodes = _needed(self.nodes, [one.name for one in (output, *others)])
        used = {name for node in nodes for name in node.input}
        return self._model(
            nodes,
            [one for one in self.inputs if one.name in used or one.name == "x"],
            outputs,
            [one for one in self.stored if one.name in used],
        )

    def _model(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Sequence[onnx.ValueInfoProto],
        outputs: Sequence[onnx.ValueInfoProto],
        stored: Sequence[onnx.TensorProto] = (),
    ) -> onnx.ModelProto:
        graph = helper.make_graph(nodes, "composition", inputs, outputs, stored)
        opsets = [helper.make_opsetid("", self.opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)

    def _name(self, what: str) -> str:
        self._made += 1
        return f"{what.lower()}_{self._made}"

    @property
    def batch(self) -> int | None:
        """What the file fixes."""
        (one, _), (other, _) = self.sizes
        return one if one == other else None

    @property
    def time(self) -> int | None:
        """Likewise."""
        (_, one), (_, other) = self.sizes
        return one if one == other else None

    def time_axis(self, value: Value) -> int | None:
        """Where the time is; in a model of single steps an axis of length one."""
        if self.time != 1:
            return value.axis("T")
        ones = [at for at, label in enumerate(value.labels) if label == 1]
        return next((at for at in ones if at != self.batch_axis(value)), None)

    def batch_axis(self, value: Value) -> int | None:
        """Where the batch is; one of length one where the file fixes it at one."""
        return value.axis(1) if self.batch == 1 else value.axis("B")

    # Operators that are written differently in different opsets.

    def squeeze(self, value: Value, *axes: int) -> Value:
        return self._with_axes("Squeeze", value, axes, 13)

    def unsqueeze(self, value: Value, *axes: int) -> Value:
        return self._with_axes("Unsqueeze", value, axes, 13)

    def reduce(self, op_type: str, value: Value, axes: Sequence[int], keep: int) -> Value:
        since = 13 if op_type == "ReduceSum" else 18
        return self._with_axes(op_type, value, axes, since, keepdims=keep)

    def _with_axes(
        self,
        op_type: str,
        value: Value,
        axes: Sequence[int],
        since: int,
        **attributes: int,
    ) -> Value:
        """`axes` are an input from an opset on, and an attribute before."""
        if self.opset >= since:
            return self.op(op_type, value, self.constant(np.array(axes, np.int64)), **attributes)
        return self.op(op_type, value, axes=list(axes), **attributes)

    def slice(self, value: Value, axis: int, begin: int, end: int, step: int = 1) -> Value:
        if self.opset < 10:
            if step != 1:
                raise Impossible("no steps yet")
            return self.op("Slice", value, axes=[axis], starts=[begin], ends=[end])
        numbers = ([begin], [end], [axis], [step])
        return self.op("Slice", value, *(self.constant(np.array(one)) for one in numbers))

    def pad(self, value: Value, pads: Sequence[int], number: float, mode: str) -> Value:
        if self.opset < 11:
            return self.op("Pad", value, pads=list(pads), value=number, mode=mode)
        given = [self.constant(np.array(pads, np.int64))]
        if number:
            given.append(self.constant(np.array(number, np.float32)))
        return self.op("Pad", value, *given, mode=mode)

    def split(self, value: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
        if self.opset < 13:
            return self.ops(len(sizes), "Split", value, axis=axis, split=list(sizes))
        given = self.constant(np.array(sizes, np.int64))
        return self.ops(len(sizes), "Split", value, given, axis=axis)

    def length(self, value: Value, axis: int) -> Value:
        """The length of an axis, [1] int64."""
        shape = self.op("Shape", value)
        return self.op("Gather", shape, self.constant(np.array([axis])), axis=0)

    def shape(self, *parts: Value | int) -> Value:
        """A shape [n] int64 of lengths and numbers."""
        known = [
            self.constant(np.array([one], np.int64)) if isinstance(one, int) else one
            for one in parts
        ]
        return self.op("Concat", *known, axis=0)


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            found.append(node)
            wanted |= set(node.input)
    return found[::-1]


def _typed(name: str, array: NDArray[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape
    )


def _session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)
