"""The sessions that one socket has open, by their ids and by the handles that stand for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.bundle.manifest import Manifest
from service.errors import InvalidInput
from service.operations.limits import numbers_of
from service.stores.store import Identity

MAX_OPENED = 65_536
"""Sessions of one socket. More take another socket."""


@dataclass(slots=True, eq=False)
class Opened:
    """A session on this socket."""

    identity: Identity
    handle: int
    per_step: int
    """Numbers that a time step holds in memory until it is answered, about."""
    per_step_with_gates: int
    writer: str | None = None
    """Whose numbers the ids of its requests are."""
    keyed: int = 0
    """Requests under way that rely on the receipts that a session keeps."""

    @property
    def session_id(self) -> str:
        return self.identity.session_id

    def numbers(self, steps: int, *, gates: bool) -> int:
        return steps * (self.per_step_with_gates if gates else self.per_step)


class OpenedSessions:
    """Handles count from 1 and are not used again on the same socket."""

    def __init__(self) -> None:
        self._by_id: dict[str, Opened] = {}
        self._by_handle: dict[int, Opened] = {}
        self._next = 1
        self._widest = self._widest_with_gates = 0
        self.has_writers = False
        """Whether any session was ever opened with a writer."""

    def open(self, identity: Identity, manifest: Manifest, writer: str | None) -> Opened:
        """The same handle again for one that is open already. Raises InvalidInput."""
        session_id = identity.session_id
        self.has_writers |= writer is not None
        found = self._by_id.get(session_id)
        if found is not None:
            found.writer = writer
            return found
        if len(self._by_id) >= MAX_OPENED:
            raise InvalidInput.at(
                (), f"{MAX_OPENED} sessions are open on this socket; close some or use another"
            )
        plain, shown = (numbers_of(1, manifest, gates=gates) for gates in (False, True))
        opened = Opened(identity, self._next, plain, shown, writer)
        self._next += 1
        self._widest = max(self._widest, plain)
        self._widest_with_gates = max(self._widest_with_gates, shown)
        self._by_id[session_id] = self._by_handle[opened.handle] = opened
        return opened

    def named(self, session_id: str) -> Opened:
        """Raises InvalidInput."""
        try:
            return self._by_id[session_id]
        except KeyError:
            raise InvalidInput.at(
                ("session_id",), f"{session_id!r} is not open on this socket; send `open` first"
            ) from None

    def writer_of(self, session_id: str) -> str | None:
        opened = self._by_id.get(session_id)
        return None if opened is None else opened.writer

    def by_handles(self, handles: Sequence[int]) -> list[Opened | None]:
        return list(map(self._by_handle.get, handles))

    def numbers(self, steps: int, *, gates: bool) -> int:
        """What so many time steps of any session on this socket hold in memory, at most."""
        return steps * (self._widest_with_gates if gates else self._widest)

    def close(self, session_id: str) -> None:
        opened = self._by_id.pop(session_id, None)
        if opened is not None:
            del self._by_handle[opened.handle]
