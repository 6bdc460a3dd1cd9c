"""A window as numbers in binary, little endian."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.traces.windows import Shown

Encoding = Literal["json", "float32", "uint8"]

LEVELS = 255
"""Equal parts of the range, 0 to 254; 255 stands for no number."""

_RANGES = {"reset": (0.0, 1.0), "update": (0.0, 1.0), "keep": (0.0, 1.0)}
_RANGES |= dict.fromkeys(("candidate", "hidden", "before"), (-1.0, 1.0))


def encode(shown: Shown, encoding: Encoding) -> tuple[bytes, dict[str, str]]:
    """The numbers [T, U], or [2, C, U] of the least and the largest, and headers that say how to
    read them."""
    numbers = shown.values
    if numbers is None:
        assert shown.least is not None
        assert shown.largest is not None
        numbers = np.stack([shown.least, shown.largest])
    headers = {
        "gatewise-shape": ",".join(map(str, numbers.shape)),
        "gatewise-from": str(shown.begin),
        "gatewise-to": str(shown.end),
        "gatewise-steps-per-column": str(shown.steps_per_column),
    }
    if encoding == "float32":
        return numbers.astype("<f4").tobytes(), headers
    low, high = _range(shown.tensor, numbers)
    headers |= {"gatewise-low": repr(low), "gatewise-high": repr(high)}
    return _levels(numbers, low, high).tobytes(), headers


def _range(tensor: str, numbers: NDArray[np.float32]) -> tuple[float, float]:
    """What every window of a tensor has in common, where its values are bounded and stay within;
    else what is in this one."""
    known = numbers[np.isfinite(numbers)]
    if not known.size:
        return _RANGES.get(tensor, (0.0, 1.0))
    least, largest = float(known.min()), float(known.max())
    low, high = _RANGES.get(tensor, (least, largest))
    low, high = min(low, least), max(high, largest)
    return (low, high) if high > low else (low, low + 1.0)


def _levels(numbers: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    places = np.floor((numbers.astype(np.float64) - low) * (LEVELS / (high - low)))
    bounded = np.clip(np.nan_to_num(places), 0, LEVELS - 1)
    return np.where(np.isfinite(numbers), bounded, LEVELS).astype(np.uint8)
