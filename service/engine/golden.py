"""Replaying the golden vectors: does this machine compute what the original computes in float64?"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import HIDDEN, Manifest
from service.engine.engine import Engine
from service.errors import GoldenMismatch

TOLERANCE = 1e-5
"""Of one step from the right state, relative to the scale of each column."""

_LEAST_SHARE = 0.1
"""Of the largest number of a carried segment: what is smaller is the difference of such numbers."""

Golden = dict[str, NDArray[Any]]
Scale = NDArray[np.float64]


class Comparison(NamedTuple):
    """What was compared, what was found and expected, [B, T, N] each, and the scale [N]."""

    what: str
    found: NDArray[np.float32]
    expected: NDArray[np.float64]
    scale: Scale

    @property
    def deviation(self) -> float:
        return deviation(self.found, self.expected, self.scale)


def replay(engine: Engine) -> float:
    """Run the golden inputs through all graphs; returns the largest deviation.

    Raises GoldenMismatch naming the tensor that is off and by how much.
    """
    golden, tolerance = engine.bundle.golden(), engine.manifest.tolerance
    single = single_steps(engine, golden) if engine.manifest.sessions else ()
    checks = [(tolerance.step, one) for one in single]
    checks += [(tolerance.run, one) for one in free_run(engine, golden)]
    for allowed, comparison in checks:
        if not (off := comparison.deviation) <= allowed:
            raise GoldenMismatch(
                f"{engine.bundle.folder}: {comparison.what} is off by {off:.2g} of its scale, "
                f"allowed is {allowed:.2g}, on {engine.provider}; the files, this machine or its "
                "ONNX Runtime do not compute what the original computed"
            )
    return max(comparison.deviation for _, comparison in checks)


def single_steps(engine: Engine, golden: Golden) -> Iterator[Comparison]:
    """Every golden step from the right state before it, all in one run of the step graph."""
    scales = Scales(engine.manifest, golden)
    before, states = golden["state"].astype(np.float32), golden["states"]
    steps = engine.replay(golden["input"], before, states.astype(np.float32))
    assert steps.gates is not None
    yield Comparison("output of a single step", steps.output, golden["output"], scales.output)
    yield Comparison("state after a single step", steps.state, states, scales.state)
    for name in engine.manifest.gate_names:
        what = f"{name} gate of a single step"
        yield Comparison(what, steps.gates[name], golden[name], scales.gate(golden[name]))
    if HIDDEN in golden:
        what, expected = "hidden state of a single step", golden[HIDDEN]
        yield Comparison(what, steps.gates[HIDDEN], expected, scales.gate(expected))


def free_run(engine: Engine, golden: Golden) -> Iterator[Comparison]:
    """The golden inputs from the first state on, as a whole and step by step."""
    inputs, scales = golden["input"], Scales(engine.manifest, golden)
    if engine.manifest.sequence == "outputs":
        expected = golden["output"] if not engine.manifest.sessions else golden.get("whole")
        if expected is not None:
            yield Comparison("whole output", engine.whole(inputs), expected, scales.output)
    if not engine.manifest.sessions:
        return
    state = golden["state"].astype(np.float32)
    output, states = engine.sequence(inputs, state)
    yield Comparison("output of the sequence graph", output, golden["output"], scales.output)
    yield Comparison("states of the sequence graph", states, golden["states"], scales.state)
    outputs = []
    for t in range(inputs.shape[1]):
        steps = engine.step(inputs[:, t], state, gates=False)
        state = steps.state
        outputs.append(steps.output)
    stacked = np.stack(outputs, 1)
    yield Comparison("output of the step graph, run on", stacked, golden["output"], scales.output)
    last, expected = state[:, np.newaxis], golden["states"][:, -1:]
    yield Comparison("last state of the step graph, run on", last, expected, scales.state)


class Scales:
    """How large the numbers of each column are, over the golden vectors.

    Units of a layer share a scale, which is at least that of their activations, one: that a unit
    stays near zero does not make the arithmetic around it finer. Nor does it for what else is
    carried: its scale is at least a share of the largest number of its segment.
    """

    def __init__(self, manifest: Manifest, golden: Golden) -> None:
        self._manifest = manifest
        self._floor = manifest.tolerance.floor
        self.output = scale_of(golden["output"], self._floor)
        if manifest.sessions:
            self.state = scale_of(golden["states"], self._floor)
            for segment in manifest.state:
                span = manifest.spans[segment.name]
                if segment.kind == "gru":
                    self.state[span] = max(1.0, float(self.state[span].max()))
                elif segment.size:
                    least = _LEAST_SHARE * self.state[span].max()
                    self.state[span] = np.maximum(self.state[span], least)

    def gate(self, expected: NDArray[Any]) -> Scale:
        """Of a gate [..., G]."""
        scale = scale_of(expected, self._floor)
        for layer in self._manifest.layers:
            scale[layer.span] = max(1.0, float(scale[layer.span].max()))
        return scale


def deviation(found: NDArray[Any], expected: NDArray[Any], scale: Scale | None = None) -> float:
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
    off[missing] = 0
    if not np.isfinite(off).all():
        return float("inf")
    return float(np.max(off / (scale_of(expected) if scale is None else scale)))


def scale_of(expected: NDArray[Any], floor: float = 0.0) -> Scale:
    """The largest number of each column, at least `floor`, and never below a millionth of the
    largest of all: what is that small beside its neighbours is the difference of large numbers."""
    numbers = np.abs(np.nan_to_num(expected.astype(np.float64))).reshape(-1, expected.shape[-1])
    columns: Scale = numbers.max(axis=0, initial=0.0)
    least = max(floor, 1e-6 * float(columns.max(initial=0.0)), float(np.finfo(np.float32).tiny))
    return np.maximum(columns, least)
