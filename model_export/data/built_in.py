"""Series that come with the libraries, or from a formula: nothing to download."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
from numpy.typing import NDArray
from statsmodels.datasets import co2

from model_export.data.column_types import number_column
from model_export.data.frame import Column, Frame
from model_export.data.source import Source, digest, read_bytes

_MEMBRANE_STEP = 0.5
"""Milliseconds between two values, as matplotlib's gallery states of its sample."""
_DELAY, _GROWTH, _DECAY, _POWER = 17, 0.2, 0.1, 10
_SUBSTEPS = 10
_TRANSIENT = 1000
_LENGTH = 6000


def built_in(name: str) -> Frame:
    """The record `name` as if it were a file; all rows are evenly spaced.

    co2: weekly CO₂ at Mauna Loa 1958-2001, ppm, 2,284 rows, 59 of them missing.
    membrane: membrane potential of a neuron, 12,000 rows 0.5 ms apart.
    mackey-glass: a chaotic delay equation, 6,000 rows at unit spacing.
    """
    return _MAKERS[name]()


def _co2() -> Frame:
    table = co2.load_pandas().data
    values = table["co2"].to_numpy(np.float64, copy=True)
    times = pl.Series("week", table.index.to_numpy().astype("datetime64[us]"))
    week = Column("week", "time", times, times)
    description = "statsmodels.datasets.co2, weekly CO2 at Mauna Loa 1958-2001"
    return _frame("co2", (week, _numbers("co2", values)), description, values.tobytes())


def _membrane() -> Frame:
    content = read_bytes(Path(mpl.get_data_path()) / "sample_data" / "membrane.dat")
    values = np.frombuffer(content, np.float32).astype(np.float64)
    times = _numbers("ms", np.arange(len(values), dtype=np.float64) * _MEMBRANE_STEP)
    description = "matplotlib's sample data membrane.dat, membrane potential of a neuron"
    return _frame("membrane", (times, _numbers("potential", values)), description, content)


def _mackey_glass() -> Frame:
    values = mackey_glass(_TRANSIENT + _LENGTH)[_TRANSIENT:]
    description = f"the Mackey-Glass equation, delay {_DELAY}, Runge-Kutta steps of 0.1"
    return _frame("mackey-glass", (_numbers("x", values),), description, values.tobytes())


def mackey_glass(length: int) -> NDArray[np.float64]:
    """x [length] at times 1, 2, …, of dx/dt = 0.2 x(t−17) / (1 + x(t−17)¹⁰) − 0.1 x(t).

    From x = 1.2 at all times until 0, by the classical Runge-Kutta method with ten steps to the
    unit of time; the delayed value between two steps is their mean. Source: Mackey and Glass,
    Oscillation and chaos in physiological control systems, Science 197, 1977.
    """
    size = 1 / _SUBSTEPS
    delay = _DELAY * _SUBSTEPS
    x = [1.2] * (delay + 1)
    for _ in range(length * _SUBSTEPS):
        before, after = _production(x[-delay - 1]), _production(x[-delay])
        x.append(
            _runge_kutta(x[-1], size, before, _production((x[-delay - 1] + x[-delay]) / 2), after)
        )
    return np.array(x[delay + _SUBSTEPS :: _SUBSTEPS])


def _production(delayed: float) -> float:
    return _GROWTH * delayed / (1 + delayed**_POWER)


def _runge_kutta(x: float, size: float, before: float, between: float, after: float) -> float:
    first = before - _DECAY * x
    second = between - _DECAY * (x + size / 2 * first)
    third = between - _DECAY * (x + size / 2 * second)
    fourth = after - _DECAY * (x + size * third)
    return x + size / 6 * (first + 2 * second + 2 * third + fourth)


def _numbers(name: str, values: NDArray[np.float64]) -> Column:
    series = pl.Series(name, values).fill_nan(None)
    return number_column(name, series, series)


def _frame(name: str, columns: tuple[Column, ...], description: str, content: bytes) -> Frame:
    lines = np.arange(1, len(columns[0].values) + 1)
    return Frame(name, "row", columns, lines, Source(description, digest(content)))


_MAKERS: dict[str, Callable[[], Frame]] = {
    "co2": _co2,
    "membrane": _membrane,
    "mackey-glass": _mackey_glass,
}
NAMES = tuple(_MAKERS)
