"""What a session carries besides the hidden states of its GRU layers."""

from dataclasses import dataclass
from math import prod

import onnx_ir as ir

from model_export.rewrite.axes import BATCH, Axes, Axis, merged

EXACT = frozenset(
    (
        *(ir.DataType.FLOAT, ir.DataType.BOOL, ir.DataType.INT8, ir.DataType.UINT8),
        *(ir.DataType.INT16, ir.DataType.UINT16),
    )
)
"""What a state, which is float32, holds exactly; of wider integers it does so up to 2^24 only."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The last `frames` steps of a value, as operators look back at them.

    `axes` are those of the value with `frames` in the place of the time. A session begins with
    `padding` in all of them.
    """

    name: str
    node: str
    axes: Axes
    time_axis: int
    frames: int
    dtype: ir.DataType
    padding: float = 0.0

    @property
    def shape(self) -> tuple[int, ...]:
        """[frames, …] of one session, the order in which the state holds them."""
        return (self.frames, *(factor for axis in self.others for factor in axis))

    @property
    def others(self) -> tuple[tuple[int, ...], ...]:
        """The numbers of every other axis."""
        return tuple(
            tuple(factor for factor in axis if isinstance(factor, int))
            for index, axis in enumerate(self.axes)
            if index != self.time_axis
        )

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def stored(self) -> tuple[Axis, ...]:
        """The axes in the state: batch, frames, then all others in the order of the value."""
        return ((BATCH,), (self.frames,), *(merged(axis) for axis in self.others))
