"""The traces of one service: made, recorded, found, looked into."""

import asyncio
import secrets
from collections.abc import Generator
from contextlib import aclosing
from dataclasses import dataclass, replace
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
from service.operations.requests import Record
from service.operations.traces import (
    Asked,
    Comparison,
    ForkTrace,
    Intervene,
    NewTrace,
    TraceInputs,
)
from service.repository.models import Models
from service.sessions.beginning import first_state
from service.sessions.sequences import Sequences, slices
from service.sessions.sessions import Sessions
from service.stores.traces.traces import Piece, Trace
from service.traces.about import About
from service.traces.asking import Answer, Question, View, Working
from service.traces.comparing import TracesCompared, comparison
from service.traces.kept import Kept
from service.traces.pieces import MOST_STEPS, Pieces
from service.traces.run import Run, run_of


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """A trace, and the steps that it has now; `run` is None where they cannot be had yet, because
    another process is still writing them. `size` are bytes in the store; `is_whole` where no step
    of it has been dropped or missed."""

    trace: Trace
    about: About
    manifest: Manifest
    run: Run | None
    size: int
    is_whole: bool


class Traces:
    """Everything that touches the store runs on a thread, everything that computes on that of the
    sequences, slice by slice.

    All methods raise StoreError when the store fails, and Overloaded. A trace that has expired is
    not found.
    """

    def __init__(
        self, models: Models, sessions: Sessions, sequences: Sequences, *, cache_bytes: int
    ) -> None:
        """What was computed is kept in `cache_bytes` of this process's memory."""
        self._models = models
        self._sessions = sessions
        self._sequences = sequences
        self._store = sessions.traces
        self._bounds = sessions.trace_bounds
        self._pieces = Pieces(self._store, cache_bytes // 4)
        self._kept = Kept(cache_bytes - cache_bytes // 4)

    async def create(self, request: NewTrace) -> tuple[Described, bool]:
        """A new trace; or the one that records the session already, and False.

        Raises InvalidInput, AskedTooMuch, TooManyTraces, TraceNotFound for a source, and what
        `Sessions.get` and `Models.opened` raise.
        """
        if isinstance(request, Record):
            return await self._record(request)
        start = await self._start(request)
        piece = self._piece(start)
        trace = self._trace(request, start.engine.manifest, start.about)
        await asyncio.to_thread(self._store.create, trace, [piece], most=self._bounds.most)
        return await self._described(trace), True

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
        await self._sessions.stop_recording(asked.caller, asked.trace_id)
        self._pieces.forget(trace)

    async def look(self, asked: Question, view: View[Question, Answer]) -> Answer:
        """What a view shows of a trace as it is now.

        Raises TraceNotFound, TraceEmpty, and what the view raises: InvalidInput, AskedTooMuch.
        """
        return await self._work(view(await self._run(asked), asked))

    async def compare(self, asked: Comparison) -> TracesCompared:
        """A trace and another one of the caller. Raises as `look` does."""
        run = await self._run(asked)
        other = await self._run(Asked(asked.other_id, asked.caller))
        return await self._work(comparison(run, other, asked))

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
            return Described(trace, about, manifest, None, 0, is_whole=False)
        engine = self._models.version(trace.model, found.version)
        run = run_of(trace, found, engine, about.interventions, self._kept)
        first = found.stretches[0]
        return Described(trace, about, engine.manifest, run, found.size, first.is_first)

    async def _run(self, asked: Asked) -> Run:
        described = await self.find(asked)
        if described.run is None or not len(described.run.inputs):
            raise TraceEmpty(
                f"trace {asked.trace_id!r} has no steps yet: it has those that session "
                f"{described.trace.session_id!r} is given from now on"
            )
        return described.run

    async def _start(self, request: TraceInputs | ForkTrace | Intervene) -> "_Start":
        if isinstance(request, ForkTrace):
            return await self._fork(request)
        if isinstance(request, Intervene):
            return await self._intervene(request)
        engine = self._models.opened(request.model, request.version)
        state = first_state(engine, request.state, request.constants)
        if request.inputs is None:
            inputs = engine.bundle.sample()[:MOST_STEPS]
        else:
            inputs = _read(request.inputs, engine.manifest)
        return _Start(engine, About("given"), 0, inputs, state)

    async def _fork(self, request: ForkTrace) -> "_Start":
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
        return _Start(source.engine, about, request.at, inputs, state)

    async def _intervene(self, request: Intervene) -> "_Start":
        source = await self._run(Asked(request.trace_id, request.caller))
        made = [one.within(source.begin, source.end) for one in request.changes]
        check(made, source.layers, source.begin, source.end)
        if source.engine.inspection is None:
            raise InvalidInput.at(
                ("interventions",),
                f"version {source.manifest.version} of model {source.manifest.name!r} was "
                "published without a graph whose gates can be set; publish it again",
            )
        about = About(
            "intervention", request.trace_id, interventions=(*source.interventions, *made)
        )
        state = source.states[source.begin]
        return _Start(source.engine, about, source.begin, source.inputs, state)

    def _piece(self, start: "_Start") -> Piece:
        version = start.engine.manifest.version
        inputs = np.ascontiguousarray(start.inputs)
        piece = Piece(start.step, version, 0, 0, 1, inputs, start.state)
        if piece.size > self._bounds.max_bytes:
            raise AskedTooMuch(
                f"the inputs take {piece.size} bytes, a trace may keep {self._bounds.max_bytes}; "
                "send fewer steps, or start the service with a larger --trace-bytes"
            )
        return piece

    async def _record(self, request: Record) -> tuple[Described, bool]:
        wanted = replace(request, about=About("recorded").packed())
        trace, is_running = await self._sessions.record(wanted)
        return await self._described(trace), not is_running

    def _trace(self, request: NewTrace, manifest: Manifest, about: About) -> Trace:
        now = self._sessions.now()
        return Trace(
            tenant=request.caller.tenant,
            trace_id=secrets.token_urlsafe(12),
            session_id=None,
            model=manifest.name,
            version=manifest.version,
            created_at=now,
            expires_at=now + (request.ttl_seconds or self._bounds.ttl_seconds),
            max_bytes=self._bounds.max_bytes,
            about=about.packed(),
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
class _Start:
    """What a trace of given inputs is made from: inputs [T, F] or [T], and the state [S] before
    them, after `step` steps."""

    engine: Engine
    about: About
    step: int
    inputs: NDArray[Any]
    state: NDArray[np.float32]


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
