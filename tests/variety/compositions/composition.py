"""A model that was drawn, and how to ask it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import reject
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.variety.compositions.choices import Choices
from tests.variety.compositions.graph import Graph, Impossible, Label, Value
from tests.variety.compositions.operators import COMMON, OF_SINGLE_STEPS, RARE, last_step
from tests.variety.compositions.recurrent import CONSTANT_WIDTH, recurrent

OLDEST_OPSET, NEWEST_OPSET = 7, 28
FIXED_TIME = 23
"""Steps of a window; no other axis has this length."""
_LAYOUTS = ("BTF", "TBF", "BFT", "BT", "BTCF", "BCTF", "tokens")
_LENGTHS = {"C": 2, "F": 3}
_TOKENS = 7

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Composition:
    """`layout` are the axes of the input x, by their letters. `labels` are those of the output.

    `batch` and `time` are what the file fixes. `constants` are inputs [batch, n] of a session by
    their widths; `fed` are outputs by the inputs that they are fed back to.
    """

    model: onnx.ModelProto
    layout: str
    output: str
    labels: tuple[Label, ...]
    batch: int | None
    time: int | None
    constants: Mapping[str, int]
    fed: Mapping[str, str]

    @property
    def width(self) -> int:
        return int(np.prod([_LENGTHS.get(one, 1) for one in self.layout]))

    @property
    def is_tokens(self) -> bool:
        return self.layout == "tokens"

    @property
    def answers_each_step(self) -> bool:
        return any(str(label).startswith("T") for label in self.labels)

    def rows(self, random: np.random.Generator, batch: int, time: int) -> Rows:
        """[B, T, F] float32, or [B, T] int64."""
        if self.is_tokens:
            return random.integers(0, _TOKENS, (batch, time))
        return random.standard_normal((batch, time, self.width)).astype(np.float32)

    def feed(self, rows: Rows) -> NDArray[Any]:
        """The input as the model has it."""
        if self.is_tokens:
            return rows
        letters = "BT" + "".join(one for one in self.layout if one not in "BT")
        apart = rows.reshape(*rows.shape[:2], *(_LENGTHS[one] for one in letters[2:]))
        return apart.transpose([letters.index(one) for one in self.layout])

    def by_rows(self, found: NDArray[Any]) -> NDArray[Any]:
        """The output as [B, T, O], or as [B, O]."""
        labels = list(self.labels)
        if self.batch == 1:
            found, labels = found[np.newaxis], ["B", *labels]
        if self.time == 1:
            return np.moveaxis(found, labels.index("B"), 0).reshape(
                found.shape[labels.index("B")], -1
            )
        front = [labels.index("B")]
        front += [at for at, one in enumerate(labels) if str(one).startswith("T")]
        moved = np.moveaxis(found, front, range(len(front)))
        return moved.reshape(*moved.shape[: len(front)], -1)


class Original:
    """The file in ONNX Runtime."""

    def __init__(self, composition: Composition) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        self._composition = composition
        self._session = onnxruntime.InferenceSession(composition.model.SerializeToString(), options)

    def answer(self, rows: Rows, constants: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """To sequences from their beginning: [B, T, O], or [B, O]."""
        found, _ = self._run(rows, constants, self._zeros(len(rows)))
        return found

    def step_by_step(self, rows: Rows, constants: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Each step alone, with what the one before gave fed back: [B, T, O]."""
        fed, answers = self._zeros(len(rows)), []
        for t in range(rows.shape[1]):
            found, fed = self._run(rows[:, t : t + 1], constants, fed)
            answers.append(found)
        return np.stack(answers, axis=1)

    def _run(
        self, rows: Rows, constants: Mapping[str, NDArray[Any]], fed: Mapping[str, NDArray[Any]]
    ) -> tuple[NDArray[Any], dict[str, NDArray[Any]]]:
        names = self._composition.fed
        feed = {"x": self._composition.feed(rows), **constants, **fed}
        found, *after = self._session.run([self._composition.output, *names.values()], feed)
        return self._composition.by_rows(np.asarray(found)), dict(zip(names, after, strict=True))

    def _zeros(self, batch: int) -> dict[str, NDArray[Any]]:
        return {
            given.name: np.zeros(
                [one if isinstance(one, int) else batch for one in given.shape], np.float32
            )
            for given in self._session.get_inputs()
            if given.name in self._composition.fed
        }


@st.composite
def compositions(draw: st.DrawFn) -> Composition:
    """Models with one to three GRU nodes among other operators."""
    return composed(Choices(draw))


def composed(choose: Choices) -> Composition:
    """One model. Raises what `hypothesis.reject` does where nothing came of it."""
    opset = choose.number(OLDEST_OPSET, NEWEST_OPSET)
    batch, time = choose.of((*[(None, None)] * 4, (1, None), (None, FIXED_TIME), (None, 1), (1, 1)))
    graph = Graph(opset, ((batch or 2, time or 5), (batch or 3, time or 7)))
    layout = choose.of(_LAYOUTS)
    _begin(graph, choose, layout)
    _compose(graph, choose)
    output = _output(graph)
    model = graph.finished(output)
    if choose.chance(30):
        for node in model.graph.node:
            node.ClearField("name")
    _fix(model, batch, time)
    names = {one.name for one in model.graph.input}
    return Composition(
        model,
        layout,
        output.name,
        output.labels,
        batch,
        time,
        constants={name: CONSTANT_WIDTH for name in names if name.startswith("speaker")},
        fed={name: made.name for name, made in graph.fed.items() if name in names},
    )


def _begin(graph: Graph, choose: Choices, layout: str) -> None:
    letters = "BT" if layout == "tokens" else layout
    arrays: list[NDArray[Any]] = []
    for batch, time in graph.sizes:
        lengths = {"B": batch, "T": time, **_LENGTHS}
        shape = [lengths[one] for one in letters]
        random = np.random.default_rng(len(arrays))
        if layout == "tokens":
            arrays.append(random.integers(0, _TOKENS, shape))
        else:
            arrays.append(random.standard_normal(shape).astype(np.float32))
    labels = [_LENGTHS.get(one, one) for one in letters]
    x = graph.input("x", labels, (arrays[0], arrays[1]))
    if layout == "tokens":
        x = graph.op("Gather", graph.constant(choose.floats(_TOKENS, 3)), x, axis=0)
    elif layout == "BT":
        x = graph.unsqueeze(x, choose.of((1, 2)))
    graph.values.append(x)


def _compose(graph: Graph, choose: Choices) -> None:
    count = choose.number(1, 3)
    for _ in range(count):
        for _ in range(choose.number(0, 3)):
            _add_operator(graph, choose)
        _add(graph, lambda: recurrent(graph, choose, _newest(graph, choose)))
    for _ in range(choose.number(0, 4)):
        _add_operator(graph, choose)
    if choose.chance(30):
        _add(graph, lambda: [last_step(graph, choose, _newest(graph, choose))])
        if choose.chance(50):
            _add_operator(graph, choose)


def _add_operator(graph: Graph, choose: Choices) -> None:
    operator = choose.of(RARE if choose.chance(15) else COMMON)
    if graph.time == 1 and choose.chance(30):
        operator = choose.of(OF_SINGLE_STEPS)
    _add(graph, lambda: [operator(graph, choose, _newest(graph, choose))])


def _add(graph: Graph, make: Any) -> None:  # noqa: ANN401
    """Nothing where it is impossible; nodes that nobody uses may be left."""
    try:
        graph.values += [one for one in make() if one.is_float]
    except Impossible:
        return


def _newest(graph: Graph, choose: Choices) -> Value:
    if len(graph.values) > 1 and choose.chance(10):
        return choose.of(graph.values)
    return graph.values[-1]


def _output(graph: Graph) -> Value:
    """The newest value that has a row for each sequence, and a GRU behind it."""
    for value in reversed(graph.values):
        steps = sum(str(label).startswith("T") for label in value.labels)
        rows = value.labels.count("B") == 1 or graph.batch == 1
        strange = {"BT", "?"} & set(map(str, value.labels))
        if value.recurrent and value.is_float and rows and steps <= 1 and not strange:
            return value
    reject()
    raise AssertionError("not reached")


def _fix(model: onnx.ModelProto, batch: int | None, time: int | None) -> None:
    """Sizes that the file fixes, in its inputs."""
    sizes = {"batch": batch, "time": time}
    for given in model.graph.input:
        for dim in given.type.tensor_type.shape.dim:
            size = sizes.get(dim.dim_param)
            if size is not None:
                dim.ClearField("dim_param")
                dim.dim_value = size
