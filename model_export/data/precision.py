"""Whether float32, in which networks compute, holds what a column tells."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model_export.data.repairs import Places, Run
from model_export.errors import DataError

_COARSE = 0.1
"""Spacing of float32, in spreads of the steps, beyond which a forecast is mostly rounding."""
_EVEN = 1e-6
"""Spread of the steps, in their size, that is rounding of the file itself."""


def step_spread(series: Sequence[NDArray[np.float64]], column: int) -> float:
    """Standard deviation of the steps from each measurement to the next; 0 where there is none.

    `series` are [N_i, C], NaN where missing. A column may be measured so rarely that no two rows in
    a row have it.
    """
    steps = _steps(series, column)
    return float(steps.std()) if len(steps) else 0.0


def refuse_coarse(runs: Sequence[Run], targets: dict[int, str], places: Places) -> None:
    """Raises DataError for a target that is far larger than what it changes by.

    `targets` are names of columns of the values by their index. A forecast is the last value and a
    step, and where float32 has no numbers between the two there is no step to forecast.
    """
    series = [run.values for run in runs]
    for column, name in targets.items():
        spread = step_spread(series, column)
        run, row = _largest(runs, column)
        value = float(run.values[row, column])
        spacing = float(np.spacing(np.float32(abs(value))))
        if spacing > _COARSE * spread and spread > _EVEN * _size(series, column):
            large = abs(value) >= np.finfo(np.float32).tiny
            how = "large" if large else "small"
            way_out = (
                "subtract one number from all values, or write the steps in their place"
                if large
                else "use a smaller unit"
            )
            raise DataError(
                f"{places.at(run, row)}, column {name!r}: {value:.15g} is too {how} for what the "
                f"column changes by: networks compute in float32, whose numbers are {spacing:.3g} "
                f"apart there, and steps from row to row vary by {spread:.3g}; {way_out}"
            )


def _largest(runs: Sequence[Run], column: int) -> tuple[Run, int]:
    """The run and row with the value that is furthest from zero."""
    sizes = [np.nan_to_num(np.abs(run.values[:, column])) for run in runs]
    at = int(np.argmax([size.max() for size in sizes]))
    return runs[at], int(np.argmax(sizes[at]))


def _steps(series: Sequence[NDArray[np.float64]], column: int) -> NDArray[np.float64]:
    measured = [one[~np.isnan(one[:, column]), column] for one in series]
    return np.concatenate([np.diff(one) for one in measured])


def _size(series: Sequence[NDArray[np.float64]], column: int) -> float:
    steps = np.abs(_steps(series, column))
    return float(steps.mean()) if len(steps) else 0.0
