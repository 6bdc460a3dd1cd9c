"""From decoded JSON to arrays. What is refused, and where, is in tests/e2e/test_error_catalogue."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from service.bundle.signatures import Tokens, Values
from service.errors import InvalidInput
from service.operations.inputs import decode_state

VALUES = Values(names=("a", "b"), units=("", ""))
TOKENS = Tokens(size=3, vocabulary=("x", "y", "z"))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=12,
)


def test_values() -> None:
    found = VALUES.decode([[1, 2.5], [-3, 1e38]], ())
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.array([[1, 2.5], [-3, 1e38]], np.float32))


def test_tokens() -> None:
    found = TOKENS.decode([2, 0, 1], ())
    assert found.dtype == np.int64
    assert found.tolist() == [2, 0, 1]


def test_text() -> None:
    found = TOKENS.encode_text("zxy", ())
    assert found.dtype == np.int64
    assert found.tolist() == [2, 0, 1]


def test_state() -> None:
    found = decode_state([0, 0.1], 2, ())
    assert found.dtype == np.float32
    assert found.tobytes() == np.array([0, 0.1], np.float32).tobytes()


def test_a_feature_that_is_missing_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"expected 2 numbers \(a, b\), found 1"):
        VALUES.decode([[1]], ())


def test_text_for_a_model_without_a_vocabulary() -> None:
    for signature in (VALUES, Tokens(size=3)):
        with pytest.raises(InvalidInput, match="this model takes no text"):
            signature.encode_text("x", ())


@settings(max_examples=300, derandomize=True)
@given(anything)
def test_whatever_is_sent_is_an_array_or_a_fault_with_a_path(value: object) -> None:
    for signature, dtype, rank in ((VALUES, np.float32, 2), (TOKENS, np.int64, 1)):
        try:
            found = signature.decode(value, ("inputs",))
        except InvalidInput as error:
            assert all(fault.place[0] == "inputs" for fault in error.faults)
        else:
            assert found.dtype == dtype
            assert found.ndim == rank
            assert np.isfinite(found).all()


@settings(max_examples=200, derandomize=True)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1))
def test_every_float32_arrives_with_all_its_bits(numbers: list[float]) -> None:
    found = decode_state(numbers, len(numbers), ())
    assert found.tobytes() == np.array(numbers, np.float32).tobytes()
