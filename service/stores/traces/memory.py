"""Traces that live and die with the process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from service.errors import StoreError
from service.stores.traces.encoding import STATEFUL_AT, decode_piece, encode_piece
from service.stores.traces.traces import Addition, Piece, Trace, check_room


@dataclass(slots=True)
class _Kept:
    trace: Trace
    pieces: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, piece: Piece) -> None:
        self.pieces.append(encode_piece(piece))
        self.size += piece.size
        if self.size > self.trace.max_bytes:
            self._trim()

    def _trim(self) -> None:
        dropped = 0
        for content in self.pieces:
            fits = self.size <= self.trace.max_bytes
            if fits and content[STATEFUL_AT]:
                break
            self.size -= len(content)
            dropped += 1
        del self.pieces[:dropped]


class MemoryTraces:
    """Traces in a dict. As bytes: nobody can change what is kept."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._lock = Lock()
        self._closed = False

    def create(self, trace: Trace, pieces: Sequence[Piece], *, most: int) -> None:
        key = trace.tenant, trace.trace_id
        with self._lock:
            self._check()
            others = (kept.trace for name, kept in self._kept.items() if name != key)
            check_room(sum(one.expires_at > trace.created_at for one in others), most)
            kept = self._kept[key] = _Kept(trace)
            for piece in pieces:
                kept.add(piece)

    def find(self, tenant: str, trace_id: str) -> Trace | None:
        with self._lock:
            self._check()
            kept = self._kept.get((tenant, trace_id))
        return None if kept is None else kept.trace

    def of_tenant(self, tenant: str, session_id: str | None = None) -> list[Trace]:
        found = [one for one in self._all() if one.tenant == tenant]
        if session_id is not None:
            found = [one for one in found if one.session_id == session_id]
        return sorted(found, key=lambda one: (one.created_at, one.trace_id))

    def recorded(self) -> list[Trace]:
        return [one for one in self._all() if one.session_id is not None]

    def append(self, additions: Sequence[Addition]) -> None:
        with self._lock:
            self._check()
            for tenant, trace_id, piece in additions:
                kept = self._kept.get((tenant, trace_id))
                if kept is not None:
                    kept.add(piece)

    def pieces(self, tenant: str, trace_id: str, *, after_changes: int = -1) -> list[Piece]:
        with self._lock:
            self._check()
            kept = self._kept.get((tenant, trace_id))
            contents = [] if kept is None else list(kept.pieces)
        return [one for one in map(decode_piece, contents) if one.changes > after_changes]

    def delete(self, tenant: str, trace_id: str) -> bool:
        with self._lock:
            self._check()
            return self._kept.pop((tenant, trace_id), None) is not None

    def purge(self, expired_before: float) -> int:
        with self._lock:
            self._check()
            expired = [
                key for key, kept in self._kept.items() if kept.trace.expires_at < expired_before
            ]
            for key in expired:
                del self._kept[key]
        return len(expired)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._kept.clear()

    def _all(self) -> list[Trace]:
        with self._lock:
            self._check()
            return [kept.trace for kept in self._kept.values()]

    def _check(self) -> None:
        if self._closed:
            raise StoreError("the traces are closed")
