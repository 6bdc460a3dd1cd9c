"""Where two computations of one model part: the first operator whose values differ.

Looked for only when they differ, to tell a user and us where; everything here runs in float64 but
the original itself.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
from numpy.typing import NDArray

from model_export.float64.graph import Float64Graph, show_inside
from model_export.original import Arrays
from model_export.rewrite.axes import BATCH, TIME, Factor
from model_export.rewrite.facts import Fact, Source
from model_export.rewrite.graphs import Graphs
from model_export.rewrite.layout import FLAT
from model_export.verify.asked import Asked, Rows, arranged, as_rows
from service.engine.golden import TOLERANCE, deviation, scale_of

_SAME_ARITHMETIC = 1e-6
"""Two computations in float64 that differ by more compute different things."""
_OTHER_ARITHMETIC = 1e-4
"""Of the scale of a column: what an original in float32 may be off."""

Values = Mapping[str, NDArray[Any]]
"""By the name of a value in a graph."""


class Parting:
    """The computations that lie between an original and a session of it.

    The original → its model as ONNX → normalised → the step graph, run on. Neighbours are compared
    value by value, in the order of their operators.
    """

    def __init__(self, asked: Asked, graphs: Graphs, normalised: ir.Model) -> None:
        self._asked = asked
        self._graphs = graphs
        self._normalised = ir.to_proto(normalised)

    def of_session(self, rows: Rows, constants: Arrays, state: NDArray[np.float64]) -> str:
        """Where a session over `rows` [B, T, …] from `state` [B, S] parts from the original.

        Empty where no operator can be told.
        """
        rows, constants, state = self._one_batch(rows, constants, state)
        if self._asked.roles.takes_single_steps:
            # Later steps are fed with what the first ones made.
            rows = rows[:, :1]
        elif self._graphs.window is not None:
            rows = rows[:, -self._graphs.window :]
        feed = self._asked.feed(rows, constants)
        return (
            _told("the original parts from its model in ONNX", lambda: self._from_original(feed))
            or _told("normalising changes the model", lambda: self._from_normalising(feed))
            or _told(
                "a session parts from whole sequences",
                lambda: self._from_stepping(self._in_float64(feed), rows, state),
            )
        )

    def of_graphs(self, rows: Rows, state: NDArray[np.float64]) -> str:
        """Where the step graph parts from the sequence graph; empty where it cannot be told."""
        sequence = self._graphs.sequence
        assert sequence is not None

        def found() -> str:
            whole = Float64Graph(sequence, inside=True).run({"input": rows, "state": state})
            if "output" in whole:
                sizes: dict[Factor, int] = {BATCH: rows.shape[0], TIME: rows.shape[1]}
                answer = arranged(whole["output"], self._asked.output.axes, sizes)
                whole[self._asked.roles.output] = answer
            # There every value has as many steps as the input, whatever it has in the model.
            return self._from_stepping(whole, rows, state, goes_along=True)

        return _told("the step graph parts from the sequence graph", found)

    def _one_batch(
        self, rows: Rows, constants: Arrays, state: NDArray[np.float64]
    ) -> tuple[Rows, Arrays, NDArray[np.float64]]:
        """A single sequence where the file fixes the batch."""
        if self._asked.roles.fixed.batch != 1:
            return rows, constants, state
        return rows[:1], {name: one[:1] for name, one in constants.items()}, state[:1]

    def _from_original(self, feed: Arrays) -> str:
        original = self._asked.original
        model = Float64Graph(original.model.SerializeToString(), inside=True).run(feed)
        return _first(original.model, original.inside(feed), model, _OTHER_ARITHMETIC)

    def _from_normalising(self, feed: Arrays) -> str:
        file = self._asked.original.model
        model = Float64Graph(file.SerializeToString(), inside=True).run(feed)
        return _first(file, model, self._in_float64(feed), _SAME_ARITHMETIC)

    def _in_float64(self, feed: Arrays) -> Values:
        return Float64Graph(self._normalised.SerializeToString(), inside=True).run(feed)

    def _from_stepping(
        self, whole: Values, rows: Rows, state: NDArray[np.float64], *, goes_along: bool = False
    ) -> str:
        """The first step at which a value of the step graph is not that of `whole`.

        `goes_along` where step t of a value in `whole` belongs to step t of the input.
        """
        assert self._graphs.step is not None
        graph = Float64Graph(self._graphs.step, inside=True)
        for t in range(rows.shape[1]):
            values = graph.run({"input": rows[:, t], "state": state})
            state = values["next_state"]
            for node, name in _made_by(self._normalised.graph):
                fact = self._asked.roles.analysis.facts.get(name)
                if name not in whole or not isinstance(fact, Fact):
                    continue
                if goes_along:
                    fact = replace(fact, late=0, extra=0)
                expected = self._expected(whole[name], fact, (*rows.shape[:2], t))
                if expected is not None and not self._agrees(values, name, fact, expected):
                    return f"{_named(node)}, at step {t + 1}"
        return ""

    def _expected(
        self, whole: NDArray[Any], fact: Fact, at: tuple[int, int, int]
    ) -> NDArray[np.float64] | None:
        """What a value is at step t as [B, steps, n]; None where nothing is known of it then.

        `at` is B, T and t.
        """
        batch, time, t = at
        index, length = t - fact.late, time + fact.extra
        if self._graphs.window is not None or fact.source is Source.LAST:
            # The step graph runs over the window; it is full at the last step.
            return as_rows(whole, fact.axes, batch, time) if t == time - 1 else None
        if not fact.is_stream or not 0 <= index < length:
            return None
        rows = as_rows(whole, fact.axes, batch, length)
        return rows if fact.time_axis is None else rows[:, index : index + 1]

    def _agrees(self, values: Values, name: str, fact: Fact, expected: NDArray[np.float64]) -> bool:
        if name == self._asked.roles.output:
            answer = values["output"]
            last = expected.reshape(len(answer), -1, answer.shape[-1])[:, -1]
            return _is_same(answer, last, _SAME_ARITHMETIC)
        found = values.get(name, values.get(f"model/{name}"))
        if found is not None:
            steps = expected.shape[1] if self._graphs.window is not None else 1
            rows = as_rows(found, fact.axes, len(expected), steps)
            return _is_same(rows, expected, _SAME_ARITHMETIC)
        if (flat := values.get(name + FLAT)) is not None:
            # Axes of length one are gone, and the others may stand in another order.
            return _is_same(
                np.sort(flat, axis=None), np.sort(expected, axis=None), _SAME_ARITHMETIC
            )
        return True


def from_float64(graph: bytes, feed: Arrays) -> str:
    """Where a graph in ONNX Runtime parts from the same graph in float64; empty where it does not.

    `feed` are all its inputs in float32, by name.
    """
    model = onnx.load_from_string(graph)
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    show_inside(shown)

    def found() -> str:
        session = onnxruntime.InferenceSession(shown.SerializeToString())
        names = [output.name for output in session.get_outputs()]
        served = dict(zip(names, session.run(names, feed), strict=True))
        return _first(model, served, Float64Graph(graph, inside=True).run(feed), TOLERANCE)

    return _told("ONNX Runtime parts from float64", found)


def _told(what: str, find: Callable[[], str]) -> str:
    try:
        found = find()
    except Exception:  # whatever fails in looking for it, the difference itself is what counts
        return ""
    return f"{what} first at {found}" if found else ""


def _first(model: onnx.ModelProto, one: Values, other: Values, allowed: float) -> str:
    for node, name in _made_by(model.graph):
        if name in one and name in other and not _is_same(one[name], other[name], allowed):
            return _named(node)
    return ""


def _made_by(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Every value with the node that makes it, in the order in which they are computed."""
    for node in graph.node:
        for name in filter(None, node.output):
            yield node, name


def _named(node: onnx.NodeProto) -> str:
    name = node.name or node.output[0]
    return f"{node.op_type} node {name.removesuffix(FLAT)!r}"


def _is_same(found: NDArray[Any], expected: NDArray[Any], allowed: float) -> bool:
    if expected.dtype.kind not in "fiub" or not expected.size:
        return True
    flat = expected.astype(np.float64).reshape(1, -1)
    if found.size != flat.size:
        return False
    scale = np.full(flat.shape[1], max(1e-30, float(scale_of(flat.T)[0])))
    return deviation(found.astype(np.float64).reshape(1, -1), flat, scale) <= allowed
