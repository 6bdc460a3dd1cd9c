"""What a session, or a whole sequence, is given once at its beginning."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Constant
from service.errors import InvalidInput, Place

PLACE: Place = ("constants",)

Constants = Mapping[str, NDArray[Any]]


def read_constants(
    given: Mapping[str, Any] | None, constants: Sequence[Constant], place: Place = PLACE
) -> Constants | None:
    """The `constants` of a model for one session, by name, [1, …] each; None where it takes none.

    Raises InvalidInput for one that is missing, unknown, of another shape or not finite.
    """
    wanted = {constant.name: constant for constant in constants}
    said = given or {}
    unknown = [name for name in said if name not in wanted]
    if unknown:
        takes = ", ".join(wanted) or "none"
        raise InvalidInput.at((*place, unknown[0]), f"this model takes no such constant: {takes}")
    missing = [name for name in wanted if name not in said]
    if missing:
        raise InvalidInput.at(
            place, f"this model needs {missing[0]!r}, numbers of shape {wanted[missing[0]].shape}"
        )
    if not wanted:
        return None
    return {name: _read(said[name], wanted[name], (*place, name)) for name in wanted}


def _read(value: object, constant: Constant, place: Place) -> NDArray[Any]:
    try:
        array = np.array(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInput.at(place, "expected numbers, in arrays of equal length") from None
    if array.shape != constant.shape:
        raise InvalidInput.at(
            place, f"has the shape {list(array.shape)}, expected {list(constant.shape)}"
        )
    if not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise InvalidInput.at(place, "expected finite numbers within float32")
    if not constant.integers:
        return array.astype(np.float32)[np.newaxis]
    is_whole = array == np.rint(array)
    if not (is_whole & (constant.least <= array) & (array <= constant.largest)).all():
        raise InvalidInput.at(
            place, f"expected whole numbers from {constant.least} to {constant.largest}"
        )
    return array.astype(np.int64)[np.newaxis]
