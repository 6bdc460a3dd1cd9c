"""The requests that a history is made of, and what their callers are told."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.bundle.signatures.sampling import Sampling
from service.errors import GatewiseError
from service.operations import requests as operations
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.gates import ALL_GATES
from service.operations.inputs import Inputs, JsonBlock, JsonRows, TensorBlock, Text
from service.operations.keys import Key
from service.operations.requests import NewSession
from service.operations.rollout import Forecast as ForecastOperation
from service.operations.rollout import Rollout as RolloutOperation
from service.sessions.answers import Answer, Answered
from service.sessions.sessions import Sessions
from service.stores.store import Identity, Session
from tests.bundles import VOCABULARY


@dataclass(frozen=True, slots=True)
class Told:
    """All that an answer says: the retry of a keyed request must be told the very same.

    `content` is the rest of it, tensors as bytes; `answer` and `session` hold it to be read.
    """

    session_id: str
    version: int
    step: int
    revision: int
    content: tuple[object, ...]
    answer: Answer | None = field(default=None, compare=False)
    session: Session | None = field(default=None, compare=False)


def _tensor(inputs: NDArray[Any]) -> Inputs:
    return TensorBlock(inputs[np.newaxis])


def _rows(inputs: NDArray[Any]) -> Inputs:
    return JsonRows(inputs.tolist())


def _matrix_or_text(inputs: NDArray[Any]) -> Inputs:
    if inputs.ndim == 1:
        return Text("".join(VOCABULARY[token] for token in inputs))
    return JsonBlock([inputs.tolist()], inputs[np.newaxis])


def _array(inputs: NDArray[Any]) -> Inputs:
    return JsonRows(inputs.astype(np.float64) if inputs.ndim == 2 else inputs)


VARIANTS: tuple[Callable[[NDArray[Any]], Inputs], ...] = (_rows, _tensor, _matrix_or_text, _array)
"""Every way in which the same inputs may come."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Time steps, inputs [T, F] or [T], sent in one of `VARIANTS`."""

    session_id: str
    inputs: NDArray[Any]
    gates: bool = False
    conditions: Conditions = UNCONDITIONAL
    variant: int = 0

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        inputs, gates = VARIANTS[self.variant](self.inputs), ALL_GATES if self.gates else None
        request = operations.Steps.of(self.session_id, inputs, gates, self.conditions)
        return _told_of(await sessions.step(request))


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Time steps or none, then outputs fed back; `sampling` where they are tokens."""

    session_id: str
    inputs: NDArray[Any]
    steps: int
    sampling: Sampling | None = None
    gates: bool = False
    advance: bool = True
    conditions: Conditions = UNCONDITIONAL
    variant: int = 0

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        sampling = self.sampling
        request = RolloutOperation(
            self.session_id,
            VARIANTS[self.variant](self.inputs) if len(self.inputs) else None,
            self.steps,
            self.advance,
            temperature=None if sampling is None else sampling.temperature,
            top_k=None if sampling is None else sampling.top_k,
            seed=None if sampling is None else sampling.seed,
            gates=ALL_GATES if self.gates else None,
            conditions=self.conditions,
        )
        return _told_of(await sessions.rollout(request))


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Time steps, and a look ahead of the last of them."""

    session_id: str
    inputs: NDArray[Any]
    horizon: int
    gates: bool = False
    conditions: Conditions = UNCONDITIONAL
    variant: int = 0

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        request = ForecastOperation(
            self.session_id,
            VARIANTS[self.variant](self.inputs),
            self.horizon,
            ALL_GATES if self.gates else None,
            self.conditions,
        )
        return _told_of(await sessions.forecast(request))


@dataclass(frozen=True, slots=True, eq=False)
class PutState:
    """Another state [S]; `version` is where the caller believes it to come from."""

    session_id: str
    step: int
    state: NDArray[np.float32]
    conditions: Conditions = UNCONDITIONAL
    version: int | None = None

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        session, replayed = await sessions.put_state(
            operations.PutState(
                self.session_id,
                self.step,
                self.state,
                version=self.version,
                conditions=self.conditions,
            )
        )
        return _told_of_session(session, session.state.tobytes()), replayed


@dataclass(frozen=True, slots=True, eq=False)
class Migrate:
    """To a version of the session's model, or to the latest."""

    session_id: str
    version: int | None
    conditions: Conditions = UNCONDITIONAL

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        request = operations.Migrate(self.session_id, self.version, self.conditions)
        session, replayed = await sessions.migrate(request)
        return _told_of_session(session), replayed


@dataclass(frozen=True, slots=True, eq=False)
class Create:
    """A session of a model, from zeros or a state [S]."""

    model: str
    new: NewSession
    state: NDArray[np.float32] | None = None
    key: Key | None = None

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        request = operations.Create(self.model, self.new, self.state, key=self.key)
        return _told_of_birth(*await sessions.create(request))


@dataclass(frozen=True, slots=True, eq=False)
class Fork:
    """A session from another one. The key is the new one's, the other conditions the source's."""

    source_id: str
    new: NewSession
    conditions: Conditions = UNCONDITIONAL

    @property
    def key(self) -> Key | None:
        return self.conditions.key

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        request = operations.Fork(self.source_id, self.new, self.conditions)
        return _told_of_birth(*await sessions.fork(request))


Change = Step | Rollout | Forecast | PutState | Migrate
Birth = Create | Fork
Request = Change | Birth
Changing = TypeVar("Changing", bound=Change)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller was told, or why not."""

    told: Told | None
    replayed: bool
    error: GatewiseError | None


async def outcome_of(request: Request, sessions: Sessions) -> Outcome:
    try:
        told, replayed = await request.send(sessions)
    except GatewiseError as error:
        return Outcome(None, False, error)
    return Outcome(told, replayed, None)


async def outcomes_of_block(steps: Sequence[Step], sessions: Sessions) -> list[Outcome]:
    """Steps of several sessions, alike in shape and gates, sent as one block."""
    first, outcomes = steps[0], dict[int, Answer | Exception]()
    complete = asyncio.get_running_loop().create_future()

    class Collecting:
        cancelled = complete.cancelled

        def answer(self, rows: Sequence[int], outcome: Answered | Exception) -> None:
            if isinstance(outcome, Exception):
                outcome = Answered(failures=[(row, outcome) for row in rows])
            found = {row: answer for part in outcome.answers for row, answer in part.each()}
            assert sorted([*found, *dict(outcome.failures)]) == list(rows)
            outcomes.update(found)
            outcomes.update(outcome.failures)
            if len(outcomes) == len(steps):
                complete.set_result(None)

    block = operations.Steps(
        [Identity("", step.session_id) for step in steps],
        TensorBlock(np.stack([step.inputs for step in steps])),
        ALL_GATES if first.gates else None,
        [step.conditions for step in steps],
    )
    sessions.send_steps(block, Collecting())
    await complete
    return [_outcome_of(outcomes[row]) for row in range(len(steps))]


def _outcome_of(came: Answer | Exception) -> Outcome:
    if isinstance(came, Answer):
        told, replayed = _told_of(came)
        return Outcome(told, replayed, None)
    assert isinstance(came, GatewiseError), repr(came)
    return Outcome(None, False, came)


def key_of(request: Request) -> Key | None:
    return request.key if isinstance(request, Create | Fork) else request.conditions.key


def with_key(request: Changing, key: Key | None) -> Changing:
    """The same request, safe to retry."""
    return replace(request, conditions=replace(request.conditions, key=key))


def another_way(request: Request) -> Request:
    """The same request with its inputs in the next of the variants."""
    if isinstance(request, Step | Rollout | Forecast):
        return replace(request, variant=(request.variant + 1) % len(VARIANTS))
    return request


def meaning_of(request: Request) -> tuple[object, ...]:
    """What two tries of one request have in common."""
    kind = type(request).__name__
    if isinstance(request, Create):
        return kind, request.model, request.new, _bytes(request.state)
    if isinstance(request, Fork):
        return kind, request.source_id, request.new, request.conditions.at
    if isinstance(request, Migrate):
        return kind, request.session_id, request.version
    if isinstance(request, PutState):
        state = _bytes(request.state)
        return kind, request.session_id, request.step, state, request.version
    rolled: tuple[object, ...] = ()
    if isinstance(request, Rollout):
        rolled = (request.steps, request.sampling)
    elif isinstance(request, Forecast):
        rolled = (request.horizon,)
    inputs, at = _bytes(request.inputs), request.conditions.at
    return kind, request.session_id, inputs, request.gates, at, *rolled


def _bytes(array: NDArray[Any] | None) -> object:
    return None if array is None else (array.shape, array.tobytes())


def _told_of(answer: Answer) -> tuple[Told, bool]:
    told = Told(
        answer.session_id,
        answer.manifest.version,
        answer.step,
        answer.revision,
        tuple(_bits(answer)),
        answer=answer,
    )
    return told, answer.replayed


def _bits(answer: Answer) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    gates = answer.result.gates
    tensors = gates.tensors if gates else ()
    for tensor in (answer.result.outputs, *tensors):
        yield tensor.dtype.str, tensor.shape, tensor.tobytes()


def _told_of_session(session: Session, *content: object) -> Told:
    return Told(
        session.session_id,
        session.version,
        session.step,
        session.revision,
        (session.model, *content),
        session=session,
    )


def _told_of_birth(session: Session, replayed: bool) -> tuple[Told, bool]:
    lasting = (session.created_at, session.expires_at, session.ttl_seconds, session.metadata)
    return _told_of_session(session, *lasting), replayed
