"""The model of all sessions: a dict, a clock, and who must be told what."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from hypothesis import event
from service.sessions.conditions import ANY, Conditions

from service.errors import (
    AnswerNotKept,
    GatewiseError,
    InvalidInput,
    KeyReused,
    PreconditionFailed,
    SessionExists,
    SessionExpired,
    SessionMoved,
    SessionNotFound,
    StateMismatch,
    StepConflict,
    TooManySessions,
    VersionNotFound,
    VersionUnavailable,
)
from service.sessions.receipts import Key
from service.stores.store import Session
from tests.oracle import Oracle
from tests.stateful.expected import Expected, Remembered
from tests.stateful.requests import (
    Birth,
    Change,
    Create,
    Fork,
    Migrate,
    Outcome,
    PutState,
    Request,
    Rollout,
    Step,
    key_of,
)

Networks = Mapping[tuple[str, int], Oracle]
"""Every version of every model, by name and version."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Which error it must be, of which session it must say where it is, and which request of it
    was applied once."""

    kinds: tuple[type[GatewiseError], ...]
    known: Expected | None = None
    applied: Remembered | None = None

    def check(self, error: GatewiseError | None) -> None:
        assert type(error) in self.kinds, repr(error)
        if isinstance(error, SessionMoved):
            assert self.known is not None
            assert (error.step, error.tag) == (self.known.step, self.known.tag)
        if isinstance(error, AnswerNotKept):
            assert self.applied is not None
            assert error.applied_step == self.applied.told.step


class World:
    """Sessions by id, expired ones included until they are forgotten."""

    def __init__(self, networks: Networks, now: float, max_sessions: int) -> None:
        self.networks = networks
        self.now = now
        self.max_sessions = max_sessions
        self.sessions: dict[str, Expected] = {}
        self.born: dict[object, str] = {}
        """The ids that were chosen for keyed requests, by request and key."""
        self.tags: defaultdict[str, list[str]] = defaultdict(list)
        """Every entity tag that an id ever had, in order, from one session to the next."""
        self.seen: set[str] = set()
        """Every kind of outcome that there was."""

    def size_of(self, model: str, version: int) -> int:
        """S"""
        return sum(self.networks[model, version].hidden_sizes)

    def alive(self, session_id: str) -> Expected | None:
        known = self.sessions.get(session_id)
        return known if known is not None and known.expires_at > self.now else None

    def compare(self, found: Session) -> None:
        """A stored session is the expected one, and has a tag that its id never had before."""
        known = self.sessions[found.session_id]
        known.compare(found)
        tags = self.tags[known.session_id]
        if known.tag not in tags[-1:]:
            assert known.tag not in tags
            tags.append(known.tag)

    def living(self) -> list[Expected]:
        return [known for known in self.sessions.values() if known.expires_at > self.now]

    def verdict(self, request: Request, served: Set[int]) -> Refused | Remembered | None:
        """Why it must be refused, what it must be told again, or None for a new one.

        `served` are the versions of `weather` where it arrives.
        """
        if isinstance(request, Create | Fork):
            return self._verdict_of_birth(request, served)
        return self._verdict_of_change(request, served)

    def unpromised(self, request: Request) -> bool:
        """Whether a retry would be applied as a new request: too late, or without a key."""
        if key_of(request) is None:
            return True
        if isinstance(request, Create | Fork):
            return self.target_of(request) not in self.sessions
        key, known = request.conditions.key, self.alive(request.session_id)
        return known is not None and key is not None and known.recall(key) is None

    def target_of(self, birth: Birth) -> str | None:
        """The id of the session to be made, where it is known."""
        chosen = birth.new.session_id
        return self.born.get(birth_key(birth)) if chosen is None else chosen

    def dead(self, session_id: str) -> Refused | None:
        """What every use of a session must meet that is not alive."""
        if self.alive(session_id) is not None:
            return None
        return Refused((SessionExpired if session_id in self.sessions else SessionNotFound,))

    def untrue(self, known: Expected, conditions: Conditions) -> Refused | None:
        tags = conditions.if_match
        if tags is not None and ANY not in tags and known.tag not in tags:
            return Refused((PreconditionFailed,), known)
        if conditions.at not in (None, known.step):
            return Refused((StepConflict,), known)
        return None

    def saw(self, request: Request, verdict: object, outcome: Outcome) -> None:
        kind = type(outcome.error).__name__ if outcome.error else "told"
        if isinstance(verdict, Remembered):
            kind += " again, computed" if verdict.recomputed and verdict.kept else " again"
        self.seen.add(f"{type(request).__name__}: {kind}")
        event(f"{type(request).__name__}: {kind}")

    def _verdict_of_change(self, request: Change, served: Set[int]) -> Refused | Remembered | None:
        known = self.alive(request.session_id)
        if known is None:
            return self.dead(request.session_id)
        versions = versions_of(known.model, served)
        if (earlier := _recalled(known, request.conditions.key)) is not None:
            return _readable(earlier, request, versions)
        if (refused := self.untrue(known, request.conditions)) is not None:
            return refused
        if isinstance(request, PutState):
            return self._misfit(known, request)
        if isinstance(request, Migrate):
            return self._no_migration(known, request, served)
        return None if known.version in versions else Refused((VersionUnavailable,))

    def _misfit(self, known: Expected, request: PutState) -> Refused | None:
        if request.version not in (None, known.version):
            return Refused((StateMismatch,))
        return None if len(request.state) == len(known.state) else Refused((InvalidInput,))

    def _no_migration(self, known: Expected, request: Migrate, served: Set[int]) -> Refused | None:
        target = request.version or latest(known.model, served)
        if target == known.version:
            return None
        versions = versions_of(known.model, served)
        if target not in versions:
            return Refused((VersionNotFound,))
        if known.version not in versions:
            return Refused((VersionUnavailable,))
        sizes = self.networks[known.model, target].hidden_sizes
        same = sizes == self.networks[known.model, known.version].hidden_sizes
        return None if same else Refused((StateMismatch,))

    def _verdict_of_birth(self, birth: Birth, served: Set[int]) -> Refused | Remembered | None:
        taken = self.sessions.get(self.target_of(birth) or "")
        if taken is not None and (earlier := _recalled(taken, birth.key)) is not None:
            if isinstance(earlier, Remembered) and self.alive(taken.session_id) is None:
                return Refused((SessionExpired,))
            return earlier
        if isinstance(birth, Fork):
            source = self.alive(birth.source_id)
            if source is None:
                return self.dead(birth.source_id)
            if (refused := self.untrue(source, birth.conditions)) is not None:
                return refused
        elif birth.state is not None and len(birth.state) != self.size_of(
            birth.model, latest(birth.model, served)
        ):
            return Refused((InvalidInput,))
        full = len(self.living()) >= self.max_sessions
        exists = taken is not None and taken.expires_at > self.now
        kinds = (TooManySessions,) * full + (SessionExists,) * exists
        return Refused(kinds) if kinds else None


def versions_of(model: str, served: Set[int]) -> Set[int]:
    """The versions of a model where those of `weather` are given."""
    return served if model == "weather" else {1}


def latest(model: str, served: Set[int]) -> int:
    return max(versions_of(model, served))


def birth_key(birth: Birth) -> object:
    """What a retry has in common with its first try: where it went, and its key."""
    where = "" if isinstance(birth, Create) else birth.source_id
    return type(birth), where, None if birth.key is None else birth.key.key


def _readable(
    earlier: Refused | Remembered, request: Change, versions: Set[int]
) -> Refused | Remembered:
    """What was computed can be told only where the version is served that computed it."""
    if isinstance(earlier, Refused) or not isinstance(request, Step | Rollout):
        return earlier
    return earlier if earlier.told.version in versions else Refused((VersionUnavailable,))


def _recalled(known: Expected, key: Key | None) -> Refused | Remembered | None:
    earlier = None if key is None else known.recall(key)
    if earlier is None or key is None:
        return None
    if earlier.key.request != key.request:
        return Refused((KeyReused,))
    return earlier if earlier.kept else Refused((AnswerNotKept,), known, earlier)
