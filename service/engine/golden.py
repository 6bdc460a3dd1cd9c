"""Replaying the golden vectors: does this machine compute what the original computes in float64?"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Tolerance
from service.engine.engine import Engine
from service.errors import GoldenMismatch

TOLERANCE = 1e-5
"""Of one step from the right state, relative to the scale of each column."""

Golden = dict[str, NDArray[Any]]
Found = Iterator[tuple[str, NDArray[np.float32], NDArray[np.float64]]]
"""What was compared, what was found and what was expected, [B, T, …] each."""


def replay(engine: Engine) -> float:
    """Run the golden inputs through all graphs; returns the largest deviation.

    Raises GoldenMismatch naming the tensor that is off and by how much.
    """
    golden, tolerance = engine.bundle.golden(), engine.manifest.tolerance
    if not engine.manifest.sessions:
        whole = engine.whole(golden["input"])
        return _compare(engine, "output", whole, golden["output"], tolerance.run, tolerance)
    worst = 0.0
    for allowed, found in (
        (tolerance.step, single_steps(engine, golden)),
        (tolerance.run, free_run(engine, golden)),
    ):
        for what, values, expected in found:
            worst = max(worst, _compare(engine, what, values, expected, allowed, tolerance))
    return worst


def single_steps(engine: Engine, golden: Golden) -> Found:
    """Every golden step from the right state before it, all in one run of the step graph."""
    before, states = golden["state"].astype(np.float32), golden["states"]
    steps = engine.replay(golden["input"], before, states.astype(np.float32))
    assert steps.gates is not None
    yield "output of a single step", steps.output, golden["output"]
    yield "state after a single step", steps.state, states
    for name in engine.manifest.gate_names:
        yield f"{name} gate of a single step", steps.gates[name], golden[name]


def free_run(engine: Engine, golden: Golden) -> Found:
    """The golden inputs from the first state on, as a whole and step by step."""
    inputs, state = golden["input"], golden["state"].astype(np.float32)
    output, states = engine.sequence(inputs, state)
    yield "output of the sequence graph", output, golden["output"]
    yield "states of the sequence graph", states, golden["states"]
    outputs = []
    for t in range(inputs.shape[1]):
        steps = engine.step(inputs[:, t], state, gates=False)
        state = steps.state
        outputs.append(steps.output)
    yield "output of the step graph, run on", np.stack(outputs, 1), golden["output"]
    yield "last state of the step graph, run on", state[:, np.newaxis], golden["states"][:, -1:]


def deviation(
    found: NDArray[Any], expected: NDArray[Any], scale: NDArray[np.float64] | None = None
) -> float:
    """Largest |found − expected| relative to the scale of each column (the last axis).

    Infinite where shapes differ, or one has a number and the other has none.
    """
    if found.shape != expected.shape:
        return float("inf")
    if found.size == 0:
        return 0.0
    missing = np.isnan(expected)
    if not np.array_equal(missing, np.isnan(found)):
        return float("inf")
    off = np.abs(found.astype(np.float64) - expected)
    off[missing | (off == 0)] = 0
    relative = off / (scale_of(expected) if scale is None else scale)
    worst = float(np.max(np.where(off > 0, relative, 0.0)))
    return worst if np.isfinite(worst) else float("inf")


def scale_of(expected: NDArray[Any], floor: float = 0.0) -> NDArray[np.float64]:
    """The largest number of each column, at least `floor`, and never below a millionth of the
    largest of all: what is that small beside its neighbours is the difference of large numbers."""
    numbers = np.abs(np.nan_to_num(expected.astype(np.float64))).reshape(-1, expected.shape[-1])
    columns: NDArray[np.float64] = numbers.max(axis=0, initial=0.0)
    least = max(floor, 1e-6 * float(columns.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return np.maximum(columns, least)


def _compare(
    engine: Engine,
    what: str,
    found: NDArray[Any],
    expected: NDArray[Any],
    allowed: float,
    tolerance: Tolerance,
) -> float:
    off = deviation(found, expected, scale_of(expected, tolerance.floor))
    if not off <= allowed:
        raise GoldenMismatch(
            f"{engine.bundle.folder}: the {what} is off by {off:.2g} of its scale, allowed is "
            f"{allowed:.2g}, on {engine.provider}; the files, this machine or its ONNX Runtime do "
            "not compute what the original computed"
        )
    return off
