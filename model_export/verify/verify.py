"""The checks that a bundle must pass, with the very engine that will serve it.

Each compares step graph, sequence graph, golden vectors of PyTorch and the float64 reference with
one another, to `TOLERANCE` relative to max(1, |expected|). The step graph of a version with 8-bit
weights rounds its activations too, and the golden vectors are those of the unrounded weights:
there the tolerance of the manifest holds. Its sequence graph has to meet the equations, with the
rounded weights, as closely as any other.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ExportError
from model_export.verify.probe import Probe
from model_export.verify.reference import trace_layer
from service.bundle.bundle import Bundle
from service.bundle.manifest import Tokens
from service.engine.engine import Engine, Gates
from service.engine.golden import TOLERANCE, deviation, replay, tolerance_of
from service.engine.provider import Provider
from service.errors import GatewiseError

SHAPES = ((1, 1), (1, 2), (3, 17), (2, 64))
"""(B, T) of the inputs that every check runs on."""


@dataclass(frozen=True, slots=True)
class Check:
    """What was compared, the largest deviation that was found and the largest allowed."""

    name: str
    deviation: float
    allowed: float = TOLERANCE

    @property
    def passed(self) -> bool:
        return self.deviation <= self.allowed


def verify(bundle: Bundle, provider: Provider) -> list[Check]:
    """Run all checks. Raises ExportError naming the first that fails, or what cannot be run."""
    try:
        engine = Engine(bundle, provider)
        probe = Probe(bundle.sequence_graph.read_bytes(), provider)
        golden = Check(
            "golden vectors of PyTorch, both graphs", replay(engine), tolerance_of(engine.manifest)
        )
        checks = [golden]
        checks += list(_checks(engine, probe))
    except GatewiseError as error:
        raise ExportError(f"verification failed: {error}") from error
    for check in checks:
        if not check.passed:
            raise ExportError(
                f"verification failed: {check.name}: off by {check.deviation:.2g}, "
                f"allowed is {check.allowed:g}"
            )
    return checks


def _checks(engine: Engine, probe: Probe) -> Iterator[Check]:
    random = np.random.default_rng(0)
    of_steps = tolerance_of(engine.manifest)
    for batch, time in SHAPES:
        inputs = _inputs(engine, random, batch, time)
        state = random.uniform(-1, 1, (batch, engine.manifest.state_size)).astype(np.float32)
        output, states = engine.sequence(inputs, state)
        shape = f"B={batch} T={time}"
        for allowed, (name, found, expected) in (
            *_allowing(of_steps, _fed_back(engine, inputs, state, output, states)),
            *_allowing(of_steps, _step_alone(engine, inputs[:, 0], state)),
            *_allowing(TOLERANCE, _alone(engine, inputs, state, output)),
            *_reference(engine, probe, inputs, state, states),
        ):
            yield Check(f"{name}, {shape}", deviation(found, expected), allowed)


Comparison = tuple[str, NDArray[Any], NDArray[Any]]


def _allowing(
    tolerance: float, comparisons: Iterator[Comparison]
) -> Iterator[tuple[float, Comparison]]:
    return ((tolerance, comparison) for comparison in comparisons)


def _fed_back(
    engine: Engine,
    inputs: NDArray[Any],
    state: NDArray[np.float32],
    output: NDArray[np.float32],
    states: NDArray[np.float32],
) -> Iterator[Comparison]:
    """The step graph, its state fed back, against the sequence graph."""
    for t in range(inputs.shape[1]):
        steps = engine.step(inputs[:, t], state, gates=False)
        state = steps.state
        yield f"output of step {t} against sequence", steps.output, output[:, t]
        yield f"state of step {t} against sequence", state, states[:, t]


def _alone(
    engine: Engine,
    inputs: NDArray[Any],
    state: NDArray[np.float32],
    output: NDArray[np.float32],
) -> Iterator[Comparison]:
    """Each row of a batch against the same row alone."""
    for row in range(len(inputs)):
        one = slice(row, row + 1)
        yield f"row {row} alone", engine.sequence(inputs[one], state[one])[0], output[one]


def _step_alone(
    engine: Engine, inputs: NDArray[Any], state: NDArray[np.float32]
) -> Iterator[Comparison]:
    """The same for one step."""
    together = engine.step(inputs, state, gates=False)
    for row in range(len(inputs)):
        one = slice(row, row + 1)
        alone = engine.step(inputs[one], state[one], gates=False)
        yield f"step of row {row} alone", alone.state, together.state[one]


def _reference(
    engine: Engine,
    probe: Probe,
    inputs: NDArray[Any],
    state: NDArray[np.float32],
    states: NDArray[np.float32],
) -> Iterator[tuple[float, Comparison]]:
    """States and gates of every layer against the float64 equations.

    The states are the sequence graph's, the gates the step graph's.
    """
    of_steps = tolerance_of(engine.manifest)
    seen = probe.inputs_of(inputs, state)
    gates = [engine.gates_of(inputs[row], state[row], states[row]) for row in range(len(inputs))]
    for index, (layer, gru, x) in enumerate(
        zip(engine.manifest.layers, probe.gru_nodes, seen, strict=True)
    ):
        h0 = state[:, layer.span].astype(np.float64)
        trace = trace_layer(gru.weights, engine.manifest.reset, x, h0)
        for name in ("hidden", "reset", "update", "candidate"):
            expected = getattr(trace, name).transpose(1, 0, 2)
            found = _stacked(gates, name)[:, :, layer.span]
            allowed = TOLERANCE if name == "hidden" else of_steps
            yield allowed, (f"{name} of layer {index} against the equations", found, expected)


def _stacked(gates: list[Gates], name: str) -> NDArray[np.float32]:
    return np.stack([getattr(one, name) for one in gates])


def _inputs(engine: Engine, random: np.random.Generator, batch: int, time: int) -> NDArray[Any]:
    """Random windows cut from the golden inputs: numbers of the size that the model knows."""
    signature = engine.manifest.input
    if isinstance(signature, Tokens):
        return random.integers(0, signature.size, (batch, time))
    known = engine.bundle.golden()["input"]
    low, high = known.min(axis=(0, 1)), known.max(axis=(0, 1))
    drawn = random.uniform(low, high, (batch, time, signature.width))
    return drawn.astype(np.float32)
