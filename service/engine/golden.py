"""Replaying the golden vectors: does this machine compute what PyTorch computed?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.errors import GoldenMismatch

TOLERANCE = 1e-5
"""Largest |found − expected| / max(1, |expected|) that counts as equal in float32."""


def tolerance_of(manifest: Manifest) -> float:
    """`TOLERANCE`, or what the manifest of a version with rounded weights says."""
    return TOLERANCE if manifest.quantization is None else manifest.quantization.tolerance


def replay(engine: Engine) -> float:
    """Run the golden inputs through both graphs; returns the largest deviation.

    Raises GoldenMismatch naming the tensor that is off and by how much.
    """
    golden = engine.bundle.golden()
    inputs, state = golden["input"], golden["state"]
    output, states = engine.sequence(inputs, state)
    worst = max(
        _compare(engine, "sequence output", output, golden["output"]),
        _compare(engine, "sequence states", states, golden["states"]),
    )
    for t in range(inputs.shape[1]):
        steps = engine.step(inputs[:, t], state, gates=True)
        assert steps.gates is not None
        found = {
            "output": steps.output,
            "states": steps.state,
            "reset": steps.gates.reset,
            "update": steps.gates.update,
            "candidate": steps.gates.candidate,
        }
        for name, values in found.items():
            worst = max(worst, _compare(engine, f"step {name}", values, golden[name][:, t]))
        state = steps.state
    return worst


def deviation(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest |found − expected| / max(1, |expected|); infinite where shapes differ or NaN."""
    if found.shape != expected.shape:
        return float("inf")
    if found.size == 0:
        return 0.0
    scale = np.maximum(1.0, np.abs(expected))
    worst = float(np.max(np.abs(found.astype(np.float64) - expected) / scale))
    return worst if np.isfinite(worst) else float("inf")


def _compare(engine: Engine, what: str, found: NDArray[Any], expected: NDArray[Any]) -> float:
    off = deviation(found, expected)
    allowed = tolerance_of(engine.manifest)
    if not off <= allowed:
        raise GoldenMismatch(
            f"{engine.bundle.folder}: {what} is off by {off:.2g} (tolerance {allowed:g}) "
            f"on {engine.provider}; train or export the version again on this kind of machine"
        )
    return off
