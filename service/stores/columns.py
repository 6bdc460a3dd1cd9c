"""Sessions as columns: what a group of steps reads, changes and stores."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.stores.store import Identity, Session


class Texts(NamedTuple):
    """What a session has in bytes, see `Session`."""

    metadata: bytes
    receipts: bytes
    writers: bytes
    constants: bytes


@dataclass(slots=True, eq=False)
class Columns:
    """N sessions, none of them finished or marked as fallen back; the fields of `Session`.

    `counts` is int64 [N, 4]: step, changes, revision, row; `times` is float64 [N, 3]: created_at,
    expires_at, ttl_seconds; `states` is float32 [N, S].
    """

    model: str
    version: int
    identities: list[Identity]
    counts: NDArray[np.int64]
    times: NDArray[np.float64]
    states: NDArray[np.float32]
    texts: list[Texts]

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(cls, sessions: Sequence[Session]) -> "Columns":
        """Of sessions of one version of a model."""
        return cls(
            sessions[0].model,
            sessions[0].version,
            [session.identity for session in sessions],
            np.array([counts_of(session) for session in sessions], np.int64),
            np.array([times_of(session) for session in sessions]),
            np.concatenate([session.state for session in sessions]).reshape(len(sessions), -1),
            [texts_of(session) for session in sessions],
        )

    @property
    def steps(self) -> NDArray[np.int64]:
        return self.counts[:, 0]

    @property
    def revisions(self) -> NDArray[np.int64]:
        return self.counts[:, 2]

    @property
    def rows(self) -> NDArray[np.int64]:
        return self.counts[:, 3]

    @property
    def expires_at(self) -> NDArray[np.float64]:
        return self.times[:, 1]

    def session(self, index: int) -> Session:
        """One of them as a record."""
        step, changes, revision, row = self.counts[index].tolist()
        created_at, expires_at, ttl_seconds = self.times[index].tolist()
        (tenant, session_id), texts = self.identities[index], self.texts[index]
        return Session(
            session_id,
            self.model,
            self.version,
            step,
            changes,
            revision,
            self.states[index].copy(),  # a view would keep those of all N in memory
            created_at,
            expires_at,
            ttl_seconds,
            texts.metadata,
            texts.receipts,
            texts.writers,
            texts.constants,
            tenant,
            row=row,
        )

    def take(self, indexes: Sequence[int]) -> "Columns":
        """Some of them, in this order."""
        chosen = list(indexes)
        return replace(
            self,
            identities=[self.identities[index] for index in chosen],
            counts=self.counts[chosen],
            times=self.times[chosen],
            states=self.states[chosen],
            texts=[self.texts[index] for index in chosen],
        )

    @classmethod
    def joined(cls, parts: Sequence["Columns"]) -> "Columns":
        """All of several, which are of one version of a model."""
        if len(parts) == 1:
            return parts[0]
        return replace(
            parts[0],
            identities=[identity for part in parts for identity in part.identities],
            counts=np.concatenate([part.counts for part in parts]),
            times=np.concatenate([part.times for part in parts]),
            states=np.concatenate([part.states for part in parts]),
            texts=[texts for part in parts for texts in part.texts],
        )


@dataclass(slots=True, eq=False)
class Moves:
    """Sessions that have moved on by time steps, and the revisions that the stored ones must have.

    Of what a store has, the step, the changes, the revision, the state and the time of expiry are
    others now, and where `keyed` is true the receipts and the writers.
    """

    sessions: Columns
    expected: NDArray[np.int64]
    keyed: bool


def counts_of(session: Session) -> tuple[int, int, int, int]:
    return session.step, session.changes, session.revision, session.row


def times_of(session: Session) -> tuple[float, float, float]:
    return session.created_at, session.expires_at, session.ttl_seconds


def texts_of(session: Session) -> Texts:
    return Texts(session.metadata, session.receipts, session.writers, session.constants)


def as_records(moves: Iterable[Moves]) -> tuple[list[Session], list[int]]:
    """What `Store.replace` takes, for stores that keep whole records."""
    sessions, expected = list[Session](), list[int]()
    for one in moves:
        sessions += [one.sessions.session(index) for index in range(len(one.sessions))]
        expected += one.expected.tolist()
    return sessions, expected
