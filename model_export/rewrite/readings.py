"""Ways to read the axes of a model's inputs: which is the batch, and which the time."""

from collections.abc import Iterator
from dataclasses import dataclass

import onnx_ir as ir

from model_export.errors import ModelRefused
from model_export.rewrite.axes import BATCH, TIME, Axes, Axis, Fixed, merged
from model_export.rewrite.signature import Shape, shape_of

_BATCH_NAMES = ("batch",)
_TIME_NAMES = ("frame", "len", "seq", "step", "time")


@dataclass(frozen=True, slots=True)
class Reading:
    """Axes of the sequence input, and what the file fixes of them."""

    axes: Axes
    time_axis: int
    fixed: Fixed
    by_names: int
    """How many of the batch and the time bear a name in the file that says so."""


def readings_of(value: ir.Value, time_axis: int | None, *, cached: bool) -> Iterator[Reading]:
    """Every way to read the input's axes, the likeliest first."""
    shape = shape_of(value)
    rank = len(shape)
    if rank < 2:
        raise ModelRefused(
            f"the input {value.name!r} has {rank} axes; a batch and a time are needed"
        )
    for batch in range(rank):
        if isinstance(shape[batch], int) and shape[batch] != 1:
            continue
        for time in range(rank):
            if time != batch and time_axis in (None, time):
                reading = _reading(shape, batch, time, cached=cached)
                if reading is not None:
                    yield reading


def _reading(shape: Shape, batch: int, time: int, *, cached: bool) -> Reading | None:
    """None where another axis than these two is left open."""
    length = shape[time]
    single = cached or length == 1
    if single and isinstance(length, int) and length != 1:
        return None
    axes: list[Axis] = []
    for at, size in enumerate(shape):
        if at == batch:
            axes.append((BATCH,))
        elif at == time:
            axes.append(() if single else (TIME,))
        elif isinstance(size, int):
            axes.append(merged((size,)))
        else:
            return None
    fixed = Fixed(
        batch=1 if shape[batch] == 1 else None,
        time=1 if single else length if isinstance(length, int) else None,
    )
    return Reading(tuple(axes), time, fixed, _by_names(shape[batch], shape[time]))


def _by_names(batch: int | str | None, time: int | str | None) -> int:
    named = [
        isinstance(name, str) and any(word in name.lower() for word in words)
        for name, words in ((batch, _BATCH_NAMES), (time, _TIME_NAMES))
    ]
    return sum(named)


def session_axes(value: ir.Value, reading: Reading) -> list[Axes]:
    """Ways to read an input that is the same at every step, the likeliest first."""
    shape = shape_of(value)
    open_axes = [at for at, size in enumerate(shape) if not isinstance(size, int)]
    if len(open_axes) > 1:
        raise ModelRefused(
            f"the input {value.name!r} leaves {len(open_axes)} of its axes open; only the batch "
            "may be: export it with fixed sizes"
        )
    if open_axes:
        places = open_axes
    else:
        ones = [at for at, size in enumerate(shape) if size == 1]
        lanes = [at for at, size in enumerate(shape) if size != 1]
        places = [*ones, *lanes] if reading.fixed.batch == 1 else []
    if not places:
        raise ModelRefused(
            f"the input {value.name!r} has no batch axis; every session needs a row of its own"
        )
    return [
        tuple(
            merged((BATCH, size) if isinstance(size, int) else (BATCH,))
            if at == place
            else merged((int(str(size)),))
            for at, size in enumerate(shape)
        )
        for place in places
    ]
