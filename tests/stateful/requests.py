"""The requests that a history is made of, and what their callers are told."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from service.sessions.conditions import UNCONDITIONAL, Conditions
from service.sessions.sampling import Sampling

from service.errors import GatewiseError
from service.sessions.answers import Answer
from service.sessions.creation import NewSession
from service.sessions.feedback import Plan
from service.sessions.receipts import Key
from service.sessions.rollouts import RolloutRequest
from service.sessions.sessions import Sessions
from service.sessions.stepping import StepRequest
from service.stores.store import Session


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


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Time steps, inputs [T, F] or [T]."""

    session_id: str
    inputs: NDArray[Any]
    gates: bool = False
    conditions: Conditions = UNCONDITIONAL

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        request = StepRequest(self.session_id, lambda _: self.inputs, self.gates, self.conditions)
        return _told_of(await sessions.step(request))


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """Time steps, then outputs fed back."""

    session_id: str
    inputs: NDArray[Any]
    steps: int
    sampling: Sampling
    gates: bool = False
    advance: bool = True
    conditions: Conditions = UNCONDITIONAL

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        plan = Plan(self.inputs, self.steps, self.gates, self.sampling)
        request = RolloutRequest(self.session_id, lambda _: plan, self.advance, self.conditions)
        return _told_of(await sessions.rollout(request))


@dataclass(frozen=True, slots=True, eq=False)
class PutState:
    """Another state [S]; `version` is where the caller believes it to come from."""

    session_id: str
    step: int
    state: NDArray[np.float32]
    conditions: Conditions = UNCONDITIONAL
    version: int | None = None

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        session, replayed = await sessions.replace_state(
            self.session_id, self.step, self.state, self.conditions, version=self.version
        )
        return _told_of_session(session, session.state.tobytes()), replayed


@dataclass(frozen=True, slots=True, eq=False)
class Migrate:
    """To a version of the session's model, or to the latest."""

    session_id: str
    version: int | None
    conditions: Conditions = UNCONDITIONAL

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        session, replayed = await sessions.migrate(self.session_id, self.version, self.conditions)
        return _told_of_session(session), replayed


@dataclass(frozen=True, slots=True, eq=False)
class Create:
    """A session of a model, from zeros or a state [S]."""

    model: str
    new: NewSession
    state: NDArray[np.float32] | None = None
    key: Key | None = None

    async def send(self, sessions: Sessions) -> tuple[Told, bool]:
        return _told_of_birth(
            *await sessions.create(self.model, self.new, state=self.state, key=self.key)
        )


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
        return _told_of_birth(*await sessions.fork(self.source_id, self.new, self.conditions))


Change = Step | Rollout | PutState | Migrate
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


def key_of(request: Request) -> Key | None:
    return request.key if isinstance(request, Create | Fork) else request.conditions.key


def with_key(request: Changing, key: Key) -> Changing:
    """The same request, safe to retry."""
    return replace(request, conditions=replace(request.conditions, key=key))


def new_key(name: str, request: Request, body: bytes = b"the body") -> Key:
    """A key as the edge would make it for this kind of request."""
    return Key.of(name.encode(), type(request).__name__.lower().encode(), body)


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
    tensors = (gates.reset, gates.update, gates.candidate, gates.hidden) if gates else ()
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
