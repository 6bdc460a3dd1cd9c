"""The scaling of inputs and outputs that a training script did outside of its model.

The JSON file of `--normalize`, every field of it with one number for each column, or one for all:

    {"input":  {"mean": [20.1, 0.4], "std": [4.2, 0.1]},          (x − mean) / std
     "output": {"min": [0], "max": [350], "range": [0, 1]}}       back from [0, 1] to [min, max]

The names are those of scikit-learn's StandardScaler (`mean_`, `scale_`) and MinMaxScaler
(`data_min_`, `data_max_`, `feature_range`). As there, a column with min = max is only shifted.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused
from model_export.imports.checkpoint.stack import Array, Scaling

_FORMS = ({"mean", "std"}, {"min", "max"}, {"min", "max", "range"})
_FORM = '{"mean": […], "std": […]} or {"min": […], "max": […], "range": [0, 1]}'


def read_scaling(
    file: Path, input_width: int | None, output_width: int
) -> tuple[Scaling | None, Scaling | None]:
    """The scaling of the inputs (None for tokens have no width), and that of the outputs.

    Raises ModelRefused naming the field that does not fit.
    """
    record = _read(file)
    unknown = set(record) - {"input", "output"}
    if unknown or not record:
        raise ModelRefused(
            f'--normalize {file}: expected "input" or "output", found {_list(record)}'
        )
    if "input" in record and input_width is None:
        raise ModelRefused(f"--normalize {file}: the inputs are tokens, which are not scaled")
    inputs = _scaling(file, record, "input", input_width or 0, inverse=False)
    return inputs, _scaling(file, record, "output", output_width, inverse=True)


def _scaling(
    file: Path, record: Mapping[str, Any], side: str, width: int, *, inverse: bool
) -> Scaling | None:
    if side not in record:
        return None
    fields = record[side]
    place = f"--normalize {file}: {side}"
    if not isinstance(fields, dict) or set(fields) not in _FORMS:
        raise ModelRefused(f"{place} needs {_FORM}")
    if "mean" in fields:
        centre = _column(place, fields, "mean", width)
        spread = _column(place, fields, "std", width)
        _refuse_at(spread <= 0, place, "std has to be above 0; use 1 for a constant column")
        return Scaling(centre, spread, 0.0, inverse)
    low, high = _range(place, fields.get("range", [0, 1]))
    centre = _column(place, fields, "min", width)
    distance = _column(place, fields, "max", width) - centre
    _refuse_at(distance < 0, place, "max is below min")
    return Scaling(centre, np.where(distance == 0, 1, distance) / (high - low), low, inverse)


def _column(place: str, fields: Mapping[str, Any], name: str, width: int) -> Array:
    """[width] or [1]."""
    values = _numbers(f"{place}.{name}", fields[name])
    if values.size not in (1, width):
        raise ModelRefused(
            f"{place}.{name} has {values.size} numbers, and there are {width} columns"
        )
    return np.broadcast_to(values, (width,)).copy()


def _numbers(place: str, value: object) -> Array:
    values = value if isinstance(value, list) else [value]
    if not all(type(number) in (int, float) for number in values):
        raise ModelRefused(f"{place} needs a number, or a list with one for each column")
    try:
        array = np.array(values, np.float64)
    except OverflowError:
        array = np.array([np.inf])
    if not np.isfinite(array).all() or np.abs(array).max(initial=0) > np.finfo(np.float32).max:
        raise ModelRefused(f"{place} holds a number that is not finite in float32")
    return array


def _range(place: str, value: object) -> tuple[float, float]:
    numbers = _numbers(f"{place}.range", value)
    if numbers.size != 2 or numbers[0] >= numbers[1]:
        raise ModelRefused(f"{place}.range needs two numbers, the lower one first")
    return float(numbers[0]), float(numbers[1])


def _refuse_at(wrong: NDArray[np.bool_], place: str, why: str) -> None:
    if wrong.any():
        raise ModelRefused(f"{place}: column {int(np.flatnonzero(wrong)[0])}: {why}")


def _read(file: Path) -> dict[str, Any]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"--normalize {file} cannot be read as JSON: {error}") from error
    if not isinstance(record, dict):
        raise ModelRefused(f'--normalize {file}: expected an object with "input" and "output"')
    return record


def _list(record: Mapping[str, Any]) -> str:
    return ", ".join(sorted(record)[:5]) or "nothing"
