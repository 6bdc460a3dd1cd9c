"""Asking an original: from rows of sessions to the inputs that it takes, and back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.helper import tensor_dtype_to_np_dtype

from model_export.original import Arrays, Original
from model_export.rewrite.axes import BATCH, TIME, Axes, Factor
from model_export.rewrite.facts import Fact
from model_export.rewrite.rearranging import rows_first
from model_export.rewrite.roles import Roles

Rows = NDArray[Any]
"""[B, T, F] float32 or [B, T] int64."""


@dataclass(frozen=True, slots=True)
class Asked:
    """An original, and what its inputs and outputs are for."""

    original: Original
    roles: Roles
    output: Fact

    def whole(self, rows: Rows, constants: Arrays) -> NDArray[np.float64]:
        """What it answers to whole sequences: [B, T + extra, O], or [B, O] for the last step."""
        return np.concatenate(
            [
                self._as_rows(found[self.roles.output], batch, rows.shape[1])
                for batch, found in self.runs(rows, constants)
            ]
        )

    def alone(self, rows: Rows, constants: Arrays) -> NDArray[np.float64]:
        """The same, each sequence asked by itself."""
        each = [slice(index, index + 1) for index in range(len(rows))]
        return np.concatenate(
            [
                self.whole(rows[some], {name: one[some] for name, one in constants.items()})
                for some in each
            ]
        )

    def step_by_step(self, rows: Rows, constants: Arrays) -> NDArray[np.float64]:
        """What a model of single steps answers, its outputs fed back: [B, T, O]."""
        answers = []
        for batch, found in self.runs_of_steps(rows, constants):
            steps = [self._as_rows(one[self.roles.output], batch, 1) for one in found]
            answers.append(np.stack([step.reshape(batch, -1) for step in steps], axis=1))
        return np.concatenate(answers)

    def runs(self, rows: Rows, constants: Arrays) -> Iterator[tuple[int, Arrays]]:
        """Every output for whole sequences, of as many at once as the file takes, and how many
        these are."""
        for some in self._batches(len(rows)):
            given = {name: one[some] for name, one in constants.items()}
            yield len(rows[some]), self.original.answer(self.feed(rows[some], given))

    def runs_of_steps(self, rows: Rows, constants: Arrays) -> Iterator[tuple[int, list[Arrays]]]:
        """The same after every single step, its outputs fed back."""
        for some in self._batches(len(rows)):
            given = {name: one[some] for name, one in constants.items()}
            batch = len(rows[some])
            fed, steps = self._initial_states(batch), []
            for t in range(rows.shape[1]):
                found = self.original.answer(self._rows(rows[some, t : t + 1], given) | fed)
                fed = {name: found[output] for name, output in self.roles.fed_back.items()}
                steps.append(found)
            yield batch, steps

    def feed(self, rows: Rows, constants: Arrays) -> Arrays:
        """All inputs of the original by name; a batch is one where the file fixes it."""
        return self._rows(rows, constants) | self._initial_states(len(rows))

    def _batches(self, count: int) -> Sequence[slice]:
        """One by one where the file fixes the batch."""
        if self.roles.fixed.batch == 1:
            return [slice(index, index + 1) for index in range(count)]
        return [slice(0, count)]

    def _rows(self, rows: Rows, constants: Arrays) -> dict[str, NDArray[Any]]:
        axes = self.roles.input_axes
        sizes: dict[Factor, int] = {BATCH: len(rows), TIME: rows.shape[1]}
        given = {
            name: arranged(one, self.roles.constants[name], sizes)
            for name, one in constants.items()
        }
        return {self.roles.input: arranged(rows, axes, sizes), **given}

    def _initial_states(self, batch: int) -> dict[str, NDArray[Any]]:
        """Zeros for whatever is fed back, and for states that nothing is fed to."""
        names = {*self.roles.fed_back, *self.roles.states}
        return {
            value.name: _zeros(value, batch)
            for value in self.original.model.graph.input
            if value.name in names
        }

    def _as_rows(self, found: NDArray[Any], batch: int, time: int) -> NDArray[np.float64]:
        return as_rows(found, self.output.axes, batch, time + self.output.extra)


def as_rows(found: NDArray[Any], axes: Axes, batch: int, time: int) -> NDArray[np.float64]:
    """A value with these axes as [B, T, n], or [B, n] where they have no time."""
    sizes: dict[Factor, int] = {BATCH: batch, TIME: time}
    factors, groups, rows = rows_first(axes)
    apart = found.reshape([_size(factors[at], sizes) for group in groups for at in group])
    order = [at for group in rows for at in group]
    shape = [
        int(np.prod([_size(factors[at], sizes) for at in group])) if group else 1 for group in rows
    ]
    moved = apart.transpose([[at for group in groups for at in group].index(at) for at in order])
    return moved.reshape(shape).astype(np.float64)


def arranged(rows: NDArray[Any], axes: Axes, sizes: Mapping[Factor, int]) -> NDArray[Any]:
    """[B, …] or [B, T, …] in the axes that a model gives them."""
    factors, groups, have = rows_first(axes)
    order = [at for group in have for at in group]
    apart = rows.reshape([_size(factors[at], sizes) for at in order])
    want = [at for group in groups for at in group]
    moved = apart.transpose([order.index(at) for at in want])
    return moved.reshape(
        [int(np.prod([_size(factors[at], sizes) for at in group])) for group in groups]
    )


def _size(factor: Factor, sizes: Mapping[Factor, int]) -> int:
    return factor if isinstance(factor, int) else sizes[factor]


def _zeros(value: onnx.ValueInfoProto, batch: int) -> NDArray[Any]:
    tensor = value.type.tensor_type
    shape = [dim.dim_value or batch for dim in tensor.shape.dim]
    return np.zeros(shape, tensor_dtype_to_np_dtype(tensor.elem_type))
