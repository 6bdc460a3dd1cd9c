"""The sessions of one service: their whole life, without HTTP."""

import asyncio
import math
import secrets
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from service.batcher.batcher import Batcher
from service.batcher.waiting import Reply
from service.bundle.manifest import Manifest, is_laid_out_alike
from service.errors import (
    InvalidInput,
    SessionDamaged,
    StateMismatch,
    StoreError,
    TraceNotFound,
)
from service.operations.caller import Caller
from service.operations.limits import Limits
from service.operations.requests import (
    Create,
    Delete,
    Fork,
    Get,
    ListSessions,
    Migrate,
    PutState,
    Record,
    Steps,
)
from service.operations.rollout import Forecast, Rollout
from service.repository.models import Models
from service.sessions.admission import admit, alive
from service.sessions.answers import Answer, Answered
from service.sessions.beginning import check_width, first_state
from service.sessions.capacity import Capacity
from service.sessions.changing import change
from service.sessions.creation import Creation, chosen_id
from service.sessions.deletion import delete
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.sessions.recorder import Recorder, TraceBounds
from service.sessions.rollouts import Rollouts, Shown
from service.sessions.sequences import Sequences
from service.sessions.stepping import Stepper
from service.sessions.vectors import Vector, keeps_outputs, state_of, vector_of
from service.stores.observed import ObservedStore, stores_for_threads
from service.stores.store import Identity, Listed, Position, Session, Store
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Piece, Trace, Traces

Result = TypeVar("Result")

PURGE_LIMIT = 200
"""Most sessions forgotten at once: steps wait meanwhile."""

_PROBES = [Identity("", f"\N{NULL}probe {number}") for number in range(32)]
"""No session has these. They are on every node of a cluster, and show whether the store answers."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions in order of model and id; `cursor` continues behind them, None at the end.

    `damaged` are those among them that cannot be read.
    """

    sessions: list[Session]
    damaged: list[SessionDamaged]
    cursor: Position | None


class Sessions:
    """Create, look up, step, roll out, fork, replace, migrate, list and end sessions.

    Everything that touches the store runs on a worker of the batcher, in order of arrival for each
    session. All methods raise StoreError when the store fails, Overloaded and ShuttingDown. Where
    requests have conditions, methods raise what `admit` raises, KeyReused and SessionContended.
    What they return with a bool is True where an earlier try of the same keyed request had been
    applied.
    """

    def __init__(
        self,
        models: Models,
        store: Store,
        sequences: Sequences,
        limits: Limits,
        *,
        ttl_seconds: float,
        max_sessions: int,
        max_batch: int,
        max_queue: int,
        max_wait_seconds: float = math.inf,
        recent_bytes: int = 0,
        traces: Traces | None = None,
        trace_bounds: TraceBounds | None = None,
    ) -> None:
        """Traces are kept in memory, unless a store of them is given."""
        self.max_rows = min(max_batch, max_queue)
        """Of a block: more would take all room of a group, or of the queue."""
        self._models = models
        self._store = ObservedStore(store)
        self._stores = stores_for_threads(self._store)
        self._capacity = Capacity(self._store, max_sessions)
        self.traces: Traces = MemoryTraces() if traces is None else traces
        """Any thread may use it, and the event loop none of it."""
        self.trace_bounds = trace_bounds or TraceBounds()
        self._recorder = recorder = Recorder(self.traces, self._store.now)
        recent = Recent(recent_bytes)
        readers = [Reader(one, recent) for one in self._stores]
        self._reader = readers[0]
        self._creation = Creation(self._store, self._reader, self._capacity, ttl_seconds)
        self._batcher: Batcher[Steps, Answered] = Batcher(
            *(
                Stepper(models, one, reader, recent, limits, recorder=recorder).run
                for one, reader in zip(self._stores, readers, strict=True)
            ),
            max_batch=max_batch,
            max_queue=max_queue,
            max_wait_seconds=max_wait_seconds,
            executor=sequences.start,
            is_quick=lambda block: (
                store.is_quick
                and block.inputs.steps == 1
                # Traces have a medium of their own, for which an event loop would have to wait.
                and not (recorder.sessions and recorder.records(block.identities))
            ),
            node_of=store.node_of and partial(_node_of_key, store.node_of),
        )
        self._rollouts = Rollouts(
            models,
            self._store,
            self._reader,
            batcher=self._batcher,
            sequences=sequences,
            limits=limits,
            recorder=recorder,
        )

    def now(self) -> float:
        """The clock by which sessions and traces live."""
        return self._store.now()

    @property
    def store_failure(self) -> StoreError | None:
        """Why the latest access to the store failed; None when it went well."""
        return self._store.failure

    @property
    def clock_held(self) -> str | None:
        """Why no session expires at present; None where the clock is trusted."""
        return self._store.clock_held

    async def probe(self) -> None:
        """Raises StoreError where the store serves nobody; a failing part of it is no reason."""
        found = await self._batcher.call(object(), lambda: self._store.read(_PROBES))
        failures = [one for one in found if isinstance(one, StoreError)]
        if len(failures) == len(found):
            raise failures[0]

    async def create(self, request: Create) -> tuple[Session, bool]:
        """A new session on the version that is asked for, or the model's default one, at step 0.

        Raises what `Models.opened` raises, SessionsUnsupported, InvalidInput for a state of another
        width or constants that are not the model's, SessionExists, TooManySessions, KeyReused,
        AnswerNotKept.
        """
        new, key = request.new, request.key
        identity = request.caller.identity(chosen_id(new.session_id, key, "create"))

        def make() -> Session:
            engine = self._models.opened(request.model, request.version)
            begun = self._vector(
                engine.manifest, first_state(engine, request.state, request.constants)
            )
            return self._creation.begin(identity, new, engine.manifest, begun)

        return await self._batcher.call(
            identity, lambda: self._creation.once(identity, make, key, request.digest())
        )

    async def fork(self, request: Fork) -> tuple[Session, bool]:
        """A new session that goes on from where another one is; that one stays as it is.

        Time to live and metadata are the source's unless `new` says otherwise. Raises
        VersionWithdrawn where the source's version takes no new sessions.
        """
        source_id, new, key = request.source_id, request.new, request.conditions.key
        chosen = chosen_id(new.session_id, key, f"fork/{source_id}")
        identity = request.caller.identity(chosen)
        # The key is the new session's; the conditions are the source's.
        of_source = replace(request.conditions, key=None)

        def make() -> Session:
            found = self._reader.read_one(request.caller.identity(source_id))
            source, _ = admit(found, source_id, of_source, self._store.now())
            self._models.check_open(source.model, source.version)
            return self._creation.fork(identity, new, source)

        return await self._batcher.call(
            identity, lambda: self._creation.once(identity, make, key, request.digest())
        )

    async def get(self, request: Get) -> Session:
        """The session as it is stored; its vector is no caller's business, see `state`.

        Raises SessionNotFound, SessionFinished, SessionExpired.
        """
        identity = request.identity
        return await self._batcher.call(
            identity,
            lambda: alive(self._reader.read_one(identity), request.session_id, self._store.now()),
        )

    async def state(self, request: Get) -> Session:
        """As `get`, with the state [S] alone. Raises VersionUnavailable, SessionDamaged."""
        session = await self.get(request)
        manifest = self._models.manifest(session.model, session.version)
        return replace(session, state=state_of(session, manifest))

    async def step(self, block: Steps) -> Answer:
        """Apply a block of one row. Raises InvalidInput, VersionUnavailable."""
        outcome = (await self.start_steps(block)).only()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def start_steps(self, block: Steps) -> asyncio.Future[Answered]:
        """As `step`, in the queue when this returns. Raises Overloaded, ShuttingDown."""
        return self._batcher.submit(block.identities[0], block)

    def send_steps(self, block: Steps, reply: Reply[Answered]) -> None:
        """Apply a block, which is in the queue when this returns: the order of calls is that of
        application for each session.

        The reply is told on the event loop, once for all rows or several times for some of them
        each. Raises Overloaded, ShuttingDown.
        """
        self._batcher.enqueue(block.identities, reply, item=block)

    async def rollout(self, request: Rollout) -> Answer:
        """Feed outputs back. Raises as `step` does, and NoOutputYet."""
        return await self._rollouts.run(request)

    async def forecast(self, request: Forecast) -> Answer:
        """Apply time steps and look ahead. Raises as `step` does."""
        return await self._rollouts.run(request)

    def stream_rollout(self, request: Rollout) -> AsyncGenerator[Shown | Answer]:
        """As `rollout`, with the outputs as they are computed: see `Rollouts.stream`."""
        return self._rollouts.stream(request)

    async def put_state(self, request: PutState) -> tuple[Session, bool]:
        """Put another step count and state [S] in place.

        There is no last output any more. Raises InvalidInput for a state of another width,
        StateMismatch where it is not of the session's model or version, VersionUnavailable.
        """

        def put(session: Session) -> Session:
            _check_origin(session, request.model, request.version)
            manifest = self._models.manifest(session.model, session.version)
            check_width(request.state, manifest.state_size)
            return replace(session, step=request.step, state=self._vector(manifest, request.state))

        changed = await self._change(request, put, puts_state=True)
        return replace(changed[0], state=request.state), changed[1]

    async def migrate(self, request: Migrate) -> tuple[Session, bool]:
        """Move a session to another version of its model, by default the default one.

        Raises what `Models.opened` raises, StateMismatch where the states of the two versions
        differ, VersionUnavailable where one of them is not served here, or not yet. A version that
        was dropped can be left; one that is missing cannot, since nobody knows its layers.
        """

        def move(session: Session) -> Session:
            name = session.model
            if request.version == session.version:
                return session
            target = self._models.opened(name, request.version).manifest
            if target.version == session.version:
                return session
            source = self._models.manifest(name, session.version)
            if not is_laid_out_alike(target, source):
                raise StateMismatch(
                    session.session_id,
                    f"version {target.version} of model {name!r} has other layers than "
                    f"version {session.version}; create a new session on it",
                )
            # Another version would have answered something else.
            vector = self._vector(target, state_of(session, source))
            return replace(session, version=target.version, state=vector)

        return await self._change(request, move)

    async def delete(self, request: Delete) -> None:
        """End a session. Raises SessionNotFound, SessionFinished; an expired one can be deleted."""
        identity = request.identity

        def end() -> None:
            if delete(self._store, self._reader, identity, request.conditions):
                self._capacity.ended()

        await self._batcher.call(identity, end)

    async def record(self, request: Record) -> tuple[Trace, bool]:
        """A trace of what the session does from now on; the one that is running, and True, where
        one is.

        Raises SessionNotFound, SessionFinished, SessionExpired, VersionUnavailable, InvalidInput
        for more bytes than a trace may have, TooManyTraces.
        """
        identity, bounds = request.identity, self.trace_bounds
        if request.max_bytes is not None and not 0 < request.max_bytes <= bounds.max_bytes:
            raise InvalidInput.at(
                ("max_bytes",), f"a trace may have 1 to {bounds.max_bytes} bytes (--trace-bytes)"
            )

        def begin() -> tuple[Trace, bool]:
            now = self._store.now()
            session = alive(self._reader.read_one(identity), request.session_id, now)
            for trace in self.traces.of_tenant(*identity):
                if trace.expires_at > now and trace.model == session.model:
                    return trace, True
            manifest = self._models.manifest(session.model, session.version)
            trace = _trace_of(session, request, now, bounds)
            begun = _where_it_begins(session, manifest)
            self._recorder.begin(trace, [begun], most=bounds.most)
            return trace, False

        return await self._batcher.call(identity, begin)

    async def stop_recording(self, caller: Caller, trace_id: str) -> None:
        """Delete a trace, whether it records a session or not. Raises TraceNotFound."""
        if not await asyncio.to_thread(self._recorder.end, caller.tenant, trace_id):
            raise TraceNotFound(trace_id)

    async def refresh_recordings(self) -> None:
        """See what other processes have begun to record, or ended."""
        await asyncio.to_thread(self._recorder.refresh)

    async def purge_traces(self) -> int:
        """Forget what has expired, but nothing while the clock is not trusted; returns how many."""
        if self._store.clock_held is not None:
            return 0
        return await asyncio.to_thread(self.traces.purge, self._store.now())

    async def page(self, request: ListSessions) -> Page:
        """Live sessions behind a place, and which of those there cannot be read."""
        read = partial(
            self._store.page,
            tenant=request.caller.tenant,
            model=request.model,
            after=request.after,
            limit=request.limit,
        )
        found: list[Listed] = await self._batcher.call(object(), read)
        now = self._store.now()
        live = [one for one in found if isinstance(one, Session) and one.expires_at > now]
        damaged = [one for one in found if isinstance(one, SessionDamaged)]
        end = (found[-1].model, found[-1].session_id) if len(found) == request.limit else None
        return Page(live, damaged, end)

    async def purge(self, retention_seconds: float) -> int:
        """Forget what expired longer ago than `retention_seconds`; returns how many.

        Nothing while the clock is not trusted.
        """

        def forget() -> int:
            if self._store.clock_held is not None:
                return 0
            return self._store.purge(self._store.now() - retention_seconds, PURGE_LIMIT)

        purged = 0
        while some := await self._batcher.call(object(), forget):
            purged += some
        return purged

    async def keep_clock(self) -> None:
        """Compare the store's clock with what it showed before."""
        await self._batcher.call(object(), self._store.refresh_clock)

    async def count(self) -> None:
        """Ask the store how many live, for the metrics and for the bound on their number."""
        await self._batcher.call(object(), self._capacity.count)

    async def close(self) -> None:
        """Finish what is under way, then release the store."""
        await self._batcher.close()
        await asyncio.to_thread(self._recorder.close)
        for one in self._stores:
            one.close()

    def _vector(self, manifest: Manifest, state: Vector) -> Vector:
        """Of a session that has answered nothing since it was in this state."""
        return vector_of(manifest, state, keeps_output=keeps_outputs(self._store, manifest))

    async def _change(
        self,
        request: PutState | Migrate,
        apply: Callable[[Session], Session],
        *,
        puts_state: bool = False,
    ) -> tuple[Session, bool]:
        def make() -> tuple[Session, bool]:
            changed = change(self._store, self._reader, request, apply, puts_state=puts_state)
            self._recorder.interrupted(request.identity)
            return changed

        return await self._batcher.call(request.identity, make)


def _node_of_key(node_of: Callable[[Identity], object], key: object) -> object:
    """Calls that are not about one session have keys of other kinds, and are of no node."""
    return node_of(key) if isinstance(key, Identity) else None


def _check_origin(session: Session, model: str | None, version: int | None) -> None:
    if model not in (None, session.model) or version not in (None, session.version):
        raise StateMismatch(
            session.session_id,
            f"this state is of model {model or session.model!r}, version "
            f"{version or session.version}; session {session.session_id!r} runs on "
            f"{session.model!r}, version {session.version}",
        )


def _trace_of(session: Session, request: Record, now: float, bounds: TraceBounds) -> Trace:
    ttl_seconds = bounds.ttl_seconds if request.ttl_seconds is None else request.ttl_seconds
    return Trace(
        session.tenant,
        secrets.token_hex(8),
        session.session_id,
        session.model,
        session.version,
        now,
        now + ttl_seconds,
        bounds.max_bytes if request.max_bytes is None else request.max_bytes,
        request.about,
    )


def _where_it_begins(session: Session, manifest: Manifest) -> Piece:
    """No step, but the state that the first one will find."""
    nothing = np.zeros((0, *manifest.input.features), manifest.input.dtype)
    state = state_of(session, manifest)
    revision = session.revision
    return Piece(session.step, session.version, session.changes, 0, revision, nothing, state)
