"""Own outputs fed back: what can be asked, and what that means for one model."""

import secrets
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.bundle.signatures.feedback import Feedback, NotFedBackError, feedback_of
from service.bundle.signatures.sampling import Sampling, ends_with
from service.errors import Fault, InvalidInput, Place
from service.operations.caller import ANYBODY, Caller
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.gates import GateSelection, check_selection
from service.operations.inputs import Inputs
from service.operations.keys import Key
from service.operations.known_ahead import Future, read_future
from service.operations.limits import Limits
from service.operations.requests import digest, tensor
from service.stores.store import Identity

MAX_ROLLOUT_STEPS = 100_000
"""Most outputs that one request may have fed back."""

_SEED_BITS = 53
"""As many as every JSON reader keeps exactly."""

_LIKELIEST = Sampling(seed=0, temperature=0.0)
_STEPS: Place = ("steps",)
_HORIZON: Place = ("horizon",)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollout of one model does: `inputs` [T, F] or [T] first, then `steps` outputs.

    Without inputs, T = 0, it begins from the session's last output. `future` [steps − 1, K] is what
    is known ahead of each step that is fed back, None where the model has no such inputs. A
    `forecast` has the outputs of the inputs too, and moves the session by the inputs alone.
    """

    inputs: NDArray[Any]
    steps: int
    gates: bool
    sampling: Sampling
    future: NDArray[np.float32] | None = None
    forecast: bool = False

    @property
    def place(self) -> Place:
        """Where the request says how far it goes."""
        return _HORIZON if self.forecast else _STEPS


@dataclass(frozen=True, slots=True)
class Rollout:
    """Time steps to begin with, then so many outputs, each fed back as the next input.

    Without inputs it begins from the output that the session has answered last. Without `advance`
    it is a look ahead that leaves the session as it is; None leaves that to the model: forecasts
    look ahead, texts go on. What concerns drawing is None where the caller leaves it to us; a
    `seed` that is left out is the same for every try of one key.
    """

    session_id: str
    inputs: Inputs | None
    steps: int
    advance: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    gates: GateSelection | None = None
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY
    future: Future = None
    drawn_with: int = field(default=-1)
    """The seed: the caller's, or one for each key, or a random one."""

    def __post_init__(self) -> None:
        """Raises InvalidInput."""
        if self.advance is False:
            self._check_no_key()
        key, seed = self.conditions.key, self.seed
        if seed is None:
            # Every try of one request draws the same, on whatever replica.
            seed = secrets.randbits(_SEED_BITS) if key is None else seed_of(key)
        object.__setattr__(self, "drawn_with", seed)

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)

    def advances(self, manifest: Manifest) -> bool:
        """Whether the session moves."""
        return not manifest.output.looks_ahead if self.advance is None else self.advance

    def plan(self, manifest: Manifest, limits: Limits) -> Plan:
        """Raises InvalidInput for what the model cannot do."""
        check_feedback(manifest, _STEPS)
        if not self.advances(manifest):
            self._check_no_key()
        self._check_sampling(manifest)
        if self.gates is not None:
            check_selection(self.gates, manifest.layers)
        inputs = _read_inputs(self.inputs, manifest)
        future = read_future(self.future, self.steps - 1, manifest.input)
        gates = self.gates is not None
        limits.check_steps(len(inputs) + self.steps - 1, manifest, gates=gates)
        temperature = 1.0 if self.temperature is None else self.temperature
        sampling = Sampling(self.drawn_with, temperature, self.top_k, self._stop(manifest))
        return Plan(inputs, self.steps, gates, sampling, future)

    def digest(self, plan: Plan, manifest: Manifest) -> bytes:
        """As of a step; `plan` as `plan` gives it."""
        sampling = plan.sampling
        gates = None if self.gates is None else self.gates.normalised(manifest.shown_names)
        drawn = (sampling.seed, sampling.temperature, sampling.top_k, sampling.stop)
        inputs, at = tensor(plan.inputs), self.conditions.at
        # What is left out as earlier releases wrote it, whose requests are retried here.
        future = () if plan.future is None else (tensor(plan.future),)
        return digest(b"rollout", self.session_id, inputs, self.steps, drawn, gates, at, *future)

    def stopped(self, shown: NDArray[Any], manifest: Manifest) -> bool | None:
        """Whether one of `stop` ended what was shown [N]; None where the model shows no texts."""
        if "stop" not in manifest.output.drawn_by or not manifest.input.written(()):
            return None
        return ends_with(shown, self._stop(manifest))

    def _check_no_key(self) -> None:
        if self.conditions.key is not None:
            raise InvalidInput.at(
                ("advance",),
                "a look ahead changes nothing and leaves no receipt; send it without a key, or "
                "with `advance` true",
            )

    def _check_sampling(self, manifest: Manifest) -> None:
        drawn_by = manifest.output.drawn_by
        how = f"drawn by {' and '.join(sorted(drawn_by))} alone" if drawn_by else "not drawn"
        why = f"the outputs of this model are {manifest.output.kind}, which are {how}"
        said = [
            Fault((name,), f"leave it out: {why}")
            for name in ("seed", "stop", "temperature", "top_k")
            if getattr(self, name) is not None and name not in drawn_by
        ]
        if said:
            raise InvalidInput(said)

    def _stop(self, manifest: Manifest) -> tuple[tuple[int, ...], ...]:
        ends = enumerate(self.stop or ())
        return tuple(manifest.input.encode_stop(end, ("stop", index)) for index, end in ends)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Time steps, and a look at the next `horizon` outputs after the last of them, each fed back
    as the next input. The session moves by the time steps alone.

    Of labels the likely ones are fed back: nothing is drawn.
    """

    session_id: str
    inputs: Inputs
    horizon: int
    gates: GateSelection | None = None
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY
    future: Future = None

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)

    def advances(self, _: Manifest) -> bool:
        return True

    def plan(self, manifest: Manifest, limits: Limits) -> Plan:
        """Raises InvalidInput for what the model cannot do."""
        if not manifest.output.looks_ahead:
            raise InvalidInput.at(
                _HORIZON, "a token model has no horizon; ask for a rollout with `advance` false"
            )
        check_feedback(manifest, _HORIZON)
        if self.gates is not None:
            check_selection(self.gates, manifest.layers)
        inputs = _read_inputs(self.inputs, manifest)
        future = read_future(self.future, self.horizon - 1, manifest.input)
        gates = self.gates is not None
        limits.check_steps(len(inputs) + self.horizon - 1, manifest, gates=gates)
        return Plan(inputs, self.horizon, gates, _LIKELIEST, future, forecast=True)

    def digest(self, plan: Plan, manifest: Manifest) -> bytes:
        """As of a step; `plan` as `plan` gives it."""
        gates = None if self.gates is None else self.gates.normalised(manifest.shown_names)
        future = None if plan.future is None else tensor(plan.future)
        inputs, at = tensor(plan.inputs), self.conditions.at
        return digest(b"forecast", self.session_id, inputs, self.horizon, future, gates, at)


def seed_of(key: Key) -> int:
    """What a request with this key draws with, where it names no seed."""
    return int.from_bytes(key.digest[:8], "little") >> (64 - _SEED_BITS)


def check_feedback(manifest: Manifest, place: Place = _STEPS) -> Feedback:
    """How the model's outputs are fed back. Raises InvalidInput where they cannot be."""
    try:
        return feedback_of(manifest.input, manifest.output)
    except NotFedBackError as error:
        raise InvalidInput.at(
            place, f"the outputs of model {manifest.name!r} are not inputs that it takes: {error}"
        ) from None


def _read_inputs(inputs: Inputs | None, manifest: Manifest) -> NDArray[Any]:
    """[T, F] or [T], T = 0 where there are none."""
    taken = manifest.input
    if inputs is None:
        return np.zeros((0, *taken.features), taken.dtype)
    read: NDArray[Any] = inputs.read((0,), taken)[0]
    return read
