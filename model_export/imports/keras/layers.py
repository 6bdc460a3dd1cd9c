"""The layers that can be imported, as typed records with their weights.

A shape has the batch first; `None` stands for any size. Weights are float64 in Keras's own layout.
Each record says what shapes come out of it, and raises ModelRefused where they do not fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from model_export.errors import ModelRefused
from model_export.imports.keras.activations import Activation
from model_export.imports.keras.weights import Array

Shape = tuple[int | None, ...]
Shapes = tuple[Shape, ...]
BidirectionalMerge = Literal["concat", "sum", "mul", "ave"]
Pooling = Literal["max", "average"]


class Layer(Protocol):
    """One computation; what comes in and goes out is in the order of Keras's call."""

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        """The shapes of the outputs. Raises ModelRefused where the inputs do not fit."""


@dataclass(frozen=True, slots=True)
class Gru:
    """Inputs: x [B, T, I] and, unless it is zero, the initial state [B, H].

    kernel [I, 3H], recurrent_kernel [H, 3H]; biases [2, 3H] for the input and the recurrent part.
    The three blocks are z, r and the candidate; Keras's z keeps, as in ONNX.
    """

    kernel: Array
    recurrent_kernel: Array
    biases: Array
    reset_after: bool
    activation: Activation
    recurrent_activation: Activation
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    stateful: bool

    @property
    def units(self) -> int:
        return len(self.recurrent_kernel)

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        """Output [B, T, H] or [B, H], then the state [B, H] where it is returned."""
        batch, time, features = rank(inputs[0], 3)
        same_width(features, len(self.kernel))
        for state in inputs[1:]:
            same_width(rank(state, 2)[-1], self.units)
        output: Shape = (batch, time, self.units) if self.return_sequences else (batch, self.units)
        return (output, (batch, self.units))[: 1 + self.return_state]


@dataclass(frozen=True, slots=True)
class Bidirectional:
    """Inputs: x, then the initial states of the forward and the backward layer, or neither.

    The backward layer's outputs are put into the order of time before both are merged.
    """

    forward: Gru
    backward: Gru
    merge: BidirectionalMerge

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        """The merged output, then both states where they are returned."""
        states = inputs[1:]
        forward = self.forward.shapes([inputs[0], *states[:1]])
        backward = self.backward.shapes([inputs[0], *states[1:]])
        width = self.forward.units
        if self.merge == "concat":
            width += self.backward.units
        elif width != self.backward.units:
            raise ModelRefused("its two directions differ in width")
        return ((*forward[0][:-1], width), *forward[1:], *backward[1:])


@dataclass(frozen=True, slots=True)
class Dense:
    """kernel [I, O], bias [O]; works on the last axis."""

    kernel: Array
    bias: Array | None
    activation: Activation

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        same_width(inputs[0][-1], len(self.kernel))
        return ((*inputs[0][:-1], self.kernel.shape[1]),)


@dataclass(frozen=True, slots=True)
class Activate:
    """A layer that is nothing but an activation function."""

    activation: Activation

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        if "softmax" in self.activation.kind:
            axis_of(int(self.activation.parameters[0]), inputs[0])
        return (inputs[0],)


@dataclass(frozen=True, slots=True)
class PRelu:
    """alpha: the slope below zero, of the input's shape without batch; 1 where it is shared."""

    alpha: Array

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        own = inputs[0][1:]
        fits = len(own) == self.alpha.ndim and all(
            size in (1, other) for size, other in zip(self.alpha.shape, own, strict=True)
        )
        if not fits:
            raise ModelRefused(f"its slopes {list(self.alpha.shape)} do not fit {show(inputs[0])}")
        return (inputs[0],)


@dataclass(frozen=True, slots=True)
class BatchNorm:
    """Over the last axis, with the moments gathered in training; all [F]."""

    mean: Array
    variance: Array
    gamma: Array
    beta: Array
    epsilon: float

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        same_width(inputs[0][-1], len(self.mean))
        return (inputs[0],)


@dataclass(frozen=True, slots=True)
class Affine:
    """(x − shift) · factor + offset, on the last axis or the same for all.

    shift, factor and offset are [F] or [1].
    """

    shift: Array
    factor: Array
    offset: Array

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        for values in (self.shift, self.factor, self.offset):
            if len(values) != 1:
                same_width(inputs[0][-1], len(values))
        return (inputs[0],)


@dataclass(frozen=True, slots=True)
class LayerNorm:
    """Over the last axis. gamma [F], beta [F]."""

    gamma: Array
    beta: Array
    epsilon: float

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        same_width(inputs[0][-1], len(self.gamma))
        return (inputs[0],)


@dataclass(frozen=True, slots=True)
class Embedding:
    """table [vocabulary, O]: tokens [B, …] become [B, …, O]."""

    table: Array

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        return ((*inputs[0], self.table.shape[1]),)


@dataclass(frozen=True, slots=True)
class Conv1D:
    """kernel [width, I / groups, O], bias [O], over time; `before` and `after` zeros are added."""

    kernel: Array
    bias: Array | None
    before: int
    after: int
    dilation: int
    groups: int
    activation: Activation

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        batch, time, features = rank(inputs[0], 3)
        width, per_group, filters = self.kernel.shape
        same_width(features, per_group * self.groups)
        lost = (width - 1) * self.dilation - self.before - self.after
        return ((batch, shorter(time, lost), filters),)


@dataclass(frozen=True, slots=True)
class Pool1D:
    """The largest or the mean of each window of time; padding is never counted."""

    kind: Pooling
    size: int
    stride: int
    same: bool

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        batch, time, features = rank(inputs[0], 3)
        if time is not None:
            whole = time + self.stride - 1 if self.same else shorter(time, self.size - self.stride)
            time = (whole or 0) // self.stride
        return ((batch, time, features),)


@dataclass(frozen=True, slots=True)
class GlobalPool1D:
    """The largest or the mean over all time."""

    kind: Pooling
    keep: bool

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        batch, _, features = rank(inputs[0], 3)
        return ((batch, 1, features) if self.keep else (batch, features),)


@dataclass(frozen=True, slots=True)
class Reshape:
    """To [B, *target]; one size may be −1."""

    target: tuple[int, ...]

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        size = elements(inputs[0])
        known = int(np.prod([size for size in self.target if size > 0]))
        unknown = self.target.count(-1)
        if unknown > 1 or size % known or (not unknown and size != known):
            raise ModelRefused(f"{show(inputs[0])} cannot become {list(self.target)}")
        return ((inputs[0][0], *(size // known if n < 0 else n for n in self.target)),)


@dataclass(frozen=True, slots=True)
class Flatten:
    """To [B, everything]."""

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        return ((inputs[0][0], elements(inputs[0])),)


@dataclass(frozen=True, slots=True)
class Permute:
    """axes: the input's axes, without batch and counted from 1, in their new order."""

    axes: tuple[int, ...]

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        if sorted(self.axes) != list(range(1, len(inputs[0]))):
            raise ModelRefused(f"its axes {list(self.axes)} do not fit {show(inputs[0])}")
        return ((inputs[0][0], *(inputs[0][axis] for axis in self.axes)),)


@dataclass(frozen=True, slots=True)
class Repeat:
    """[B, F] becomes [B, times, F]."""

    times: int

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        batch, features = rank(inputs[0], 2)
        return ((batch, self.times, features),)


@dataclass(frozen=True, slots=True)
class Pad:
    """Zeros before and after, along time."""

    before: int
    after: int

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        batch, time, features = rank(inputs[0], 3)
        return ((batch, shorter(time, -self.before - self.after), features),)


@dataclass(frozen=True, slots=True)
class Select:
    """x[items]: a number takes one place of an axis away, a slice a part of it.

    The first item is the batch's and always takes all of it.
    """

    items: tuple[int | slice, ...]

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        if len(self.items) > len(inputs[0]):
            raise ModelRefused(f"it takes {len(self.items)} axes of {show(inputs[0])}")
        missing = (slice(None),) * (len(inputs[0]) - len(self.items))
        pairs = list(zip((*self.items, *missing), inputs[0], strict=True))
        for item, size in pairs:
            if isinstance(item, int) and size is not None and not -size <= item < size:
                raise ModelRefused(f"it takes place {item} of {size}")
        return (tuple(self._size(item, size) for item, size in pairs if isinstance(item, slice)),)

    @staticmethod
    def _size(item: slice, size: int | None) -> int | None:
        if size is not None:
            left = len(range(size)[item])
            if not left:
                raise ModelRefused("it takes an empty part of an axis")
            return left
        if item == slice(None):
            return None
        raise ModelRefused("it takes a part of an axis whose size is not fixed")


@dataclass(frozen=True, slots=True)
class Concatenate:
    """Joins along one axis."""

    axis: int

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        axis = axis_of(self.axis, inputs[0])
        if any(len(shape) != len(inputs[0]) for shape in inputs):
            raise ModelRefused(f"{' and '.join(map(show, inputs))} cannot be joined")
        sizes = [shape[axis] for shape in inputs]
        known = [size for size in sizes if size is not None]
        total = sum(known) if len(known) == len(sizes) else None
        rest = merged([(*shape[:axis], 1, *shape[axis + 1 :]) for shape in inputs])
        return ((*rest[:axis], total, *rest[axis + 1 :]),)


MergeKind = Literal["add", "subtract", "multiply", "divide", "average", "maximum", "minimum"]


@dataclass(frozen=True, slots=True)
class Merge:
    """Combines its operands number by number, from left to right.

    operands: a number that stands in the model, or None for the next input.
    """

    kind: MergeKind
    operands: tuple[float | None, ...]

    def shapes(self, inputs: Sequence[Shape]) -> Shapes:
        return (merged(inputs),)


def rank(shape: Shape, axes: int) -> Shape:
    """The shape itself. Raises ModelRefused where it has another number of axes."""
    if len(shape) != axes:
        raise ModelRefused(f"it works on {axes} axes, and its input is {show(shape)}")
    return shape


def same_width(found: int | None, expected: int) -> None:
    """Raises ModelRefused where the last axis does not fit the weights."""
    if found != expected:
        raise ModelRefused(f"its weights are for {expected} features, and its input has {found}")


def axis_of(axis: int, shape: Shape) -> int:
    """The axis counted from the front; never the batch."""
    counted = axis + len(shape) if axis < 0 else axis
    if not 0 < counted < len(shape):
        raise ModelRefused(f"axis {axis} does not fit {show(shape)}")
    return counted


def shorter(time: int | None, lost: int) -> int | None:
    """Time after `lost` steps fell off."""
    if time is None:
        return None
    if time <= lost:
        raise ModelRefused(f"it needs more than {lost} time steps, and gets {time}")
    return time - lost


def elements(shape: Shape) -> int:
    """The numbers in each row of the batch."""
    sizes = [size for size in shape[1:] if size is not None]
    if len(sizes) != len(shape) - 1:
        raise ModelRefused(f"it needs fixed sizes, and its input is {show(shape)}")
    return int(np.prod(sizes))


def merged(shapes: Sequence[Shape]) -> Shape:
    """The common shape of tensors with equal axes, some of which may be 1."""
    if len({len(shape) for shape in shapes}) != 1:
        raise ModelRefused(f"it combines different numbers of axes: {', '.join(map(show, shapes))}")
    return tuple(_common(sizes) for sizes in zip(*shapes, strict=True))


def show(shape: Shape) -> str:
    """A shape for a message."""
    return f"[{', '.join('?' if size is None else str(size) for size in shape)}]"


def _common(sizes: tuple[int | None, ...]) -> int | None:
    known = {size for size in sizes if size not in (None, 1)}
    if len(known) > 1:
        raise ModelRefused(f"it combines axes of {' and '.join(map(str, sorted(known)))}")
    return known.pop() if known else (None if None in sizes else 1)
