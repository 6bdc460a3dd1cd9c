"""Bound runs answer what plain runs answer. On the CPU here; on CUDA where there is one."""

from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from benchmarks.studies.binding import KEPT, Bound
from service.engine.provider import Provider
from service.repository.models import Models

FETCHES = ["output", "next_state", "reset"]


@pytest.fixture(params=["cpu", "cuda"])
def device(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "cuda" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("needs a GPU and onnxruntime-gpu")
    return name


@pytest.fixture
def session(models: Models, device: str) -> Iterator[onnxruntime.InferenceSession]:
    graph = models.default("weather").bundle.step_graph.read_bytes()
    yield Provider("cuda" if device == "cuda" else "cpu").open(graph)


def test_it_answers_as_a_plain_run(session: onnxruntime.InferenceSession, device: str) -> None:
    """For more batch sizes than stay, in any order."""
    bound, random = Bound(session, device), np.random.default_rng(0)
    for batch in [1, 4, 4, 1, *range(1, KEPT + 3), 1]:
        feed = {
            "input": random.normal(size=(batch, 3)).astype(np.float32),
            "state": random.uniform(-1, 1, (batch, 6)).astype(np.float32),
        }
        for found, expected in zip(
            bound.run(FETCHES, feed), session.run(FETCHES, feed), strict=True
        ):
            np.testing.assert_allclose(found, expected, atol=1e-6, rtol=1e-6)


def test_an_answer_outlives_the_next_run(
    session: onnxruntime.InferenceSession, device: str
) -> None:
    bound = Bound(session, device)
    feed = {"input": np.ones((2, 3), np.float32), "state": np.zeros((2, 6), np.float32)}
    first = bound.run(FETCHES, feed)
    kept = [array.copy() for array in first]
    second = bound.run(FETCHES, {"input": -feed["input"], "state": feed["state"] + 1})
    for array, copy, other in zip(first, kept, second, strict=True):
        np.testing.assert_array_equal(array, copy)
        assert not np.array_equal(array, other)


def test_inputs_that_are_not_contiguous(session: onnxruntime.InferenceSession, device: str) -> None:
    wide = np.arange(12, dtype=np.float32).reshape(2, 6)
    feed: dict[str, NDArray[np.float32]] = {"input": wide[:, ::2], "state": wide / np.float32(12)}
    found = Bound(session, device).run(FETCHES, feed)
    for one, other in zip(found, session.run(FETCHES, feed), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
