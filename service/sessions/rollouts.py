"""A rollout of a session: read, roll on a thread of its own, compare and set."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from service.batcher.batcher import Batcher
from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.engine.models import Models
from service.errors import SessionContended
from service.sessions.answers import Answer, Result, kept_in
from service.sessions.changing import MAX_ATTEMPTS, advanced, committed
from service.sessions.conditions import UNCONDITIONAL, Conditions, admit, alive
from service.sessions.feedback import Plan, check_feedback, roll, shape_of_rollout
from service.sessions.receipts import Kind, Receipt
from service.sessions.sequences import Sequences
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
        for _ in range(MAX_ATTEMPTS):
            session, receipt = await self._batcher.call(
                request.session_id, lambda: self._admit(request)
            )
            version = session.version if receipt is None else receipt.version
            engine = self._models.version(session.model, version)
            check_feedback(engine.manifest)
            if receipt is not None:
                return await self._sequences.run(
                    partial(_again, request, receipt, session.session_id, engine)
                )
            after, result = await self._sequences.run(partial(self._roll, request, session, engine))
            if not request.advance or await self._commit(after):
                return Answer.after(after, engine.manifest, result)
        raise SessionContended(request.session_id)

    def _admit(self, request: RolloutRequest) -> tuple[Session, Receipt | None]:
        found = self._store.read([request.session_id])[0]
        return admit(found, request.session_id, request.conditions, self._clock())

    def _roll(
        self, request: RolloutRequest, session: Session, engine: Engine
    ) -> tuple[Session, Result]:
        """The session after the rollout, not stored yet, and what the rollout gave."""
        plan = request.plan(engine.manifest)
        rolled = roll(engine, plan, session.state)
        if not request.advance:
            return session, rolled.result
        after = advanced(
            # What took longer than the session had to live does not bring it back.
            alive(session, session.session_id, self._clock()),
            self._clock(),
            request.conditions.key,
            step=session.step + rolled.steps,
            state=rolled.state,
            kept=kept_in(shape_of_rollout(engine.manifest, plan), rolled.result, session.state),
        )
        return after, rolled.result

    async def _commit(self, after: Session) -> bool:
        return await self._batcher.call(after.session_id, lambda: committed(self._store, after))


def _again(request: RolloutRequest, receipt: Receipt, session_id: str, engine: Engine) -> Answer:
    """The answer of a rollout that was applied before."""
    plan = request.plan(engine.manifest)
    if receipt.kind is Kind.BEFORE:
        result = roll(engine, plan, np.frombuffer(receipt.content, np.float32)).result
    else:
        result = shape_of_rollout(engine.manifest, plan).unpack(receipt.content)
    return Answer.again(receipt, session_id, engine.manifest, result)
