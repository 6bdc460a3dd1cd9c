"""Own outputs fed back: forecasts with a horizon, text that goes on.

A rollout begins with time steps of the caller's (an observation, a prompt). The output after the
last of them is the first one shown; it is fed back, gives the second, and so on. The last one shown
has not been consumed: N outputs after T time steps of input take T + N − 1 time steps.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Row, compute
from service.bundle.manifest import Manifest
from service.bundle.signatures import Probabilities
from service.engine.engine import Engine, Gates
from service.errors import InvalidInput
from service.operations.rollout import Plan
from service.operations.sampling import Chooser
from service.sessions.answers import Result, ResultShape, shown_gates


@dataclass(frozen=True, slots=True)
class Rolled:
    """A result with N outputs, [N, O] values or [N] tokens, and the state [S] behind them."""

    result: Result
    state: NDArray[np.float32]
    steps: int
    """Time steps that were consumed."""


def shape_of_rollout(manifest: Manifest, plan: Plan) -> ResultShape:
    """How the result of a rollout is kept: N outputs, T + N − 1 rows of gates."""
    names, size = shown_gates(manifest, gates=plan.gates)
    more_gates = len(plan.inputs) - 1
    if isinstance(manifest.output, Probabilities):
        return ResultShape(np.int32, 1, names, size, more_gates)
    return ResultShape(np.float32, manifest.output.width, names, size, more_gates)


def rolling(
    engine: Engine, plan: Plan, state: NDArray[np.float32]
) -> Generator[NDArray[Any], None, Rolled]:
    """Run a plan from the state [S]: every output, [O] or a token [], as soon as it is known.

    Deterministic. Returns the whole. Raises InvalidInput where numbers overflow.
    """
    begun = compute([Row(engine, plan.inputs, state, plan.gates, alone=True)])[0]
    if isinstance(begun, Exception):
        raise begun
    _check_ready(begun.outputs[-1], engine.manifest)
    is_token = isinstance(engine.manifest.output, Probabilities)
    choose = Chooser(plan.sampling) if is_token else np.asarray
    shown = [choose(begun.outputs[-1])]
    yield shown[-1]
    gates = [begun.gates]
    state = begun.state
    while len(shown) < plan.steps and not (is_token and _stops(shown, plan.sampling.stop)):
        # Row by row through the same checks as any other step.
        stepped = compute([Row(engine, shown[-1][np.newaxis], state, plan.gates, alone=True)])[0]
        if isinstance(stepped, Exception):
            raise _explained(stepped, len(shown))
        state = stepped.state
        gates.append(stepped.gates)
        shown.append(choose(stepped.outputs[0]))
        yield shown[-1]
    outputs = np.array(shown, np.int32 if is_token else np.float32)
    parts = [part for part in gates if part is not None]
    result = Result(outputs, Gates.joined(parts, axis=0) if plan.gates else None)
    return Rolled(result, state, len(plan.inputs) + len(shown) - 1)


def _check_ready(output: NDArray[np.float32], manifest: Manifest) -> None:
    if manifest.ready_at > 1 and np.isnan(output).any():
        raise InvalidInput.at(
            ("inputs",),
            f"this model answers from step {manifest.ready_at} on: there is nothing yet to feed "
            "back; send more steps before",
        )


def _stops(shown: Sequence[NDArray[Any]], stop: tuple[tuple[int, ...], ...]) -> bool:
    return any(tuple(int(one) for one in shown[-len(end) :]) == end for end in stop)


def _explained(error: Exception, shown: int) -> Exception:
    if not isinstance(error, InvalidInput):
        return error
    return InvalidInput.at(
        ("steps",), f"the model's own outputs leave the range of float32 after {shown} of them"
    )
