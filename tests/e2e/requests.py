"""What clients of the service do, in a line each."""

from typing import Any, cast

import httpx
import numpy as np
from numpy.typing import NDArray


def weather_inputs(time: int, seed: int = 0) -> list[list[float]]:
    """[T, 3] of the size that the `weather` models were made for, exact in float32."""
    drawn = np.random.default_rng(seed).normal((20, 1000, 0.5), (5, 10, 0.2), (time, 3))
    return [[float(value) for value in row] for row in drawn.astype(np.float32)]


def letter_inputs(time: int, seed: int = 0) -> list[int]:
    """[T] tokens of the `letters` models."""
    return [int(token) for token in np.random.default_rng(seed).integers(0, 10, time)]


def inputs_for(model: str, time: int, seed: int = 0) -> list[Any]:
    return weather_inputs(time, seed) if model.startswith("weather") else letter_inputs(time, seed)


def new_session(client: httpx.Client, model: str, **fields: object) -> str:
    """Create a session; returns its id."""
    answer = client.post("/v1/sessions", json={"model": model, **fields})
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["session_id"]
    return session_id


def apply_steps(
    client: httpx.Client, session_id: str, inputs: list[Any], **fields: object
) -> dict[str, Any]:
    answer = client.post(f"/v1/sessions/{session_id}/steps", json={"inputs": inputs, **fields})
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json())


def state_of(client: httpx.Client, session_id: str) -> dict[str, Any]:
    answer = client.get(f"/v1/sessions/{session_id}/state")
    assert answer.status_code == 200, answer.text
    return cast(dict[str, Any], answer.json())


def states_of(client: httpx.Client, model: str) -> dict[int, str]:
    """Of every version of a model."""
    answer = client.get(f"/v1/models/{model}")
    assert answer.status_code == 200, answer.text
    return {one["version"]: one["state"] for one in answer.json()["versions"]}


def floats(values: object) -> NDArray[np.float32]:
    return np.array(values, np.float32)
