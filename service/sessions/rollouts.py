"""A rollout of a session: read, roll on a thread of its own, compare and set."""

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from service.batcher.batcher import Batcher
from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.engine.models import Models
from service.errors import SessionContended
from service.metrics.catalogue import REPLAYS, STEPS
from service.sessions.answers import Answer, kept_in, kept_result, state_before
from service.sessions.changing import MAX_ATTEMPTS, advanced, committed
from service.sessions.conditions import UNCONDITIONAL, Conditions, admit, alive
from service.sessions.feedback import Plan, check_feedback, rolling, shape_of_rollout
from service.sessions.receipts import Kind, Receipt
from service.sessions.sequences import Sequences
from service.sessions.slices import SLICE_SECONDS, Slices
from service.sessions.stepping import StepRequest
from service.stores.store import Session, Store


@dataclass(frozen=True, slots=True)
class RolloutRequest:
    """A rollout of a session. `plan` knows the caller's inputs once the model is known; it raises
    InvalidInput. Without `advance` it is a look ahead that leaves the session as it is."""

    session_id: str
    plan: Callable[[Manifest], Plan]
    advance: bool = True
    conditions: Conditions = UNCONDITIONAL


@dataclass(frozen=True, slots=True)
class Shown:
    """Some outputs of a rollout, [O] or a token [] each; `index` is the first one's."""

    manifest: Manifest
    index: int
    outputs: list[NDArray[Any]]


_Outputs = Generator[NDArray[Any], None, tuple[Session | None, Answer]]
"""Yields every output; returns the session to be stored, if any, and the answer."""


class Rollouts:
    """Rolls sessions out. The batcher's thread reads and commits, and is free in between."""

    def __init__(
        self,
        models: Models,
        store: Store,
        clock: Callable[[], float],
        batcher: Batcher[StepRequest, Answer],
        sequences: Sequences,
    ) -> None:
        self._models = models
        self._store = store
        self._clock = clock
        self._batcher = batcher
        self._sequences = sequences

    async def run(self, request: RolloutRequest) -> Answer:
        """What was rolled, after its commit. Raises as `Sessions.step` does."""
        for _ in range(MAX_ATTEMPTS - 1):
            with suppress(SessionContended):
                return await self._once(request)
        return await self._once(request)

    async def _once(self, request: RolloutRequest) -> Answer:
        async with aclosing(self.stream(request, first_seconds=SLICE_SECONDS)) as parts:
            answers = [part async for part in parts if isinstance(part, Answer)]
        return answers[0]

    async def stream(
        self, request: RolloutRequest, *, first_seconds: float = 0.0
    ) -> AsyncGenerator[Shown | Answer]:
        """The outputs as they are computed, and at the end, after the commit, the answer.

        Until then nothing has happened to the session, and whoever stops taking leaves it as it
        was. Raises as `Sessions.step` does; SessionContended where another writer was faster.
        """
        session, receipt = await self._batcher.call(
            request.session_id, lambda: self._admit(request)
        )
        version = session.version if receipt is None else receipt.version
        engine = self._models.version(session.model, version)
        check_feedback(engine.manifest)
        outputs = (
            self._roll(request, session, engine)
            if receipt is None
            else _again(request, receipt, session, engine)
        )
        slices = Slices(outputs, first_seconds=first_seconds)
        count = 0
        async with aclosing(self._sequences.take_turns(slices)) as turns:
            async for shown in turns:
                if shown:
                    yield Shown(engine.manifest, count, shown)
                    count += len(shown)
                if slices.result is not None:
                    break
        assert slices.result is not None
        after, answer = slices.result
        if after is not None:
            await self._commit(after)
            STEPS.labels(after.model).inc(after.step - session.step)
        elif answer.replayed:
            REPLAYS.inc()
        yield answer

    def _admit(self, request: RolloutRequest) -> tuple[Session, Receipt | None]:
        found = self._store.read([request.session_id])[0]
        return admit(found, request.session_id, request.conditions, self._clock())

    def _roll(self, request: RolloutRequest, session: Session, engine: Engine) -> _Outputs:
        plan = request.plan(engine.manifest)
        rolled = yield from rolling(engine, plan, session.state)
        if not request.advance:
            return None, Answer.after(session, engine.manifest, rolled.result)
        after = advanced(
            # What took longer than the session had to live does not bring it back.
            alive(session, session.session_id, self._clock()),
            self._clock(),
            request.conditions.key,
            step=session.step + rolled.steps,
            state=rolled.state,
            kept=kept_in(shape_of_rollout(engine.manifest, plan), rolled.result, session.state),
        )
        return after, Answer.after(after, engine.manifest, rolled.result)

    async def _commit(self, after: Session) -> None:
        if not await self._batcher.call(after.session_id, lambda: committed(self._store, after)):
            raise SessionContended(after.session_id)


def _again(request: RolloutRequest, receipt: Receipt, session: Session, engine: Engine) -> _Outputs:
    """The outputs of a rollout that was applied before."""
    plan = request.plan(engine.manifest)
    if receipt.kind is Kind.BEFORE:
        before = state_before(session, receipt)
        result = (yield from rolling(engine, plan, before)).result
    else:
        result = kept_result(session, receipt, shape_of_rollout(engine.manifest, plan))
        yield from result.outputs
    return None, Answer.again(receipt, session.session_id, engine.manifest, result)
