"""What a caller knows ahead of the steps that a model forecasts: holidays, prices, plans."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures import InputSignature
from service.errors import InvalidInput, Place

PLACE: Place = ("future",)

Future = list[Any] | None
"""Rows as JSON has them, one for each output that is fed back."""


def read_future(rows: Future, count: int, signature: InputSignature) -> NDArray[np.float32] | None:
    """The inputs known ahead of `count` steps, [count, K]; None where the model has none.

    Raises InvalidInput where there are too few or too many, or the model knows none ahead.
    """
    ahead = signature.ahead
    if ahead is None:
        if rows is not None:
            raise InvalidInput.at(PLACE, "this model has no inputs that are known ahead")
        return None
    found, names = len(rows or ()), ", ".join(name for name, _ in ahead.columns)
    if found != count:
        place = (*PLACE, count) if found > count else PLACE
        raise InvalidInput.at(
            place,
            f"expected {count} rows ({names}), one for each output that is fed back; found {found}",
        )
    if not rows:
        return np.zeros((0, *ahead.features), np.float32)
    return ahead.decode(rows, PLACE)
