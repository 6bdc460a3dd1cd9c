"""Rollouts and forecasts of sessions: read, roll on a thread of its own, compare and set."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.batcher.batcher import Batcher
from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.errors import NoOutputYet, SessionContended
from service.metrics.catalogue import REPLAYS, STEPS
from service.operations.limits import Limits
from service.operations.requests import Steps
from service.operations.rollout import Forecast, Plan, Rollout
from service.repository.models import Models
from service.sessions.admission import admit, alive, answerable
from service.sessions.answers import Answer, Answered, kept_in, kept_result, state_before
from service.sessions.changing import MAX_ATTEMPTS, advanced, committed
from service.sessions.feedback import Rolling, rolling, shape_of_rollout
from service.sessions.reader import Reader
from service.sessions.receipts import Kind, Receipt
from service.sessions.recorder import Recorder
from service.sessions.sequences import SLICE_SECONDS, Sequences, slices
from service.sessions.vectors import Vector, check_length, keeps_outputs, split, vector_of
from service.stores.store import Session, Store


@dataclass(frozen=True, slots=True)
class Shown:
    """Some outputs of a rollout, [O] or a token [] each; `index` is the first one's."""

    manifest: Manifest
    index: int
    outputs: list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Done:
    """The session to be stored, if any, and the answer."""

    after: Session | None
    answer: Answer
    inputs: NDArray[Any] | None = None
    """What was consumed."""


Fed = Rollout | Forecast
"""What feeds outputs back."""

_Outputs = Iterator[NDArray[Any] | _Done]
"""Every output, and what comes of them at the end."""


@dataclass(frozen=True, slots=True, eq=False)
class Rollouts:
    """Rolls sessions out. The batcher's thread reads and commits, and is free in between."""

    models: Models
    store: Store
    reader: Reader
    batcher: Batcher[Steps, Answered]
    sequences: Sequences
    limits: Limits
    recorder: Recorder

    async def run(self, request: Fed) -> Answer:
        """What was rolled, after its commit. Raises as `Sessions.step` does."""
        for _ in range(MAX_ATTEMPTS - 1):
            with suppress(SessionContended):
                return await self._once(request)
        return await self._once(request)

    async def _once(self, request: Fed) -> Answer:
        async with aclosing(self.stream(request, first_seconds=SLICE_SECONDS)) as parts:
            answers = [part async for part in parts if isinstance(part, Answer)]
        return answers[0]

    async def stream(
        self, request: Fed, *, first_seconds: float = 0.0
    ) -> AsyncGenerator[Shown | Answer]:
        """The outputs as they are computed, and at the end, after the commit, the answer.

        Until then nothing has happened to the session, and whoever stops taking leaves it as it
        was. Raises as `Sessions.step` does; SessionContended where another writer was faster.
        """
        session, receipt = await self.batcher.call(request.identity, lambda: self._admit(request))
        version = session.version if receipt is None else receipt.version
        engine = self.models.version(session.model, version)
        outputs = (
            self._roll(request, session, engine)
            if receipt is None
            else self._again(request, receipt, session, engine)
        )
        parts, count = slices(outputs, first_seconds=first_seconds), 0
        async with aclosing(self.sequences.take_turns(parts)) as turns:
            async for part in turns:
                shown = [one for one in part if not isinstance(one, _Done)]
                if shown:
                    yield Shown(engine.manifest, count, shown)
                    count += len(shown)
                if isinstance(done := part[-1], _Done):
                    break
        assert isinstance(done, _Done)
        if done.after is not None:
            await self._commit(session, done, engine.manifest)
            STEPS.labels(session.model).inc(done.after.step - session.step)
        elif done.answer.replayed:
            REPLAYS.inc()
        yield done.answer

    def _admit(self, request: Fed) -> tuple[Session, Receipt | None]:
        found = self.reader.read_one(request.identity)
        return admit(found, request.session_id, request.conditions, self.store.now())

    def _roll(self, request: Fed, session: Session, engine: Engine) -> _Outputs:
        manifest = engine.manifest
        plan = request.plan(manifest, self.limits)
        check_length(session, manifest)
        rolled = yield from _rolling(session, engine, plan, session.state)
        if not request.advances(manifest):
            yield _Done(None, Answer.after(session, manifest, rolled.result))
            return
        # What took longer than the session had to live does not bring it back.
        now = self.store.now()
        alive(session, session.session_id, now)
        key, kept = request.conditions.key, None
        if key is not None:
            shape = shape_of_rollout(manifest, plan)
            digest = request.digest(plan, manifest)
            kept = kept_in(shape, rolled.result, session.state, digest)
        step = session.step + rolled.steps
        keeps = keeps_outputs(self.store, manifest)
        vector = vector_of(manifest, rolled.state, rolled.output, keeps_output=keeps)
        after = advanced(session, self.store, now, key, kept, step=step, state=vector)
        yield _Done(after, Answer.after(after, manifest, rolled.result), rolled.inputs)

    def _again(self, request: Fed, receipt: Receipt, session: Session, engine: Engine) -> _Outputs:
        """The outputs of a rollout that was applied before."""
        plan = request.plan(engine.manifest, self.limits)
        receipt.check(request.digest(plan, engine.manifest))
        if answerable(receipt, session).kind is Kind.BEFORE:
            before = state_before(session, receipt, engine.manifest)
            result = (yield from _rolling(session, engine, plan, before)).result
        else:
            result = kept_result(session, receipt, shape_of_rollout(engine.manifest, plan))
            yield from result.outputs
        yield _Done(None, Answer.again(receipt, session.session_id, engine.manifest, result))

    async def _commit(self, before: Session, done: _Done, manifest: Manifest) -> None:
        if not await self.batcher.call(
            before.identity, lambda: self._committed(before, done, manifest)
        ):
            raise SessionContended(before.session_id)

    def _committed(self, before: Session, done: _Done, manifest: Manifest) -> bool:
        assert done.after is not None
        if not committed(self.store, done.after, before.revision):
            return False
        if self.recorder.sessions and done.inputs is not None:
            state, _ = split(before.state, manifest)
            self.recorder.rolled(before, done.after, done.inputs, state)
        return True


def _rolling(session: Session, engine: Engine, plan: Plan, before: Vector) -> Rolling:
    """From the vector that the session has, or had before. Raises NoOutputYet."""
    state, output = split(before, engine.manifest)
    if not len(plan.inputs) and output is None:
        raise NoOutputYet(session.session_id)
    return rolling(engine, plan, state, output)
