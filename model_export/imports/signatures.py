"""What goes into an imported model and what comes out, and inputs to try it on."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.errors import ModelRefused
from model_export.imports.options import ImportOptions
from model_export.imports.vocabulary import read_vocabulary
from model_export.rewrite.axes import width_of
from model_export.rewrite.graphs import Graphs
from service.bundle.signatures import Probabilities, Tokens, Values


class Signatures:
    """The signatures for a manifest, and rows and constants of the right shapes.

    Raises ModelRefused where the options do not fit the model.
    """

    def __init__(self, model: ir.Model, graphs: Graphs, options: ImportOptions) -> None:
        self._graphs = graphs
        self._options = options
        self._random = np.random.default_rng(0)
        value = next(one for one in model.graph.inputs if one.name == graphs.roles.input)
        shape = [width_of(axis) for axis in graphs.roles.input_axes if not _is_symbol(axis)]
        if value.dtype in (ir.DataType.INT32, ir.DataType.INT64):
            if options.names or options.units:
                raise ModelRefused("--names and --units: the inputs are tokens, not columns")
            self.input: Values | Tokens = self._tokens(model)
        else:
            if options.vocabulary is not None:
                raise ModelRefused("--vocabulary: the inputs are numbers, not tokens")
            self.input = _values("input", shape, options.names, options.units)
        self.output = self._output(model)
        if options.sample is not None:
            _check_sample(options.sample, self.input)

    def rows(self, batch: int, time: int) -> NDArray[Any]:
        """[B, T, F] float32 or [B, T] int64: pieces of the sample, or random numbers.

        T is that of the file where it fixes the time.
        """
        roles, window = self._graphs.roles, self._graphs.window
        if roles.fixed.time is not None and not roles.takes_single_steps and window is None:
            time = roles.fixed.time
        if self._options.sample is not None:
            return _pieces(self._options.sample, batch, time)
        return self.random_rows(batch, time)

    def random_rows(self, batch: int, time: int) -> NDArray[Any]:
        """The same whatever the sample is."""
        if isinstance(self.input, Tokens):
            return self._random.integers(0, self.input.size, (batch, time))
        return self._random.standard_normal((batch, time, self.input.width)).astype(np.float32)

    def constants(self, batch: int) -> dict[str, NDArray[Any]]:
        """[B, …] each."""
        made: dict[str, NDArray[Any]] = {}
        for piece in self._graphs.segments:
            if piece.kind == "constant":
                shape = (batch, *piece.shape)
                if piece.integers is not None:
                    made[piece.name] = np.zeros(shape, np.int64)
                else:
                    made[piece.name] = self._random.standard_normal(shape).astype(np.float32)
        return made

    def _tokens(self, model: ir.Model) -> Tokens:
        file = self._options.vocabulary
        size = _rows_of_table(model, self._graphs.roles.input)
        return Tokens(size=size, vocabulary=None if file is None else read_vocabulary(file, size))

    def _output(self, model: ir.Model) -> Values | Probabilities:
        fact, options = self._graphs.output, self._options
        shape = [width_of(axis) for axis in fact.axes if not _is_symbol(axis)]
        width = int(np.prod(shape))
        is_next = isinstance(self.input, Tokens) and self.input.size == width
        if is_next and not options.output_names and _ends_in_softmax(model, self._graphs):
            return Probabilities(width=width)
        return _values("output", shape, options.output_names, options.output_units)


def _is_symbol(axis: Sequence[object]) -> bool:
    return any(isinstance(factor, str) for factor in axis) and len(axis) == 1


def _values(
    what: str, shape: Sequence[int], names: tuple[str, ...], units: tuple[str, ...]
) -> Values:
    width = int(np.prod(shape))
    prefix = "" if what == "input" else "output-"
    if names and len(names) != width:
        raise ModelRefused(
            f"--{prefix}names has {len(names)} entries, the {what} has {width} columns"
        )
    if len(units) not in (0, 1, width):
        raise ModelRefused(
            f"--{prefix}units has {len(units)} entries, the {what} has {width} columns"
        )
    arranged = tuple(size for size in shape if size != 1)
    return Values(
        names=names or tuple(f"{what} {index}" for index in range(width)),
        units=units * width if len(units) == 1 else units or ("1",) * width,
        shape=arranged if len(arranged) > 1 else None,
    )


def _check_sample(sample: NDArray[Any], signature: Values | Tokens) -> None:
    """Raises ModelRefused where the sample is not what the model takes at each step."""
    if isinstance(signature, Tokens):
        if sample.dtype.kind != "i" or sample.ndim != 1:
            raise ModelRefused("--sample: the model takes tokens, so whole numbers [T] are needed")
        wrong = np.flatnonzero((sample < 0) | (sample >= signature.size))
        if wrong.size:
            raise ModelRefused(
                f"--sample: token {sample[wrong[0]]} at step {wrong[0] + 1}; there are "
                f"{signature.size} tokens, from 0 on"
            )
    elif sample.dtype.kind != "f" or sample.ndim != 2 or sample.shape[1] != signature.width:
        raise ModelRefused(
            f"--sample has the shape {list(sample.shape)}; the model takes numbers "
            f"[T, {signature.width}]"
        )


def _pieces(sample: NDArray[Any], batch: int, time: int) -> NDArray[Any]:
    if len(sample) < time:
        raise ModelRefused(f"--sample has {len(sample)} steps, {time} are needed")
    starts = np.linspace(0, len(sample) - time, batch).astype(int)
    return np.stack([sample[start : start + time] for start in starts])


def _rows_of_table(model: ir.Model, name: str) -> int:
    """How many tokens there are: the rows of the table that they are looked up in."""
    waiting = [next(one for one in model.graph.inputs if one.name == name)]
    while waiting:
        for node, index in waiting.pop().uses():
            if node.op_type == "Gather" and index == 1:
                table = node.inputs[0]
                tensor = None if table is None else ir.convenience.get_const_tensor(table)
                if tensor is not None:
                    return int(str(tensor.shape[0]))
            elif node.op_type in ("Cast", "Transpose", "Unsqueeze", "Squeeze", "Reshape"):
                waiting += node.outputs
    raise ModelRefused(f"the input {name!r} takes integers, and no table tells how many there are")


def _ends_in_softmax(model: ir.Model, graphs: Graphs) -> bool:
    outputs = {str(one.name): one for one in model.graph.outputs}
    value: ir.Value | None = outputs[graphs.roles.output]
    node = None if value is None else value.producer()
    while node is not None and node.op_type in ("Transpose", "Reshape", "Squeeze", "Unsqueeze"):
        value = node.inputs[0]
        node = None if value is None else value.producer()
    return node is not None and node.op_type == "Softmax"
