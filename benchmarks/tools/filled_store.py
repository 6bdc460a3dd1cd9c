"""A SQLite file full of sessions, put in through the store in groups."""

import secrets
import sqlite3
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.tools.workload import MODEL
from service.stores.sqlite.file import changing
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session

TTL_SECONDS = 30 * 86400.0
_GROUP = 2000


def counted(number: int) -> str:
    """The ids that a load goes through."""
    return f"s{number}"


def given(_: int) -> str:
    """An id as the service gives them: long, and in no order."""
    return uuid.uuid4().hex


def fill(
    file: Path, first: int, end: int, state_size: int, name: Callable[[int], str] = counted
) -> None:
    """Add the sessions numbered `first` to `end` - 1, as they are when they have just begun."""
    now = time.time()
    random = np.random.default_rng(first)
    store = SqliteStore(file)
    for start in range(first, end, _GROUP):
        sessions = []
        for number in range(start, min(start + _GROUP, end)):
            state = random.random(state_size, np.float32)
            sessions.append(_session(name(number), state, now + 1e-3 * (number - first)))
        _create_all(store, sessions)
    store.close()


@changing
def _create_all(store: SqliteStore, sessions: Sequence[Session]) -> None:
    with store.file.transaction():
        for session in sessions:
            store.create(session)


def _session(session_id: str, state: np.ndarray, now: float) -> Session:
    return Session(
        session_id=session_id,
        model=MODEL,
        version=1,
        step=0,
        changes=1,
        revision=secrets.randbits(63),
        state=state,
        created_at=now,
        expires_at=now + TTL_SECONDS,
        ttl_seconds=TTL_SECONDS,
    )


def bytes_on_disk(file: Path) -> int:
    """The file and the log beside it, after the log was copied into the file."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
