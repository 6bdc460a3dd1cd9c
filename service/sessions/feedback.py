"""Own outputs fed back: forecasts with a horizon, text that goes on.

A rollout begins with time steps of the caller's (an observation, a prompt), or with the last output
of the session. The output after the last of them is the first one shown; it is fed back, gives the
second, and so on. The last one shown has not been consumed: N outputs after T time steps of input
take T + N − 1 time steps.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Computed, Row, compute
from service.bundle.manifest import Manifest
from service.bundle.signatures.feedback import feedback_of
from service.bundle.signatures.sampling import ends_with
from service.engine.engine import Engine, Gates
from service.errors import InvalidInput
from service.operations.rollout import Plan
from service.sessions.answers import Result, ResultShape, shown_gates


@dataclass(frozen=True, slots=True)
class Rolled:
    """A result with what was shown, [N, O] or [N] tokens, and what it leaves of the session: the
    state [S] and the last output [O]."""

    result: Result
    state: NDArray[np.float32]
    output: NDArray[np.float32]
    inputs: NDArray[Any]
    """The time steps that were consumed, [n, F] or [n]: the caller's, and what was fed back."""

    @property
    def steps(self) -> int:
        """n."""
        return len(self.inputs)


Rolling = Generator[NDArray[Any], None, Rolled]
"""Every output of a rollout, [O] or a token [], or of a forecast those behind the inputs', as soon
as it is known; then the whole."""


def shape_of_rollout(manifest: Manifest, plan: Plan) -> ResultShape:
    """How the result is kept: N outputs, and a row of gates for each time step consumed.

    N is the steps of a rollout, of which T + N − 1 are consumed. A forecast has the outputs of its
    inputs too, so that N is T + steps − 1, of which T are consumed.
    """
    names, size = shown_gates(manifest, gates=plan.gates)
    if plan.forecast:
        return ResultShape(np.float32, manifest.output.width, names, size, 1 - plan.steps)
    given = manifest.output
    return ResultShape(given.shown_dtype, given.shown_width, names, size, len(plan.inputs) - 1)


def rolling(
    engine: Engine,
    plan: Plan,
    state: NDArray[np.float32],
    output: NDArray[np.float32] | None = None,
) -> Rolling:
    """Run a plan from the state [S] and, where it has no inputs, the last output [O].

    Deterministic. Raises InvalidInput where numbers overflow, or there is nothing to feed back yet.
    """
    begun = _begun(engine, plan, state, output)
    _check_ready(begun.outputs[-1], engine.manifest)
    run = _forecast if plan.forecast else _rollout
    return (yield from run(_Loop(engine, plan), begun))


class _Loop:
    """Feeds outputs back, one after the other."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self.engine = engine
        self.plan = plan
        self.choose = engine.manifest.output.chooser(plan.sampling)
        self._next_input = feedback_of(engine.manifest.input, engine.manifest.output)
        self.fed: list[NDArray[Any]] = []
        """What was fed back, [1, F] or [1] each."""

    def step(
        self, shown: Sequence[NDArray[Any]], state: NDArray[np.float32], *, gates: bool
    ) -> Computed:
        """What the last of those shown gives when it is fed back."""
        future = self.plan.future
        known = None if future is None else future[len(shown) - 1]
        inputs = self._next_input(shown[-1], known)[np.newaxis]
        # Row by row through the same checks as any other step.
        stepped = compute([Row(self.engine, inputs, state, gates, alone=True)])[0]
        if isinstance(stepped, Exception):
            raise _explained(stepped, self.plan, len(shown))
        self.fed.append(inputs)
        return stepped


def _rollout(loop: _Loop, begun: Computed) -> Rolling:
    """What was chosen after the last input, and of every output that was fed back."""
    plan, manifest = loop.plan, loop.engine.manifest
    shown = [loop.choose(begun.outputs[-1])]
    yield shown[-1]
    latest, gates = begun, [begun.gates]
    while len(shown) < plan.steps and not ends_with(shown, plan.sampling.stop):
        latest = loop.step(shown, latest.state, gates=plan.gates)
        gates.append(latest.gates)
        shown.append(loop.choose(latest.outputs[-1]))
        yield shown[-1]
    result = Result(np.array(shown, manifest.output.shown_dtype), _joined(gates))
    consumed = np.concatenate([plan.inputs, *loop.fed], dtype=plan.inputs.dtype)
    return Rolled(result, latest.state, latest.outputs[-1], consumed)


def _forecast(loop: _Loop, begun: Computed) -> Rolling:
    """The outputs themselves, those of the inputs too; it leaves the session behind the inputs."""
    latest, outputs, fed = begun, [begun.outputs], [loop.choose(begun.outputs[-1])]
    while len(fed) < loop.plan.steps:
        latest = loop.step(fed, latest.state, gates=False)
        outputs.append(latest.outputs)
        fed.append(loop.choose(latest.outputs[-1]))
        yield latest.outputs[-1]
    result = Result(np.concatenate(outputs), begun.gates)
    return Rolled(result, begun.state, begun.outputs[-1], loop.plan.inputs)


def _begun(
    engine: Engine, plan: Plan, state: NDArray[np.float32], output: NDArray[np.float32] | None
) -> Computed:
    """With an output [1 or T, O] to go on from."""
    if not len(plan.inputs):
        assert output is not None
        return Computed(output[np.newaxis], state, _no_gates(engine.manifest, plan))
    begun = compute([Row(engine, plan.inputs, state, plan.gates, alone=True)])[0]
    if isinstance(begun, Exception):
        raise begun
    return begun


def _no_gates(manifest: Manifest, plan: Plan) -> Gates | None:
    """Of no time step."""
    if not plan.gates:
        return None
    nothing = np.zeros((0, manifest.gate_size), np.float32)
    return Gates(manifest.shown_names, (nothing,) * len(manifest.shown_names))


def _joined(gates: Sequence[Gates | None]) -> Gates | None:
    parts = [part for part in gates if part is not None]
    return Gates.joined(parts, axis=0) if parts else None


def _check_ready(output: NDArray[np.float32], manifest: Manifest) -> None:
    if manifest.ready_at > 1 and np.isnan(output).any():
        raise InvalidInput.at(
            ("inputs",),
            f"this model answers from step {manifest.ready_at} on: there is nothing yet to feed "
            "back; send more steps before",
        )


def _explained(error: Exception, plan: Plan, shown: int) -> Exception:
    if not isinstance(error, InvalidInput):
        return error
    return InvalidInput.at(
        plan.place, f"the model's own outputs leave the range of float32 after {shown} of them"
    )
