"""Answers as bytes and back."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from service.engine.engine import Gates
from service.repository.models import Models
from service.sessions.answers import (
    Answer,
    Result,
    ResultShape,
    is_kept,
    kept_in,
    shape_of_steps,
)
from service.sessions.receipts import KEPT_ANSWER_BYTES, Kind, Receipt

shapes = st.one_of(
    st.builds(
        ResultShape,
        dtype=st.just(np.float32),
        width=st.integers(1, 5),
        gate_names=st.sampled_from(
            ((), ("reset", "update", "candidate", "hidden"), ("a", "hidden"))
        ),
        gate_size=st.integers(1, 4),
        more_gates=st.integers(0, 6),
    ),
    st.builds(
        ResultShape,
        dtype=st.just(np.int32),
        width=st.just(1),
        gate_names=st.sampled_from(
            ((), ("reset", "update", "candidate", "hidden"), ("a", "hidden"))
        ),
        gate_size=st.integers(1, 4),
        more_gates=st.integers(0, 6),
    ),
)


def result_of(shape: ResultShape, outputs: int, seed: int = 0) -> Result:
    """Random bits, so that every NaN and infinity is among them."""
    random = np.random.default_rng(seed)

    def tensor(*size: int) -> NDArray[np.float32]:
        return random.integers(0, 2**32, size, np.uint32).view(np.float32)

    is_token = shape.dtype is np.int32
    shown = tensor(outputs).view(np.int32) if is_token else tensor(outputs, shape.width)
    rows = (outputs + shape.more_gates, shape.gate_size)
    names = shape.gate_names
    gates = Gates(names, tuple(tensor(*rows) for _ in names)) if names else None
    return Result(shown, gates)


def bits(result: Result) -> list[tuple[str, tuple[int, ...], bytes]]:
    gates = result.gates
    tensors = gates.tensors if gates else ()
    return [(one.dtype.str, one.shape, one.tobytes()) for one in (result.outputs, *tensors)]


@given(shape=shapes, outputs=st.integers(1, 9), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=200, derandomize=True, database=None)
def test_what_is_packed_is_unpacked_bit_by_bit(shape: ResultShape, outputs: int, seed: int) -> None:
    result = result_of(shape, outputs, seed)
    content = shape.pack(result)
    assert len(content) == shape.size(outputs)
    assert bits(shape.unpack(content)) == bits(result)


@pytest.mark.parametrize("gates", [False, True])
def test_the_shape_of_steps_is_that_of_what_was_computed(models: Models, gates: bool) -> None:
    for engine in models:
        shape = shape_of_steps(engine.manifest, gates=gates)
        steps = engine.step(engine.example[:1], engine.initial_states(1), gates=gates)
        result = Result(steps.output, steps.gates)
        assert bits(shape.unpack(shape.pack(result))) == bits(result)


def test_an_answer_up_to_the_limit_is_kept_and_a_larger_one_computed_again() -> None:
    shape = ResultShape(np.float32, 1)
    most = KEPT_ANSWER_BYTES // 4
    before = np.arange(5, dtype=np.float32)
    fits, large = result_of(shape, most), result_of(shape, most + 1)
    assert (is_kept(shape, most), is_kept(shape, most + 1)) == (True, False)
    one, other = (kept_in(shape, result, before, b"meaning.") for result in (fits, large))
    assert (one.kind, one.content, one.digest) == (Kind.ANSWER, fits.outputs.tobytes(), b"meaning.")
    assert (other.kind, other.content, other.digest) == (
        *(Kind.BEFORE, before.tobytes()),
        b"meaning.",
    )


def test_again_says_where_the_session_was_then(models: Models) -> None:
    manifest = models.default("weather").manifest
    receipt = Receipt(b"k" * 16, b"r" * 8, 1, 7, 99, Kind.ANSWER)
    result = Result(np.zeros((1, 3), np.float32), None)
    again = Answer.again(receipt, "s", manifest, result)
    assert (again.session_id, again.step, again.revision, again.replayed) == ("s", 7, 99, True)
    assert again.manifest is manifest and again.result is result
