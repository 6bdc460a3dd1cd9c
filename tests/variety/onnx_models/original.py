"""A foreign file as ONNX Runtime runs it, one session at a time: what a session must answer.

Shares no code with what reads, rewrites and verifies.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from tests.variety.onnx_models.case import Case, File

Array = NDArray[Any]
Given = Mapping[str, Array]


class FileInRuntime:
    """Every method takes the rows [T, F] of one session, and its constants by name."""

    def __init__(self, case: Case, file: File) -> None:
        self._case, self.file = case, file
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(file.model.SerializeToString(), options)
        self._kinds = {one.name: _kind(one.type) for one in self._session.get_inputs()}
        self._shapes = {one.name: one.shape for one in self._session.get_inputs()}
        self._outputs = [one.name for one in self._session.get_outputs()]

    def whole(self, rows: Array, constants: Given) -> Array:
        """[T′, O], or [O] of a last step."""
        feed = self.feed(rows, constants)
        return self._case.output.rows(self._run(feed)[self._case.answers])

    def by_hand(self, rows: Array, constants: Given) -> Array:
        """[T, O] of a file that takes single steps; what it fed back begins with zeros."""
        state = self._zeros()
        answers = []
        for row in rows:
            found = self._run({**self.feed(row[np.newaxis], constants), **state})
            state = {given: found[output] for output, given in self._case.fed.items()}
            answers.append(self._case.output.rows(found[self._case.answers]).ravel())
        return np.stack(answers)

    def by_torch(self, rows: Array, constants: Given) -> Array:
        """As `whole`, from the module that the file was written from."""
        feed = self.feed(rows, constants)
        tensors = [torch.from_numpy(feed[name]) for name in self._case.inputs]
        with torch.no_grad():
            found = self.file.module(*tensors)
        answers = found if isinstance(found, tuple) else (found,)
        at = self._outputs.index(self._case.answers)
        return self._case.output.rows(answers[at].numpy())

    def feed(self, rows: Array, constants: Given) -> dict[str, Array]:
        """Everything that the file takes; states are zero."""
        case = self._case
        made = {case.sequence: case.inputs[case.sequence].arranged(rows), **self._zeros()}
        made |= {name: axes.arranged(constants[name]) for name, axes in case.constants.items()}
        return {name: np.ascontiguousarray(one, self._kinds[name]) for name, one in made.items()}

    def _run(self, feed: Given) -> dict[str, Array]:
        taken = {name: one for name, one in feed.items() if name in self._kinds}
        return dict(zip(self._outputs, self._session.run(None, taken), strict=True))

    def _zeros(self) -> dict[str, Array]:
        return {
            name: np.zeros(self._case.inputs[name].shape(1, 1), self._kinds[name])
            for name in self._case.fed.values()
        }


def _kind(name: str) -> np.dtype[Any]:
    inner = name.removeprefix("tensor(").removesuffix(")")
    return np.dtype({"float": "float32", "double": "float64"}.get(inner, inner))


def named_in(model: onnx.ModelProto) -> set[str]:
    """Everything that a message may name: nodes, operators and values, in subgraphs as well."""
    found: set[str] = set()
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            found |= {node.op_type, node.name, *node.input, *node.output}
            found |= {one.name for one in node.attribute}
            graphs += [one.g for one in node.attribute if one.HasField("g")]
    values = (*model.graph.input, *model.graph.output, *model.graph.initializer)
    return {name for name in (*found, *(one.name for one in values)) if name}
