"""The sessions of one service: their whole life, without HTTP."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.batcher.batcher import Batcher
from service.batcher.waiting import Reply
from service.engine.models import Models
from service.errors import (
    Fault,
    InvalidInput,
    SessionContended,
    SessionNotFound,
    StateMismatch,
    StoreError,
)
from service.sessions.answers import Answer
from service.sessions.births import Births, NewSession, chosen_id
from service.sessions.capacity import Capacity
from service.sessions.changing import MAX_ATTEMPTS, change
from service.sessions.conditions import UNCONDITIONAL, Conditions, admit, alive
from service.sessions.receipts import Key
from service.sessions.recent import Recent
from service.sessions.rollouts import RolloutRequest, Rollouts, Shown
from service.sessions.sequences import Sequences
from service.sessions.stepping import Stepper, StepRequest
from service.stores.observed import ObservedStore, lanes_of
from service.stores.store import Position, Session, Store

PURGE_LIMIT = 200
"""Most sessions forgotten at once: steps wait meanwhile."""

_PROBES = [f"\N{NULL}probe {number}" for number in range(32)]
"""Ids that no session has, on every node of a cluster: they show whether the store answers."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions in order of model and id; `cursor` continues behind them, None at the end."""

    sessions: list[Session]
    cursor: Position | None


class Sessions:
    """Create, look up, step, roll out, fork, replace, migrate, list and end sessions.

    Everything that touches the store runs on the batcher's thread, in order of arrival for each
    session. All methods raise StoreError when the store fails, Overloaded and ShuttingDown.
    Where they take conditions they raise what `admit` raises, and SessionContended. What they
    return with a bool is True where an earlier try of the same keyed request had been applied.
    """

    def __init__(
        self,
        models: Models,
        store: Store,
        clock: Callable[[], float],
        sequences: Sequences,
        *,
        ttl_seconds: float,
        max_sessions: int,
        max_batch: int,
        max_queue: int,
        max_wait_seconds: float = math.inf,
        recent_bytes: int = 0,
    ) -> None:
        self._models = models
        self._store = ObservedStore(store)
        self._lanes = lanes_of(self._store)
        self._clock = clock
        self._capacity = Capacity(self._store, clock, max_sessions)
        self._births = Births(self._store, clock, self._capacity, ttl_seconds)
        recent = Recent(recent_bytes)
        self._batcher: Batcher[StepRequest, Answer] = Batcher(
            *(Stepper(models, lane, clock, recent).run for lane in self._lanes),
            max_batch=max_batch,
            max_queue=max_queue,
            max_wait_seconds=max_wait_seconds,
            elsewhere=sequences.start,
        )
        self._rollouts = Rollouts(models, self._store, clock, self._batcher, sequences)

    @property
    def store_failure(self) -> StoreError | None:
        """Why the latest access to the store failed; None when it went well."""
        return self._store.failure

    async def probe(self) -> None:
        """Raises StoreError where the store serves nobody; a failing part of it is no reason."""
        await self._batcher.call(object(), lambda: self._store.read(_PROBES))

    async def create(
        self,
        model: str,
        new: NewSession,
        *,
        state: NDArray[np.float32] | None = None,
        key: Key | None = None,
    ) -> tuple[Session, bool]:
        """A new session on the model's latest version, at step 0.

        `state` [S] replaces the zeros it would start from. Raises ModelNotFound, InvalidInput for
        a state of another width, SessionExists, TooManySessions, KeyReused.
        """
        session_id = chosen_id(new.session_id, key, "create")

        def make() -> Session:
            engine = self._models.latest(model)
            _check_state(state, engine.manifest.state_size)
            begun = engine.initial_states(1)[0] if state is None else state
            return self._births.begin(session_id, new, engine.manifest, begun)

        return await self._batcher.call(
            session_id, lambda: self._births.once(session_id, make, key)
        )

    async def fork(
        self, source_id: str, new: NewSession, conditions: Conditions
    ) -> tuple[Session, bool]:
        """A new session that goes on from where another one is; that one stays as it is.

        Time to live and metadata are the source's unless `new` says otherwise.
        """
        key = conditions.key
        session_id = chosen_id(new.session_id, key, f"fork/{source_id}")
        # The key is the new session's; the conditions are the source's.
        of_source = replace(conditions, key=None)

        def make() -> Session:
            found = self._store.read([source_id])[0]
            source, _ = admit(found, source_id, of_source, self._clock())
            return self._births.fork(session_id, new, source)

        return await self._batcher.call(
            session_id, lambda: self._births.once(session_id, make, key)
        )

    async def get(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionExpired."""
        return await self._batcher.call(
            session_id,
            lambda: alive(self._store.read([session_id])[0], session_id, self._clock()),
        )

    async def step(self, request: StepRequest) -> Answer:
        """Apply time steps. Raises InvalidInput, VersionUnavailable."""
        return await self.start_step(request)

    def start_step(self, request: StepRequest) -> asyncio.Future[Answer]:
        """As `step`, in the queue when this returns: the order of calls is that of application.

        Raises Overloaded and ShuttingDown at once; the rest is the future's.
        """
        return self._batcher.submit(request.session_id, request)

    def send_step(self, request: StepRequest, reply: Reply[Answer]) -> None:
        """As `start_step`; the reply is told on the event loop, without a turn of its own."""
        self._batcher.enqueue(request.session_id, reply, item=request)

    async def rollout(self, request: RolloutRequest) -> Answer:
        """Apply time steps and feed the outputs back. Raises as `step` does."""
        return await self._rollouts.run(request)

    def stream_rollout(self, request: RolloutRequest) -> AsyncGenerator[Shown | Answer]:
        """As `rollout`, with the outputs as they are computed: see `Rollouts.stream`."""
        return self._rollouts.stream(request)

    async def replace_state(
        self,
        session_id: str,
        step: int,
        state: NDArray[np.float32],
        conditions: Conditions = UNCONDITIONAL,
        *,
        model: str | None = None,
        version: int | None = None,
    ) -> tuple[Session, bool]:
        """Put another step count and state [S] in place.

        Raises StateMismatch where `model` or `version` are given and not the session's.
        """

        def put(session: Session) -> Session:
            _check_origin(session, model, version)
            _check_state(state, len(session.state))
            return replace(session, step=step, state=state)

        session, replayed = await self._change(session_id, conditions, put)
        return replace(session, state=state), replayed

    async def migrate(
        self, session_id: str, version: int | None, conditions: Conditions
    ) -> tuple[Session, bool]:
        """Move a session to another version of its model, by default the latest.

        Raises VersionNotFound, StateMismatch where the layers of the two versions differ,
        VersionUnavailable where one of them is not served here, or not yet.
        """

        def move(session: Session) -> Session:
            chosen = version or self._models.versions(session.model)[-1]
            if chosen == session.version:
                return session
            target = self._models.wanted(session.model, chosen).manifest
            present = self._models.version(session.model, session.version).manifest
            if target.layers != present.layers:
                raise StateMismatch(
                    session_id,
                    f"version {target.version} of model {session.model!r} has other layers than "
                    f"version {session.version}; create a new session on it",
                )
            return replace(session, version=target.version)

        return await self._change(session_id, conditions, move)

    async def delete(self, session_id: str, conditions: Conditions = UNCONDITIONAL) -> None:
        """End a session. Raises SessionNotFound; an expired one can be deleted."""
        await self._batcher.call(session_id, lambda: self._delete(session_id, conditions))

    async def page(self, *, model: str | None, after: Position, limit: int) -> Page:
        """Live sessions behind a position, at most `limit`, optionally of one model."""
        read = partial(self._store.page, model=model, after=after, limit=limit)
        found = await self._batcher.call(object(), read)
        now = self._clock()
        live = [session for session in found if session.expires_at > now]
        end = (found[-1].model, found[-1].session_id) if len(found) == limit else None
        return Page(live, end)

    async def purge(self, retention_seconds: float) -> int:
        """Forget what expired longer ago than `retention_seconds`; returns how many."""
        forget = partial(self._store.purge, self._clock() - retention_seconds, PURGE_LIMIT)
        purged = 0
        while some := await self._batcher.call(object(), forget):
            purged += some
        return purged

    async def count(self) -> None:
        """Ask the store how many live, for the metrics and for the bound on their number."""
        await self._batcher.call(object(), self._capacity.count)

    async def close(self) -> None:
        """Finish what is under way, then release the store."""
        await self._batcher.close()
        for lane in self._lanes:
            lane.close()

    async def _change(
        self, session_id: str, conditions: Conditions, apply: Callable[[Session], Session]
    ) -> tuple[Session, bool]:
        return await self._batcher.call(
            session_id, lambda: change(self._store, self._clock, session_id, conditions, apply)
        )

    def _delete(self, session_id: str, conditions: Conditions) -> None:
        """By its revision: a late command must not end a session made anew under the id."""
        for _ in range(MAX_ATTEMPTS):
            found = self._store.read([session_id])[0]
            if found is None:
                raise SessionNotFound(session_id)
            if conditions.if_match is not None:
                admit(found, session_id, conditions, self._clock())
            if isinstance(found, StoreError):
                raise found
            if self._store.delete(session_id, found.revision):
                if found.expires_at > self._clock():
                    self._capacity.ended()
                return
        raise SessionContended(session_id)


def _check_origin(session: Session, model: str | None, version: int | None) -> None:
    if model not in (None, session.model) or version not in (None, session.version):
        raise StateMismatch(
            session.session_id,
            f"this state is of model {model or session.model!r}, version "
            f"{version or session.version}; session {session.session_id!r} runs on "
            f"{session.model!r}, version {session.version}",
        )


def _check_state(state: NDArray[np.float32] | None, state_size: int) -> None:
    if state is not None and len(state) != state_size:
        raise InvalidInput(
            [Fault("$.state", f"{len(state)} numbers, but this model's state has {state_size}")]
        )
