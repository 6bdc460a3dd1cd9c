"""Files that no exporter of torch writes: old opsets, and all that the GRU operator can do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from zlib import crc32

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, version_converter

from model_export.rewrite.roles import Hints
from tests.variety.onnx_models.axes import Axes
from tests.variety.onnx_models.case import Case, Expected, File, Refused, Sessions, Whole, Window

Array = NDArray[Any]
SIZE = 4
IR_OF_OPSET = {7: 3, 8: 3, 9: 4, 10: 5, 11: 6, 12: 7, 13: 7, 14: 7, 15: 8}
"""The version of the format that came with an opset."""


class Graph:
    """Nodes and weights of a model, time first: x [T, B, 3], one behind the other."""

    def __init__(self, seed: str) -> None:
        self.random = np.random.default_rng(crc32(seed.encode()))
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: list[onnx.TensorProto] = []

    def weight(self, name: str, *shape: int) -> str:
        return self.tensor(name, self.random.uniform(-1, 1, shape).astype(np.float32))

    def tensor(self, name: str, array: Array) -> str:
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, *inputs: str, to: str | Sequence[str], **attributes: Any) -> str:  # noqa: ANN401
        outputs = [to] if isinstance(to, str) else list(to)
        attributes = {name.rstrip("_"): one for name, one in attributes.items()}
        self.nodes.append(
            helper.make_node(
                kind, list(inputs), outputs, name=f"{kind} to {outputs[0]}", **attributes
            )
        )
        return outputs[0]

    def gru(
        self,
        x: str,
        *,
        to: str = "states",
        inputs: int = 3,
        size: int = SIZE,
        lens: str = "",
        begin: str = "",
        directions: int = 1,
        biases: bool = True,
        **attributes: Any,  # noqa: ANN401
    ) -> str:
        """Y [T, D, B, H] of a GRU with weights of its own."""
        weights = self.weight(f"{to}_W", directions, 3 * size, inputs)
        recurrent = self.weight(f"{to}_R", directions, 3 * size, size)
        bias = self.weight(f"{to}_B", directions, 6 * size) if biases else ""
        given = [x, weights, recurrent, bias, lens, begin]
        while not given[-1]:
            given.pop()
        return self.node("GRU", *given, to=[to, f"{to}_end"], hidden_size=size, **attributes)

    def head(self, states: str, *, to: str = "y", size: int = SIZE) -> str:
        """A product with the states [T, 1, B, H], once the axis of directions is gone."""
        self.node("Squeeze", states, to=f"{to}_states", axes=[1])
        return self.node("MatMul", f"{to}_states", self.weight(f"{to}_V", size, 2), to=to)

    def model(
        self,
        opset: int,
        inputs: Mapping[str, Axes],
        outputs: Mapping[str, Axes],
        kinds: Mapping[str, int],
        written: int,
    ) -> onnx.ModelProto:
        """Written in the opset `written`, and converted to a newer one."""
        given, made = (
            [
                helper.make_tensor_value_info(
                    name, kinds.get(name, TensorProto.FLOAT), _dimensions(axes)
                )
                for name, axes in some.items()
            ]
            for some in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, "built", given, made, self.tensors)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", min(opset, written))]
        )
        if opset > written:
            model = version_converter.convert_version(model, opset)
        model.ir_version = IR_OF_OPSET.get(opset, 10)
        if model.ir_version < 4:
            # Weights were inputs as well, once.
            model.graph.input.extend(
                helper.make_tensor_value_info(one.name, one.data_type, one.dims)
                for one in self.tensors
            )
        return model


def _dimensions(axes: Axes) -> list[str | int]:
    names = axes.open
    return [names.get(at, one.length or 0) for at, one in enumerate(axes)]


Build = Callable[[Graph], None]


def built(
    name: str,
    build: Build,
    expected: Expected,
    *,
    inputs: Mapping[str, str] | None = None,
    output: str = "T B 2",
    outputs: Mapping[str, str] | None = None,
    opsets: Sequence[int] = (11,),
    kinds: Mapping[str, int] | None = None,
    truth: Build | None = None,
    written: int = 11,
    **more: Any,  # noqa: ANN401
) -> Iterator[Case]:
    """A case for each opset; `truth` builds the same model in a way that ONNX Runtime runs."""
    axes = {one: Axes(written) for one, written in (inputs or {"x": "T B 3"}).items()}
    given = {one: Axes(written) for one, written in (outputs or {"y": output}).items()}
    for opset in opsets:

        def write(build: Build = build, opset: int = opset) -> File:
            graph = Graph(name)
            build(graph)
            return File(graph.model(opset, axes, given, kinds or {}, written))

        yield Case(
            name=f"{name}, built {opset}",
            write=write,
            expected=expected,
            inputs=axes,
            output=Axes(output),
            truth=None if truth is None else lambda: write(truth),
            **more,
        )


def cases() -> Iterator[Case]:
    yield from _opsets()
    yield from _operator()
    yield from _names()
    yield from _wholes()


def _plain(graph: Graph, **attributes: Any) -> None:  # noqa: ANN401
    graph.head(graph.gru("x", **attributes))


def _opsets() -> Iterator[Case]:
    for variant in (0, 1):
        yield from built(
            f"linear_before_reset {variant}",
            partial(_plain, linear_before_reset=variant),
            Sessions(),
            opsets=(7, 8, 9, 10, 11, 12, 13, 14, 16, 18, 21, 22, 24),
        )
    yield from built("the last state", _last_state, Sessions(), output="B 2", opsets=(7, 9, 13, 19))
    yield from built("both variants in one model", _both_variants, Sessions(), opsets=(7, 11, 15))
    yield from built("a dropout of opset 7", _dropped, Sessions(), opsets=(7, 10))


def _last_state(graph: Graph) -> None:
    graph.gru("x", linear_before_reset=1)
    graph.node("Squeeze", "states_end", to="end", axes=[0])
    graph.node("Gemm", "end", graph.weight("V", SIZE, 2), graph.weight("c", 2), to="y")


def _both_variants(graph: Graph) -> None:
    graph.gru("x", to="first", size=5, linear_before_reset=1)
    graph.node("Squeeze", "first", to="between", axes=[1])
    graph.head(graph.gru("between", inputs=5, linear_before_reset=0))


def _dropped(graph: Graph) -> None:
    graph.gru("x")
    graph.node("Dropout", "states", to="kept", ratio=0.5)
    graph.head("kept")


_ACTIVATIONS: dict[str, dict[str, Any]] = {
    "hard sigmoid": {"activations": ["HardSigmoid", "Tanh"]},
    "hard sigmoid of its own": {
        "activations": ["HardSigmoid", "Tanh"],
        "activation_alpha": [0.3],
        "activation_beta": [0.4],
    },
    "a linear candidate": {
        "activations": ["Sigmoid", "Affine"],
        "activation_alpha": [1.0],
        "activation_beta": [0.0],
    },
    "ReLU": {"activations": ["Sigmoid", "Relu"]},
    "leaky ReLU": {"activations": ["Sigmoid", "LeakyRelu"], "activation_alpha": [0.2]},
    "softsign and softplus": {"activations": ["Softsign", "Softsign"]},
    "a scaled tanh": {
        "activations": ["Sigmoid", "ScaledTanh"],
        "activation_alpha": [0.7],
        "activation_beta": [1.3],
    },
    "ELU": {"activations": ["HardSigmoid", "Elu"], "activation_alpha": [0.2, 0.9]},
    "a clip": {"clip": 0.5},
    "a clip of a ReLU": {"clip": 0.8, "activations": ["Sigmoid", "Relu"]},
}


def _operator() -> Iterator[Case]:
    for name, attributes in _ACTIVATIONS.items():
        for variant in (0, 1):
            said = {**attributes, "linear_before_reset": variant}
            yield from built(
                f"{name}, linear_before_reset {variant}",
                partial(_plain, **said),
                Sessions(),
                within=1e-3 if "ReLU" in name or "linear" in name else 1e-4,
            )
    yield from built(
        "an unknown activation",
        lambda graph: _plain(graph, activations=["Sigmoid", "Swish"]),
        Refused(("GRU to states", "Swish")),
    )
    yield from built("no biases", lambda graph: _plain(graph, biases=False), Sessions())
    yield from built(
        "layout 1",
        _batch_first,
        Sessions(),
        inputs={"x": "B T 3"},
        output="B T 2",
        opsets=(14, 20),
        truth=_batch_first_by_transposing,
        written=14,
    )
    yield from built(
        "backwards", lambda graph: _plain(graph, direction="reverse"), Whole(("reverse",))
    )
    yield from built(
        "sequence_lens of the input's length",
        lambda graph: _plain(graph, lens=graph.tensor("lens", np.array([7], np.int32))),
        Sessions(),
        inputs={"x": "T=7 B=1 3"},
        output="T=7 B=1 2",
    )
    yield from built(
        "sequence_lens of another length",
        lambda graph: _plain(graph, lens=graph.tensor("lens", np.array([4], np.int32))),
        Refused(("batch at 1",)),
        inputs={"x": "T=7 B=1 3"},
        output="T=7 B=1 2",
    )
    yield from built(
        "sequence_lens as an input",
        lambda graph: _plain(graph, lens="lens"),
        Refused(("'lens'",)),
        inputs={"x": "T B 3", "lens": "B"},
        kinds={"lens": TensorProto.INT32},
        integers=frozenset({"lens"}),
    )
    yield from built("weights that nodes compute", _computed_weights, Sessions())
    yield from built(
        "weights that are an input",
        _given_weights,
        Refused(("'W'",)),
        inputs={"x": "T B 3", "W": "1 12 3"},
    )
    yield from built(
        "a state that is stored for one sequence",
        lambda graph: _plain(graph, begin=graph.weight("h", 1, 1, SIZE)),
        Sessions(),
        inputs={"x": "T B=1 3"},
        output="T B=1 2",
    )
    yield from built(
        "a state that is stored for two sequences",
        lambda graph: _plain(graph, begin=graph.weight("h", 1, 2, SIZE)),
        Refused(("GRU to states",)),
    )


def _batch_first(graph: Graph) -> None:
    graph.gru("x", layout=1)
    graph.node("Squeeze", "states", graph.tensor("two", np.array([2])), to="flat")
    graph.node("MatMul", "flat", graph.weight("V", SIZE, 2), to="y")


def _batch_first_by_transposing(graph: Graph) -> None:
    graph.node("Transpose", "x", to="x_first", perm=[1, 0, 2])
    graph.gru("x_first")
    graph.node("Squeeze", "states", graph.tensor("one", np.array([1])), to="flat_first")
    graph.node("Transpose", "flat_first", to="flat", perm=[1, 0, 2])
    graph.node("MatMul", "flat", graph.weight("V", SIZE, 2), to="y")


def _computed_weights(graph: Graph) -> None:
    """As quantised files have them: integers, a scale, and products."""
    whole = graph.random.integers(-127, 128, (1, 3 * SIZE, 3)).astype(np.int8)
    graph.tensor("stored", whole)
    graph.node("Cast", "stored", to="wide", to_=TensorProto.FLOAT)
    graph.node("Mul", "wide", graph.tensor("scale", np.array([0.01], np.float32)), to="W")
    graph.node(
        "GRU", "x", "W", graph.weight("R", 1, 3 * SIZE, SIZE), to=["states"], hidden_size=SIZE
    )
    graph.head("states")


def _given_weights(graph: Graph) -> None:
    graph.node(
        "GRU", "x", "W", graph.weight("R", 1, 3 * SIZE, SIZE), to=["states"], hidden_size=SIZE
    )
    graph.head("states")


def _names() -> Iterator[Case]:
    yield from built(
        "names that the service needs",
        _taken_names,
        Sessions(),
        inputs={"state": "T B 3"},
        output="T B 2",
        outputs={"next_state": "T B 2"},
        answers="next_state",
    )
    yield from built(
        "a constant that is called as a layer",
        _called_alike,
        Sessions(),
        inputs={"x": "T B 3", "GRU to states": "B 3"},
    )
    yield from built(
        "a constant that is called as the counter of steps",
        _counted,
        Refused(("'steps seen'", "name")),
        inputs={"x": "T B 3", "steps seen": "B 3"},
    )
    yield from built("nodes without names", _without_names, Sessions())
    yield from built("nodes of one name", _of_one_name, Refused(("same node name",)))


def _taken_names(graph: Graph) -> None:
    graph.head(graph.gru("state", to="input"), to="output")
    graph.node("Identity", "output", to="next_state")


def _called_alike(graph: Graph) -> None:
    graph.node("Add", "x", "GRU to states", to="sum")
    graph.head(graph.gru("sum"))


def _counted(graph: Graph) -> None:
    graph.node("Add", "x", "steps seen", to="sum")
    graph.head(graph.gru("sum"))


def _without_names(graph: Graph) -> None:
    _both_variants(graph)
    for node in graph.nodes:
        node.ClearField("name")


def _of_one_name(graph: Graph) -> None:
    _both_variants(graph)
    for node in graph.nodes:
        node.name = "node"


def _wholes() -> Iterator[Case]:
    yield from built(
        "a GRU in a branch",
        _branched,
        Refused(("GRU", "branch", "If")),
        inputs={"x": "T B 3", "flag": "1"},
        kinds={"flag": TensorProto.BOOL},
    )
    yield from built(
        "a mean over the sequence and the batch",
        _mean_of_all,
        Refused(("batch", "ReduceMean")),
    )
    yield from built(
        "normalised over the batch and the time",
        _normalised,
        Refused(("MeanVarianceNormalization",)),
        inputs={"x": "T B 3"},
    )
    yield from built(
        "a window, by numbers",
        _window,
        Window(6),
        inputs={"x": "T=6 B 3"},
        output="B 2",
    )
    yield from built(
        "the time between two others",
        _channels,
        Sessions(),
        inputs={"x": "3 T B"},
        hints=Hints(time_axis=1),
    )


def _branched(graph: Graph) -> None:
    inner = Graph("inner")
    inner.gru("x")
    branches = {
        name: helper.make_graph(
            inner.nodes,
            name,
            [],
            [helper.make_tensor_value_info("states", TensorProto.FLOAT, None)],
            inner.tensors,
        )
        for name in ("then_branch", "else_branch")
    }
    graph.node("If", "flag", to="either", **branches)
    graph.head("either")


def _mean_of_all(graph: Graph) -> None:
    graph.node("ReduceMean", "x", to="mean", axes=[0, 1])
    graph.node("Sub", "x", "mean", to="moved")
    graph.head(graph.gru("moved"))


def _normalised(graph: Graph) -> None:
    graph.node("MeanVarianceNormalization", "x", to="moved", axes=[0, 1])
    graph.head(graph.gru("moved"))


def _window(graph: Graph) -> None:
    graph.gru("x")
    graph.node("Gather", "states", graph.tensor("five", np.array(5)), to="last", axis=0)
    graph.node("Squeeze", "last", to="flat", axes=[0])
    graph.node("MatMul", "flat", graph.weight("V", SIZE, 2), to="y")


def _channels(graph: Graph) -> None:
    graph.node("Transpose", "x", to="rows", perm=[1, 2, 0])
    graph.head(graph.gru("rows"))
