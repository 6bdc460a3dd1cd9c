"""The traces of one service: made, recorded, found, looked into."""

import asyncio
import secrets
from collections.abc import Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.analysis.interventions import check
from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.errors import (
    AskedTooMuch,
    InvalidInput,
    TraceEmpty,
    TraceNotFound,
)
from service.operations.caller import Caller
from service.operations.inputs import Inputs
from service.operations.requests import Get
from service.operations.traces import (
    Asked,
    Comparison,
    ForkTrace,
    Intervene,
    Look,
    NewTrace,
    RecordSession,
    TraceInputs,
)
from service.repository.models import Models
from service.sessions.beginning import first_state
from service.sessions.recorder import Recorder
from service.sessions.sequences import Sequences, slices
from service.sessions.sessions import Sessions
from service.stores.traces.traces import Piece, Trace
from service.stores.traces.traces import Traces as TraceStore
from service.traces.about import About
from service.traces.asking import Answer, Working
from service.traces.comparing import comparison
from service.traces.kept import Kept
from service.traces.pieces import MOST_STEPS, Pieces
from service.traces.run import Run, run_of
from service.traces.views import VIEWS


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A trace, and the steps that it has now; `run` is None where it has none yet."""

    trace: Trace
    about: About
    manifest: Manifest
    run: Run | None
    size: int
    """Bytes that it takes in the store."""


class Traces:
    """Everything that touches the store runs on a thread, everything that computes on that of the
    sequences, slice by slice.

    All methods raise StoreError when the store fails, and Overloaded. A trace that has expired is
    not found.
    """

    def __init__(
        self,
        models: Models,
        sessions: Sessions,
        sequences: Sequences,
        store: TraceStore,
        recorder: Recorder,
        *,
        most: int,
        trace_bytes: int,
        cache_bytes: int,
        ttl_seconds: float,
    ) -> None:
        self._models = models
        self._sessions = sessions
        self._sequences = sequences
        self._store = store
        self._recorder = recorder
        self._pieces = Pieces(store, cache_bytes // 4)
        self._kept = Kept(cache_bytes - cache_bytes // 4)
        self._most = most
        self._trace_bytes = trace_bytes
        self._ttl_seconds = ttl_seconds

    async def create(self, request: NewTrace) -> tuple[Described, bool]:
        """A new trace; or the one that records the session already, and False.

        Raises InvalidInput, AskedTooMuch, TooManyTraces, TraceNotFound for a source, SessionNotFound
        and what else `Sessions.get` and `Models.opened` raise.
        """
        if isinstance(request, RecordSession):
            return await self._record(request)
        if isinstance(request, ForkTrace):
            made = await self._fork(request)
        elif isinstance(request, Intervene):
            made = await self._intervene(request)
        else:
            made = await self._given(request)
        await asyncio.to_thread(self._store.create, made.trace, made.pieces, most=self._most)
        return await self.find(Asked(made.trace.trace_id, request.caller)), True

    async def find(self, asked: Asked) -> Described:
        """Raises TraceNotFound, and what `Models.version` raises."""
        trace = await self._find(asked)
        return await self._described(trace)

    async def list(self, caller: Caller, session_id: str | None) -> list[Described]:
        """All that live, the latest first; those whose version is not served here are left out."""
        found = await asyncio.to_thread(self._store.of_tenant, caller.tenant, session_id)
        live = [one for one in found if one.expires_at > self._sessions.now()]
        live.sort(key=lambda one: -one.created_at)
        return [
            await self._described(one) for one in live if (one.model, one.version) in self._models
        ]

    async def delete(self, asked: Asked) -> None:
        """Raises TraceNotFound."""
        trace = await self._find(asked)
        await asyncio.to_thread(self._store.delete, trace.tenant, trace.trace_id)
        self._pieces.forget(trace)
        if trace.session_id is not None:
            await asyncio.to_thread(self._recorder.refresh)

    async def look(self, asked: Look) -> Any:
        """What a view shows of a trace. Raises TraceNotFound, TraceEmpty, InvalidInput,
        AskedTooMuch."""
        run = await self._run(asked)
        if isinstance(asked, Comparison):
            other = await self._run(Asked(asked.other_id, asked.caller))
            return await self._work(comparison(run, other, asked))
        return await self._work(VIEWS[type(asked)](run, asked))

    async def run(self, asked: Asked) -> Run:
        """The steps of a trace, for whoever needs more than one view of them."""
        return await self._run(asked)

    async def _find(self, asked: Asked) -> Trace:
        tenant, trace_id = asked.caller.tenant, asked.trace_id
        trace = await asyncio.to_thread(self._store.find, tenant, trace_id)
        if trace is None or trace.expires_at <= self._sessions.now():
            raise TraceNotFound(
                f"there is no trace {trace_id!r}; it may have expired or been deleted"
            )
        return trace

    async def _described(self, trace: Trace) -> Described:
        about = About.of(trace.about)
        found = await asyncio.to_thread(self._pieces.of, trace)
        if found is None:
            manifest = self._models.manifest(trace.model, trace.version)
            return Described(trace, about, manifest, None, 0)
        engine = self._models.version(trace.model, found.version)
        run = run_of(trace, found, engine, about.interventions, self._kept)
        return Described(trace, about, engine.manifest, run, found.size)

    async def _run(self, asked: Asked) -> Run:
        described = await self.find(asked)
        if described.run is None:
            raise TraceEmpty(
                f"trace {asked.trace_id!r} has no steps yet: it has those that session "
                f"{described.trace.session_id!r} is given from now on"
            )
        return described.run

    async def _given(self, request: TraceInputs) -> "_Made":
        engine = self._models.opened(request.model, request.version)
        manifest = engine.manifest
        state = first_state(engine, request.state, request.constants)
        if request.inputs is None:
            inputs = engine.bundle.sample()[:MOST_STEPS]
        else:
            inputs = _read(request.inputs, manifest)
        return self._made(request, engine, About("given"), 0, inputs, state)

    async def _fork(self, request: ForkTrace) -> "_Made":
        source = await self._run(Asked(request.trace_id, request.caller))
        if not source.begin <= request.at <= source.end:
            raise InvalidInput.at(
                ("at",),
                f"the trace can be forked after {source.begin} to {source.end} steps, "
                f"not after {request.at}",
            )
        inputs = _read(request.inputs, source.manifest)
        state = await self._work(_state_after(source, request.at))
        about = About("fork", request.trace_id, request.at)
        return self._made(request, source.engine, about, request.at, inputs, state)

    async def _intervene(self, request: Intervene) -> "_Made":
        source = await self._run(Asked(request.trace_id, request.caller))
        made = [one.within(source.begin, source.end) for one in request.changes]
        check(made, source.layers, source.begin, source.end)
        if source.engine.inspection is None:
            raise InvalidInput.at(
                ("interventions",),
                f"version {source.manifest.version} of model {source.manifest.name!r} was published "
                "without a graph whose gates can be set; publish it again",
            )
        together = (*source.interventions, *made)
        about = About("intervention", request.trace_id, None, together)
        state = source.states[source.begin]
        return self._made(request, source.engine, about, source.begin, source.inputs, state)

    def _made(
        self,
        request: TraceInputs | ForkTrace | Intervene,
        engine: Engine,
        about: About,
        step: int,
        inputs: NDArray[Any],
        state: NDArray[np.float32],
    ) -> "_Made":
        trace = self._trace(request, engine.manifest, about, None, self._trace_bytes)
        version = engine.manifest.version
        piece = Piece(step, version, 0, 0, 1, np.ascontiguousarray(inputs), state)
        if piece.size > self._trace_bytes:
            raise AskedTooMuch(
                f"the inputs take {piece.size} bytes, a trace may keep {self._trace_bytes}; send "
                "fewer steps, or start the service with a larger --trace-bytes"
            )
        return _Made(trace, [piece])

    async def _record(self, request: RecordSession) -> tuple[Described, bool]:
        caller = request.caller
        session = await self._sessions.get(Get(request.session_id, caller))
        engine = self._models.version(session.model, session.version)
        for one in await self.list(caller, request.session_id):
            if one.about.kind == "recorded":
                return one, False
        most = min(request.max_bytes or self._trace_bytes, self._trace_bytes)
        about = About("recorded", begun=session.step)
        trace = self._trace(request, engine.manifest, about, request.session_id, most)
        await asyncio.to_thread(self._store.create, trace, [], most=self._most)
        await asyncio.to_thread(self._recorder.refresh)
        return await self._described(trace), True

    def _trace(
        self,
        request: NewTrace,
        manifest: Manifest,
        about: About,
        session_id: str | None,
        max_bytes: int,
    ) -> Trace:
        now = self._sessions.now()
        return Trace(
            request.caller.tenant,
            secrets.token_urlsafe(12),
            session_id,
            manifest.name,
            manifest.version,
            now,
            now + (request.ttl_seconds or self._ttl_seconds),
            max_bytes,
            about.packed(),
        )

    async def _work(self, work: Working[Answer]) -> Answer:
        """On the thread of the sequences, with turns for others."""

        def parts() -> Generator[list[Answer], None, None]:
            answer = yield from _as_lists(work)
            yield [answer]

        last: list[Answer] = []
        turns = self._sequences.take_turns(slices(parts()))
        async with aclosing(turns) as taken:
            async for some in taken:
                last = some[-1]
        return last[0]


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    trace: Trace
    pieces: Sequence[Piece]


def _as_lists(work: Working[Answer]) -> Generator[list[Answer], None, Answer]:
    while True:
        try:
            next(work)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        yield []


def _state_after(run: Run, step: int) -> Working[NDArray[np.float32]]:
    yield
    return run.state_after(step)


def _read(inputs: Inputs, manifest: Manifest) -> NDArray[Any]:
    if inputs.steps > MOST_STEPS:
        raise AskedTooMuch(
            f"{inputs.steps} steps, a trace has at most {MOST_STEPS}; send fewer steps"
        )
    read: NDArray[Any] = inputs.read((0,), manifest.input)[0]
    return read
