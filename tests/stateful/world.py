"""The model of all sessions: a dict, a clock, and who must be told what."""

from collections import defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass

from hypothesis import event

from service.errors import (
    AnswerNotKept,
    GatewiseError,
    InvalidInput,
    KeyReused,
    NoOutputYet,
    PreconditionFailed,
    SessionExists,
    SessionExpired,
    SessionFellBack,
    SessionFinished,
    SessionMoved,
    SessionNotFound,
    StateMismatch,
    StepConflict,
    TooManySessions,
    VersionNotFound,
    VersionUnavailable,
    WriterUnknown,
)
from service.operations.conditions import ANY, Conditions
from service.operations.keys import Key
from service.sessions.receipts import KEPT_WRITERS
from service.stores.store import Session
from tests.manual_clocks import ManualClocks
from tests.oracle import Oracle
from tests.stateful.expected import Expected, Remembered
from tests.stateful.requests import (
    Birth,
    Change,
    Create,
    Forecast,
    Fork,
    Migrate,
    Outcome,
    PutState,
    Request,
    Rollout,
    Step,
    key_of,
    meaning_of,
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
            applied_step = None if self.applied is None else self.applied.told.step
            assert error.applied_step == applied_step
        if isinstance(error, SessionFellBack):
            assert self.known is not None
            assert error.lost_step == self.known.fell_back_from


class World:
    """Sessions by id, expired and deleted ones included until they are forgotten."""

    def __init__(self, networks: Networks, clocks: ManualClocks, max_sessions: int) -> None:
        self.networks = networks
        self.clocks = clocks
        self.unbelieved = 0.0
        """By how much the wall was set, for as long as nobody believes it."""
        self.max_sessions = max_sessions
        self.sessions: dict[str, Expected] = {}
        self.born: dict[object, str] = {}
        """The ids that were chosen for keyed requests, by request and key."""
        self.tags: defaultdict[str, list[str]] = defaultdict(list)
        """Every entity tag that an id ever had, in order, from one session to the next."""
        self.back_again: set[str] = set()
        """Entity tags of states to which a store fell back."""
        self.seen: set[str] = set()
        """Every kind of outcome that there was."""

    @property
    def now(self) -> float:
        """Seconds since the epoch, by which lives end."""
        return self.clocks.wall - self.unbelieved

    def size_of(self, model: str, version: int) -> int:
        """S"""
        return sum(self.networks[model, version].hidden_sizes)

    def alive(self, session_id: str) -> Expected | None:
        known = self.sessions.get(session_id)
        return known if known is not None and known.expires_at > self.now else None

    def compare(self, found: Session) -> None:
        """A stored session is the expected one, and has a tag that its id never had before, unless
        the store fell back to it."""
        known = self.sessions[found.session_id]
        known.compare(found)
        tags = self.tags[known.session_id]
        if known.tag not in tags[-1:] and known.tag not in self.back_again:
            assert known.tag not in tags
            tags.append(known.tag)

    def copy(self) -> dict[str, Expected]:
        """All sessions as they are now."""
        return {session_id: known.copy() for session_id, known in self.sessions.items()}

    def fall_back(self, earlier: Mapping[str, Expected]) -> None:
        """All sessions are as they were in an earlier copy."""
        self.sessions = {session_id: known.copy() for session_id, known in earlier.items()}
        for known in self.sessions.values():
            known.lose()
            self.back_again.add(known.tag)

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
        key = key_of(request)
        if key is None:
            return True
        if isinstance(request, Create | Fork):
            taken = self.sessions.get(self.target_of(request) or "")
            return taken is None or (taken.finished and not _made_by(taken, key))
        known = self.alive(request.session_id)
        if known is None or known.recall(key) is not None:
            return False
        return _by_number(known, key, request.conditions) is None

    def target_of(self, birth: Birth) -> str | None:
        """The id of the session to be made, where it is known."""
        chosen = birth.new.session_id
        return self.born.get(birth_key(birth)) if chosen is None else chosen

    def dead(self, session_id: str) -> Refused | None:
        """What every use of a session must meet that is not alive."""
        if self.alive(session_id) is not None:
            return None
        known = self.sessions.get(session_id)
        if known is None:
            return Refused((SessionNotFound,))
        return Refused((SessionFinished if known.finished else SessionExpired,))

    def untrue(
        self, known: Expected, conditions: Conditions, *, puts_state: bool = False
    ) -> Refused | None:
        tags = conditions.if_match
        if known.fell_back_from is not None and not (puts_state or _names_state(conditions)):
            return Refused((SessionFellBack,), known)
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
        key = request.conditions.key
        if key is not None and (told := _known_key(known, key, request, versions)) is not None:
            return told
        puts_state = isinstance(request, PutState)
        refused = self.untrue(known, request.conditions, puts_state=puts_state)
        if refused is not None:
            return refused
        if isinstance(request, Migrate):
            return self._no_migration(known, request, served)
        return _unfit(known, request, versions)

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
        if taken is not None and _made_by(taken, birth.key):
            assert taken.birth is not None
            told = _told_again(taken, taken.birth, birth)
            return told if isinstance(told, Refused) else self.dead(taken.session_id) or told
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


def _unfit(known: Expected, request: Change, versions: Set[int]) -> Refused | None:
    """Why the session cannot do what is asked of it."""
    if isinstance(request, PutState) and request.version not in (None, known.version):
        return Refused((StateMismatch,))
    if known.version not in versions:
        return Refused((VersionUnavailable,))
    if isinstance(request, PutState) and len(request.state) != len(known.state):
        return Refused((InvalidInput,))
    begins = not isinstance(request, Rollout) or len(request.inputs) > 0
    return None if begins or known.output is not None else Refused((NoOutputYet,))


def versions_of(model: str, served: Set[int]) -> Set[int]:
    """The versions of a model where those of `weather` are given."""
    return served if model == "weather" else {1}


def latest(model: str, served: Set[int]) -> int:
    return max(versions_of(model, served))


def birth_key(birth: Birth) -> object:
    """What a retry has in common with its first try: where it went, and its key."""
    where = "" if isinstance(birth, Create) else birth.source_id
    return type(birth), where, None if birth.key is None else birth.key.digest


def _known_key(
    known: Expected, key: Key, request: Change, versions: Set[int]
) -> Refused | Remembered | None:
    """What a key has a change told before it is looked at; None for a new key."""
    earlier = known.recall(key)
    if earlier is None:
        return _by_number(known, key, request.conditions)
    if isinstance(request, Step | Rollout | Forecast) and earlier.told.version not in versions:
        # What was computed is compared, and told, by the version that computed it.
        return Refused((VersionUnavailable,))
    return _told_again(known, earlier, request)


def _told_again(known: Expected, earlier: Remembered, request: Request) -> Refused | Remembered:
    if meaning_of(earlier.request) != meaning_of(request):
        return Refused((KeyReused,))
    return earlier if earlier.kept else Refused((AnswerNotKept,), known, earlier)


def _by_number(known: Expected, key: Key, conditions: Conditions) -> Refused | None:
    """What a numbered key tells by its number alone."""
    if not key.number:
        return None
    highest = known.writers.get(key.writer)
    if highest is not None:
        return Refused((AnswerNotKept,), known) if key.number <= highest else None
    forgotten = len(known.writers) == KEPT_WRITERS and not _names_state(conditions)
    return Refused((WriterUnknown,), known) if key.number > 1 or forgotten else None


def _names_state(conditions: Conditions) -> bool:
    tags = conditions.if_match
    return conditions.at is not None or (tags is not None and ANY not in tags)


def _made_by(known: Expected, key: Key | None) -> bool:
    birth = known.birth
    return key is not None and birth is not None and birth.key.digest == key.digest
