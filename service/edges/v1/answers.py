"""Answers as JSON, straight from NumPy."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.bundle.manifest import Manifest, Probabilities, Tokens
from service.edges.v1.gates import GateSelection
from service.errors import InvalidInput

TOP_TOKENS = 5
"""How many of the most likely next tokens an answer names."""


def to_json(answer: object) -> bytes:
    """Arrays are written directly: float32 with the shortest digits that read back the same."""
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def numbers_of(steps: int, manifest: Manifest, gates: GateSelection | None) -> int:
    """How many numbers so many time steps take: outputs, states, gates."""
    return steps * (manifest.output.width + manifest.state_size * (5 if gates else 1))


def check_size(
    steps: int, manifest: Manifest, gates: GateSelection | None, max_numbers: int
) -> None:
    """Raises InvalidInput where so many time steps would take more numbers than are allowed."""
    numbers = numbers_of(steps, manifest, gates)
    if numbers > max_numbers:
        raise InvalidInput.at(
            (),
            f"{steps} time steps take {numbers} numbers (outputs, states"
            f"{', gates' if gates else ''}), at most {max_numbers} are allowed; send at most "
            f"{max_numbers // numbers_of(1, manifest, gates)} steps at once",
        )


def render_outputs(outputs: NDArray[np.float32], manifest: Manifest) -> dict[str, Any]:
    """`outputs` [T, O], and for token models `next`: the most likely tokens after each step."""
    rendered: dict[str, Any] = {"outputs": np.ascontiguousarray(outputs)}
    if isinstance(manifest.output, Probabilities):
        rendered["next"] = [_most_likely(row, manifest) for row in outputs]
    return rendered


def _most_likely(probabilities: NDArray[np.float32], manifest: Manifest) -> list[dict[str, Any]]:
    count = min(TOP_TOKENS, len(probabilities))
    top = np.argpartition(-probabilities, count - 1)[:count]
    top = top[np.argsort(-probabilities[top], kind="stable")]
    vocabulary = manifest.input.vocabulary if isinstance(manifest.input, Tokens) else None
    return [
        {
            "token": int(token),
            **({"text": vocabulary[token]} if vocabulary is not None else {}),
            "probability": probabilities[token],
        }
        for token in top
    ]
