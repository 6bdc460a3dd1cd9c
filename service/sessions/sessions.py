"""The sessions of one service: their whole life, without HTTP."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from service.batcher.batcher import Batcher
from service.engine.models import Models
from service.errors import Fault, InvalidInput, SessionNotFound, StepConflict
from service.sessions.stepping import (
    MAX_ATTEMPTS,
    StepAnswer,
    Stepper,
    StepRequest,
    alive,
)
from service.stores.store import Session, Store


@dataclass(frozen=True, slots=True)
class Page:
    """Some sessions in order of their ids; `cursor` continues behind them, None at the end."""

    sessions: list[Session]
    cursor: str | None


class Sessions:
    """Create, look up, step, replace, list and end sessions.

    Everything that touches the store runs on the batcher's thread, in order of arrival for each
    session. All methods raise StoreError when the store fails, Overloaded and ShuttingDown.
    """

    def __init__(
        self,
        models: Models,
        store: Store,
        clock: Callable[[], float],
        *,
        ttl_seconds: float,
        max_batch: int,
        max_queue: int,
    ) -> None:
        self._models = models
        self._store = store
        self._clock = clock
        self._ttl_seconds = ttl_seconds
        self._batcher: Batcher[StepRequest, StepAnswer] = Batcher(
            Stepper(models, store, clock).run, max_batch=max_batch, max_queue=max_queue
        )

    async def create(
        self,
        model: str,
        *,
        session_id: str | None = None,
        ttl_seconds: float | None = None,
        state: NDArray[np.float32] | None = None,
    ) -> Session:
        """A new session on the model's latest version, at step 0.

        `state` [S] replaces the zeros it would start from. Raises ModelNotFound, InvalidInput for
        a state of another width, SessionExists.
        """
        engine = self._models.latest(model)
        _check_state(state, engine.manifest.state_size)
        now = self._clock()
        ttl = self._ttl_seconds if ttl_seconds is None else ttl_seconds
        session = Session(
            session_id=session_id or uuid.uuid4().hex,
            model=model,
            version=engine.manifest.version,
            step=0,
            revision=_first_revision(),
            state=engine.initial_states(1)[0] if state is None else state,
            created_at=now,
            expires_at=now + ttl,
            ttl_seconds=ttl,
        )
        # A caller that chooses its own ids may begin anew under an expired one.
        await self._batcher.call(session.session_id, lambda: self._store.create(session))
        return session

    async def get(self, session_id: str) -> Session:
        """Raises SessionNotFound, SessionExpired."""
        return await self._batcher.call(session_id, lambda: self._read(session_id))

    async def step(self, request: StepRequest) -> StepAnswer:
        """Apply time steps. Raises SessionNotFound, SessionExpired, InvalidInput, StepConflict."""
        return await self._batcher.submit(request.session_id, request)

    async def replace_state(
        self, session_id: str, step: int, state: NDArray[np.float32]
    ) -> Session:
        """Put another step count and state [S] in place. Raises as `step` does."""
        return await self._batcher.call(
            session_id, lambda: self._replace_state(session_id, step, state)
        )

    async def delete(self, session_id: str) -> None:
        """End a session. Raises SessionNotFound; an expired one can be deleted."""
        if not await self._batcher.call(session_id, lambda: self._store.delete(session_id)):
            raise SessionNotFound(session_id)

    async def page(self, *, model: str | None, cursor: str, limit: int) -> Page:
        """Live sessions with ids above `cursor`, at most `limit`, optionally of one model."""
        found = await self._batcher.call(
            object(), lambda: self._store.page(model=model, after=cursor, limit=limit)
        )
        now = self._clock()
        live = [session for session in found if session.expires_at > now]
        return Page(live, found[-1].session_id if len(found) == limit else None)

    async def purge(self, retention_seconds: float) -> int:
        """Forget the sessions that expired longer ago than `retention_seconds`."""
        before = self._clock() - retention_seconds
        return await self._batcher.call(object(), lambda: self._store.purge(before))

    async def close(self) -> None:
        """Finish what is under way, then release the store."""
        await self._batcher.close()
        self._store.close()

    def _read(self, session_id: str) -> Session:
        return alive(self._store.read([session_id])[0], session_id, self._clock())

    def _replace_state(self, session_id: str, step: int, state: NDArray[np.float32]) -> Session:
        for _ in range(MAX_ATTEMPTS):
            session = self._read(session_id)
            _check_state(state, len(session.state))
            changed = replace(
                session,
                step=step,
                revision=session.revision + 1,
                state=state,
                expires_at=self._clock() + session.ttl_seconds,
            )
            if self._store.replace([changed])[0]:
                return changed
        raise StepConflict(
            session_id, f"other writers keep changing session {session_id!r}; nothing was applied"
        )


def _first_revision() -> int:
    """Anywhere in a large range: a session made anew under an old id shares no revision with it."""
    return secrets.randbits(48)


def _check_state(state: NDArray[np.float32] | None, state_size: int) -> None:
    if state is not None and len(state) != state_size:
        raise InvalidInput(
            [Fault("$.state", f"{len(state)} numbers, but this model's state has {state_size}")]
        )
