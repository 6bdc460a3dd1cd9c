"""Own outputs fed back: what can be asked, and what that means for one model."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.bundle.signatures import Probabilities, Tokens, Values
from service.errors import Fault, InvalidInput
from service.operations.caller import ANYBODY, Caller
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.gates import GateSelection, check_selection
from service.operations.inputs import Inputs, encode_text
from service.operations.keys import Key
from service.operations.limits import Limits
from service.operations.requests import digest, tensor
from service.operations.sampling import Sampling
from service.stores.store import Identity

_SEED_BITS = 53
"""As many as every JSON reader keeps exactly."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rollout of one model does: `inputs` [T, F] or [T] first, then `steps` outputs."""

    inputs: NDArray[Any]
    steps: int
    gates: bool
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Rollout:
    """Time steps to begin with, then so many outputs, each fed back as the next input.

    Without `advance` it is a look ahead that leaves the session as it is. What concerns drawing
    tokens is None where the caller leaves it to us; a `seed` that is left out is the same for
    every try of one key.
    """

    session_id: str
    inputs: Inputs
    steps: int
    advance: bool = True
    temperature: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    gates: GateSelection | None = None
    conditions: Conditions = UNCONDITIONAL
    caller: Caller = ANYBODY
    drawn_with: int = field(default=-1)
    """The seed: the caller's, or one for each key, or a random one."""

    def __post_init__(self) -> None:
        """Raises InvalidInput."""
        key = self.conditions.key
        if key is not None and not self.advance:
            raise InvalidInput.at(
                ("advance",),
                "a look ahead changes nothing and leaves no receipt; send it without a key",
            )
        seed = self.seed
        if seed is None:
            # Every try of one request draws the same, on whatever replica.
            seed = secrets.randbits(_SEED_BITS) if key is None else seed_of(key)
        object.__setattr__(self, "drawn_with", seed)

    @property
    def identity(self) -> Identity:
        return self.caller.identity(self.session_id)

    def plan(self, manifest: Manifest, limits: Limits) -> Plan:
        """Raises InvalidInput for what the model cannot do."""
        check_feedback(manifest)
        self._check_sampling(manifest)
        if self.gates is not None:
            check_selection(self.gates, manifest.layers)
        inputs = self.inputs.read((0,), manifest.input)[0]
        gates = self.gates is not None
        limits.check_steps(len(inputs) + self.steps - 1, manifest, gates=gates)
        temperature = 1.0 if self.temperature is None else self.temperature
        sampling = Sampling(self.drawn_with, temperature, self.top_k, self._stop(manifest))
        return Plan(inputs, self.steps, gates, sampling)

    def digest(self, plan: Plan, manifest: Manifest) -> bytes:
        """As of a step; `plan` as `plan` gives it."""
        sampling = plan.sampling
        gates = None if self.gates is None else self.gates.normalised(manifest.shown_names)
        drawn = (sampling.seed, sampling.temperature, sampling.top_k, sampling.stop)
        inputs, at = tensor(plan.inputs), self.conditions.at
        return digest(b"rollout", self.session_id, inputs, self.steps, drawn, gates, at)

    def _check_sampling(self, manifest: Manifest) -> None:
        said = [
            Fault((name,), "only token models draw; this one's outputs are values")
            for name in ("seed", "stop", "temperature", "top_k")
            if getattr(self, name) is not None
        ]
        if said and not isinstance(manifest.output, Probabilities):
            raise InvalidInput(said)

    def _stop(self, manifest: Manifest) -> tuple[tuple[int, ...], ...]:
        ends = (
            encode_text(end, manifest.input, ("stop", index))
            for index, end in enumerate(self.stop or ())
        )
        return tuple(tuple(end.tolist()) for end in ends)


def seed_of(key: Key) -> int:
    """What a request with this key draws with, where it names no seed."""
    return int.from_bytes(key.digest[:8], "little") >> (64 - _SEED_BITS)


def check_feedback(manifest: Manifest) -> None:
    """Raises InvalidInput for a model whose outputs are not inputs of its own."""
    taken, given = manifest.input, manifest.output
    feeds_tokens = (
        isinstance(taken, Tokens) and isinstance(given, Probabilities) and taken.size == given.width
    )
    feeds_values = (
        isinstance(taken, Values)
        and isinstance(given, Values)
        and (taken.names, taken.units) == (given.names, given.units)
    )
    if not (feeds_tokens or feeds_values):
        raise InvalidInput.at(
            ("steps",), f"the outputs of model {manifest.name!r} are not inputs that it takes"
        )
