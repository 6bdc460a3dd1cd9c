"""Sessions as columns: what a group of steps reads, changes and stores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from service.stores.store import Identity, Session

Value = TypeVar("Value")


class Texts(NamedTuple):
    """What a session has in bytes, see `Session`."""

    metadata: bytes
    receipts: bytes
    writers: bytes
    constants: bytes


@dataclass(slots=True, eq=False)
class Columns:
    """N sessions, none of them finished or marked as fallen back; `states` is float32 [N, S], or
    [N, S + O] with the last outputs, the others are lists of the fields of `Session`.

    Only the states are an array: numbers of a few sessions are read and written faster one by one,
    and a store takes them one by one.
    """

    model: str
    version: int
    identities: list[Identity]
    rows: list[int]
    created_at: list[float]
    ttl_seconds: list[float]
    texts: list[Texts]
    steps: list[int]
    changes: list[int]
    revisions: list[int]
    expires_at: list[float]
    copies: list[int]
    """For whoever keeps copies of sessions: where each was copied from; -1 where from none."""
    states: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> "Columns":
        """Of sessions of one version of a model."""
        return cls(
            sessions[0].model,
            sessions[0].version,
            [one.identity for one in sessions],
            [one.row for one in sessions],
            [one.created_at for one in sessions],
            [one.ttl_seconds for one in sessions],
            list(map(texts_of, sessions)),
            [one.step for one in sessions],
            [one.changes for one in sessions],
            [one.revision for one in sessions],
            [one.expires_at for one in sessions],
            [-1] * len(sessions),
            np.concatenate([one.state for one in sessions]).reshape(len(sessions), -1),
        )

    def expired(self, now: float) -> list[int]:
        """The indexes of those whose time to live is over."""
        if min(self.expires_at) > now:
            return []
        return [index for index, expires_at in enumerate(self.expires_at) if expires_at <= now]

    def session(self, index: int) -> Session:
        """One of them as a record."""
        tenant, session_id = self.identities[index]
        return Session(
            session_id,
            self.model,
            self.version,
            self.steps[index],
            self.changes[index],
            self.revisions[index],
            self.states[index].copy(),  # a view would keep those of all N in memory
            self.created_at[index],
            self.expires_at[index],
            self.ttl_seconds[index],
            *self.texts[index],
            tenant,
            row=self.rows[index],
        )

    def put(self, index: int, session: Session) -> None:
        """Another one in the place of one of them."""
        self.identities[index] = session.identity
        self.rows[index] = session.row
        self.created_at[index] = session.created_at
        self.ttl_seconds[index] = session.ttl_seconds
        self.texts[index] = texts_of(session)
        self.steps[index] = session.step
        self.changes[index] = session.changes
        self.revisions[index] = session.revision
        self.expires_at[index] = session.expires_at
        self.states[index] = session.state

    def take(self, indexes: Sequence[int]) -> "Columns":
        """Some of them, in this order."""
        return Columns(
            self.model,
            self.version,
            at(self.identities, indexes),
            at(self.rows, indexes),
            at(self.created_at, indexes),
            at(self.ttl_seconds, indexes),
            at(self.texts, indexes),
            at(self.steps, indexes),
            at(self.changes, indexes),
            at(self.revisions, indexes),
            at(self.expires_at, indexes),
            at(self.copies, indexes),
            self.states[list(indexes)],
        )

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> "Columns":
        """All of several, which are of one version of a model."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            parts[0].model,
            parts[0].version,
            [one for part in parts for one in part.identities],
            [one for part in parts for one in part.rows],
            [one for part in parts for one in part.created_at],
            [one for part in parts for one in part.ttl_seconds],
            [one for part in parts for one in part.texts],
            [one for part in parts for one in part.steps],
            [one for part in parts for one in part.changes],
            [one for part in parts for one in part.revisions],
            [one for part in parts for one in part.expires_at],
            [one for part in parts for one in part.copies],
            np.concatenate([part.states for part in parts]),
        )


@dataclass(slots=True, eq=False)
class Moves:
    """Sessions that have moved on by time steps, and the revisions that the stored ones must have.

    Of what a store has, the step, the changes, the revision, the state and the time of expiry are
    others now, and where `keyed` is true the receipts and the writers.
    """

    sessions: Columns
    expected: list[int]
    keyed: bool


def at(column: list[Value], indexes: Iterable[int]) -> list[Value]:
    """Some places of a column; quicker than asking for each."""
    return list(map(column.__getitem__, indexes))


def texts_of(session: Session) -> Texts:
    return Texts(session.metadata, session.receipts, session.writers, session.constants)


def as_records(moves: Iterable[Moves]) -> tuple[list[Session], list[int]]:
    """What `Store.replace` takes, for stores that keep whole records."""
    sessions, expected = list[Session](), list[int]()
    for one in moves:
        sessions += [one.sessions.session(index) for index in range(len(one.sessions))]
        expected += one.expected
    return sessions, expected
