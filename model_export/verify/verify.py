"""The checks that a bundle must pass, with the very engine that will serve it.

They compare what is in the bundle: the graphs with the golden vectors, which are float64, with one
another and with the equations. Whether it is the original's is compared when it is made.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused, one_line
from model_export.float64.graph import Float64Graph
from model_export.verify.check import Check
from model_export.verify.inspected import Inspected
from model_export.verify.parting import from_float64
from service.bundle.bundle import Bundle
from service.bundle.manifest import CELLS_FILE, INSPECT_FILE, Tolerance
from service.bundle.signatures import Tokens
from service.engine.engine import Engine
from service.engine.golden import (
    TOLERANCE,
    Golden,
    Scales,
    deviation,
    free_run,
    replay,
    scale_of,
    single_steps,
)
from service.engine.provider import Provider
from service.errors import GatewiseError

SHAPES = ((1, 1), (1, 2), (3, 17), (2, 64))
"""(B, T) of the inputs that every check runs on."""

WINDOWS_APART = 5
"""Steps between those windows that are compared with a session."""

MARGIN = 8.0
"""Of the tolerance of a free run over what was measured: other processors, other kernels."""
ROOM = 2.0
"""The same over how far the two graphs were apart, which share the kernels of one machine."""
LARGEST_DRIFT = 1e-2
"""Of a column's scale: a model that float32 carries further away cannot be served in it."""


def measured_tolerance(engine: Engine) -> Tolerance:
    """How far float32 is from the golden vectors here, with room for other machines.

    Raises ModelRefused where a free run runs away.
    """
    golden = engine.bundle.golden()
    drift = max(one.deviation for one in free_run(engine, golden))
    refuse_chaotic(drift, golden["input"].shape[1])
    # Other inputs may drift further than the golden ones.
    apart = max((check.deviation for check in _fed_back(engine, golden)), default=0.0)
    refuse_chaotic(apart, max(time for _, time in SHAPES))
    return Tolerance(run=max(TOLERANCE, float(f"{max(MARGIN * drift, ROOM * apart):.2g}")))


def _fed_back(engine: Engine, golden: Golden) -> Iterator[Check]:
    """The step graph, its state fed back, against the sequence graph on other inputs."""
    if engine.manifest.sequence in ("outputs and states", "states"):
        for compared, inputs, state in _compared(engine, golden):
            yield from compared.fed_back(inputs, state)


def check_single_steps(engine: Engine) -> Iterator[Check]:
    """Every golden step from the right state, and every step of the sequence graph. A check that
    failed names the first operator at which float32 is not enough."""
    golden = engine.bundle.golden()
    for one in single_steps(engine, golden):
        check = Check(one.what, one.deviation)
        if not check.passed:
            before = np.concatenate([golden["state"][:, np.newaxis], golden["states"][:, :-1]], 1)
            rows, states = golden["input"], before.astype(np.float32)
            feed = {
                "input": rows.reshape(-1, *rows.shape[2:]),
                "state": states.reshape(-1, states.shape[2]),
            }
            check = replace(check, part=from_float64(engine.bundle.step_graph.read_bytes(), feed))
        yield check
    yield from _sequence_steps(engine, golden)


def _sequence_steps(engine: Engine, golden: Golden) -> Iterator[Check]:
    """A tolerance that is measured cannot tell a wrong sequence graph from one that drifts."""
    if engine.manifest.sequence in ("outputs and states", "states"):
        step = Float64Graph(engine.bundle.step_graph.read_bytes())
        for compared, inputs, state in _compared(engine, golden):
            yield from compared.sequence_in_float64(step, inputs, state)


def refuse_chaotic(drift: float, steps: int) -> None:
    """`drift` is how far float32 is off float64 after a number of steps. Raises ModelRefused."""
    if not drift <= LARGEST_DRIFT:
        raise ModelRefused(
            f"verification failed: in float32 the model runs away from float64 by {drift:.2g} of "
            f"its scale within {steps} steps, at most {LARGEST_DRIFT:g} is allowed: its weights "
            "make it chaotic"
        )


def verify(bundle: Bundle, provider: Provider) -> list[Check]:
    """Run all checks. Raises ModelRefused naming the first that fails, or what cannot be run."""
    with refusing():
        engine = Engine(bundle, provider)
        tolerance = engine.manifest.tolerance
        checks = [Check("golden vectors in float64, all graphs", replay(engine), tolerance.run)]
        if engine.manifest.sessions:
            checks += _checks(engine, provider)
    return refuse_failed(checks)


@contextmanager
def refusing() -> Iterator[None]:
    """What the engine and ONNX Runtime say of a bundle becomes ModelRefused."""
    try:
        yield
    except GatewiseError as error:
        raise ModelRefused(f"verification failed: {error}") from error
    except Exception as error:
        # Those of ONNX Runtime have no class in common.
        if not type(error).__module__.startswith("onnxruntime."):
            raise
        raise ModelRefused(f"verification failed: ONNX Runtime: {one_line(error)}") from error


def refuse_failed(checks: Iterable[Check]) -> list[Check]:
    """All of them. Raises ModelRefused for the first that failed."""
    passed = []
    for check in checks:
        if not check.passed:
            raise ModelRefused(f"verification failed: {check}")
        passed.append(check)
    return passed


def _checks(engine: Engine, provider: Provider) -> Iterator[Check]:
    golden = engine.bundle.golden()
    inspected = _inspected(engine, provider)
    scales = Scales(engine.manifest, golden)
    if engine.manifest.constants:
        yield _begun(engine, golden, scales)
    if engine.manifest.sequence == "outputs":
        yield from _whole(engine, golden, scales)
    yield from _sequence_steps(engine, golden)
    yield from _fed_back(engine, golden)
    for compared, inputs, state in _compared(engine, golden):
        yield from compared.step_alone(inputs[:, 0], state)
        if inspected is not None:
            for check in inspected.checks(inputs[:, 0], state, scales):
                yield replace(check, name=f"{check.name}, B={len(inputs)}")


def _compared(
    engine: Engine, golden: Golden
) -> "Iterator[tuple[_Compared, NDArray[Any], NDArray[np.float32]]]":
    """Inputs [B, T, F] or [B, T] and states [B, S] of every shape, the same at every call."""
    random = np.random.default_rng(0)
    known, scales = _settled(engine, golden), Scales(engine.manifest, golden)
    for batch, time in SHAPES:
        inputs = _inputs(engine, golden["input"], random, batch, time)
        state = known[random.integers(0, len(known), batch)]
        yield _Compared(engine, scales, f"B={batch} T={time}"), inputs, state


def _inspected(engine: Engine, provider: Provider) -> Inspected | None:
    """What there is for looking inside. Raises ModelRefused where that is half of it."""
    found = {INSPECT_FILE, CELLS_FILE} & engine.manifest.files.keys()
    if len(found) == 1:
        raise ModelRefused(f"{INSPECT_FILE} and {CELLS_FILE} are of use together alone")
    return Inspected(engine, provider) if found else None


def _begun(engine: Engine, golden: Golden, scales: Scales) -> Check:
    """What a session's constants, which are part of its state, make of the rest of it."""
    manifest, state = engine.manifest, golden["state"]
    constants = {
        one.name: state[:, manifest.spans[one.name]]
        .reshape(-1, *one.shape)
        .astype(np.int64 if one.integers else np.float32)
        for one in manifest.constants
    }
    found = engine.initial_states(len(state), constants)
    name = "the state that constants begin with, against golden vectors"
    return Check(name, deviation(found, state, scales.state), manifest.tolerance.step)


def _whole(engine: Engine, golden: Golden, scales: Scales) -> Iterator[Check]:
    """What whole sequences are answered, against a session that has seen nothing before."""
    rows, manifest = golden["input"], engine.manifest
    output, _ = engine.sequence(rows, engine.initial_states(len(rows)))
    time, late, window = rows.shape[1], manifest.ready_at - 1, manifest.window
    if window is None:
        whole = engine.whole(rows)[:, : time - late]
        pairs = [("whole sequences", whole, output[:, late : late + whole.shape[1]])]
    else:
        pairs = []
        for end in range(window, time + 1, WINDOWS_APART):
            whole = engine.whole(rows[:, end - window : end])
            whole = whole[:, -1] if whole.ndim == output.ndim else whole
            pairs.append((f"the window up to step {end}", whole, output[:, end - 1]))
    for what, whole, expected in pairs:
        scale = np.maximum(scales.output, scale_of(expected))
        off = deviation(whole, expected.astype(np.float64), scale)
        yield Check(f"{what} against a session", off, manifest.tolerance.run)


class _Compared:
    """Comparisons of one batch and time, relative to the scale of the golden vectors."""

    def __init__(
        self,
        engine: Engine,
        scales: Scales,
        shape: str,
    ) -> None:
        self._engine = engine
        self._output, self._state = scales.output, scales.state
        self._shape = shape

    def fed_back(self, inputs: NDArray[Any], state: NDArray[np.float32]) -> Iterator[Check]:
        """The step graph, its state fed back, against the sequence graph."""
        allowed = self._engine.manifest.tolerance.run
        output, states = self._engine.sequence(inputs, state)
        # Other inputs may give larger numbers than the golden ones did.
        of_output = np.maximum(self._output, scale_of(output))
        of_state = np.maximum(self._state, scale_of(states))
        for t in range(inputs.shape[1]):
            steps = self._engine.step(inputs[:, t], state, gates=False)
            state = steps.state
            for what, found, expected, scale in (
                ("output", steps.output, output[:, t], of_output),
                ("state", steps.state, states[:, t], of_state),
            ):
                name = f"{what} of step {t} against sequence, {self._shape}"
                yield Check(name, deviation(found, expected.astype(np.float64), scale), allowed)

    def sequence_in_float64(
        self, step: Float64Graph, inputs: NDArray[Any], state: NDArray[np.float32]
    ) -> Iterator[Check]:
        """Every step of the sequence graph against the written-out equations, from the right state:
        that it has the weights of the step graph."""
        output, states = self._engine.sequence(inputs, state)
        before = np.concatenate([state[:, np.newaxis], states[:, :-1]], axis=1)
        found = step.run({"input": _flat(inputs), "state": _flat(before)})
        scale = np.maximum(self._state, scale_of(found["next_state"]))
        compared = {"state": deviation(_flat(states), found["next_state"], scale)}
        if self._engine.manifest.sequence == "outputs and states":
            scale = np.maximum(self._output, scale_of(found["output"]))
            compared["output"] = deviation(_flat(output), found["output"], scale)
        for what, off in compared.items():
            yield Check(f"{what} of the sequence graph against the equations, {self._shape}", off)

    def step_alone(self, inputs: NDArray[Any], state: NDArray[np.float32]) -> Iterator[Check]:
        """Each row of a batch against the same row alone."""
        allowed = self._engine.manifest.tolerance.step
        together = self._engine.step(inputs, state, gates=False)
        for row in range(len(inputs)):
            one = slice(row, row + 1)
            alone = self._engine.step(inputs[one], state[one], gates=False)
            off = deviation(alone.state, together.state[one].astype(np.float64), self._state)
            yield Check(f"step of row {row} alone, {self._shape}", off, allowed)


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    """[B, T, …] as [B · T, …]."""
    return values.reshape(-1, *values.shape[2:])


def _settled(engine: Engine, golden: Golden) -> NDArray[np.float32]:
    """Golden states [N, S] of sessions that have seen enough to answer. Raises ModelRefused where
    there are none: nothing could be compared."""
    states = golden["states"].reshape(-1, engine.manifest.state_size).astype(np.float32)
    seen = engine.manifest.steps_seen
    if seen is None:
        return states
    most = states[:, seen].max()
    if most < engine.manifest.ready_at - 1:
        raise ModelRefused(
            f"the golden vectors end after step {most:g}, the first answer comes with step "
            f"{engine.manifest.ready_at}; publish the version again"
        )
    settled: NDArray[np.float32] = states[states[:, seen] == most]
    return settled


def _inputs(
    engine: Engine, known: NDArray[Any], random: np.random.Generator, batch: int, time: int
) -> NDArray[Any]:
    """Random numbers of the size that the golden inputs have, as many of them missing."""
    signature = engine.manifest.input
    if isinstance(signature, Tokens):
        return random.integers(0, signature.size, (batch, time))
    missing = np.isnan(known)
    low, high = (
        np.nan_to_num(bound(known, axis=(0, 1), where=~missing, initial=np.nan))
        for bound in (np.fmin.reduce, np.fmax.reduce)
    )
    drawn = random.uniform(low, high, (batch, time, signature.width)).astype(np.float32)
    if missing.any():
        drawn[random.random(drawn.shape) < missing.mean()] = np.nan
    return drawn
