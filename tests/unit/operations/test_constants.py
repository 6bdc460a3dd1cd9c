"""Constants of a session, as a model takes them."""

from typing import Any

import numpy as np
import pytest

from service.bundle.manifest import Constant
from service.errors import InvalidInput
from service.operations.constants import read_constants

VECTOR = Constant(name="speaker", shape=(3,))
SMALL = Constant(name="room", shape=(1,), integers=True, least=-128, largest=127)


def test_numbers_and_whole_numbers() -> None:
    found = read_constants({"room": [-128], "speaker": [1, 2.5, 3]}, (VECTOR, SMALL))
    assert found is not None
    np.testing.assert_array_equal(found["speaker"], [[1, 2.5, 3]])
    assert found["speaker"].dtype == np.float32
    np.testing.assert_array_equal(found["room"], [[-128]])
    assert found["room"].dtype == np.int64


@pytest.mark.parametrize(
    ("constant", "value", "message"),
    [
        (VECTOR, [1, 2], "has the shape [2], expected [3]"),
        (VECTOR, [1, 2, "a"], "expected numbers"),
        (VECTOR, [1, 2, 1e39], "within float32"),
        (VECTOR, [1, 2, float("nan")], "finite"),
        (SMALL, [128], "expected whole numbers from -128 to 127"),
        (SMALL, [0.5], "expected whole numbers"),
    ],
)
def test_what_is_not_the_models(constant: Constant, value: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(InvalidInput) as refused:
        read_constants({constant.name: value}, (constant,))
    (fault,) = refused.value.faults
    assert fault.place == ("constants", constant.name)
    assert message in fault.message
