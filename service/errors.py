"""Everything that can go wrong in the service, as one tree.

No HTTP here: the edge maps each class to a status and a problem type in one table
(`service/edges/http/problems.py`), and a test walks this tree to see that none is missing.

GatewiseError
├── InvalidInput                 the request's content cannot be used; carries the places
│   └── MalformedBody            the body is not a JSON object at all
├── BodyTooLarge                 the body is longer than the service accepts
├── AskedTooMuch                 an answer would be larger than one may be; says what to ask for
├── TraceEmpty                   a trace has no steps yet
├── ForeignOrigin                a browser sent it for a page of another site
├── ModelNotFound                no such model
│   └── VersionNotFound          no such version of it
├── SessionsUnsupported          the model needs whole sequences; it has no sessions
├── OutputNotReady               the steps were applied, and have no answer yet
├── NoDefaultVersion             a model of which no version serves new sessions by itself
├── VersionWithdrawn             a version that takes no new sessions any more
├── VersionUnavailable           a session's version of its model is not served here (now)
│   ├── VersionRefused           it is in the repository, and cannot be served
│   └── VersionMissing           it is not in the repository, or was dropped
├── RepositoryError              what is wanted of a model cannot be read or written
│   └── RepositoryReadOnly       the repository may not be written here
├── KeyReused                    an idempotency key came with another request before
├── SessionError                 about one session; carries its id
│   ├── SessionNotFound          an id never seen
│   ├── SessionExpired           an id seen, whose time to live has passed
│   ├── SessionFinished          an id seen, whose session was deleted
│   ├── SessionExists            an id that is already taken
│   ├── SessionContended         other writers won every race for this session
│   ├── NoOutputYet              the session has answered nothing that could be fed back
│   ├── StateMismatch            a state does not fit the session's model and version
│   └── SessionMoved             the session is not where the request wants it; says where it is
│       ├── PreconditionFailed   `If-Match` names another revision
│       ├── StepConflict         `at` names another step
│       ├── SessionFellBack      the store has lost changes of the session that were answered
│       ├── WriterUnknown        a numbered key of a writer that the session does not know
│       └── AnswerNotKept        the request was applied, its answer is not kept any more
├── TooManySessions              the service holds as many sessions as it may
├── TraceNotFound                no such trace, or none any more
├── TooManyTraces                the service holds as many traces as it may
├── Overloaded                   the queue is full
├── ShuttingDown                 the service takes no new work
├── StoreError                   the store cannot be read or written; nothing was changed
│   ├── StoreFull                the store has no room for the change
│   ├── SessionDamaged           what is stored of one session cannot be read
│   └── CommitUnknown            the store did not say whether it made the change
├── BundleError                  a model on disk cannot be served
│   ├── BundleIncomplete         a file is missing
│   ├── BundleCorrupt            a file is not what the manifest says
│   └── GoldenMismatch           replaying the golden vectors gave other numbers
└── ProviderUnavailable          the requested device cannot be used here
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Literal, Self

MAX_FAULTS = 20
"""Most faults that one InvalidInput names."""


Place = tuple[str | int, ...]
"""Where in a request something is, such as ("inputs", 0, 3): names of fields and indexes."""

Part = Literal["body", "headers", "query", "path", "byte", "data"]
"""What a place begins at. A byte's place is its number, in what cannot be read any further; `data`
is a file on the command line."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a request. Every edge writes the place in its own way."""

    place: Place
    message: str
    part: Part = "body"

    def __str__(self) -> str:
        place = (self.part, *self.place) if self.part != "body" else self.place
        return f"{'.'.join(map(str, place)) or self.part}: {self.message}"

    def below(self, place: Place) -> "Fault":
        """The same, in a request of which this one is the part at `place`."""
        return replace(self, place=(*place, *self.place))


class MustWait(Exception):
    """Work on an event loop, where nobody may wait, would have to wait; it has changed nothing, and
    can be done on another thread. No caller ever sees it."""


class GatewiseError(Exception):
    """Base of all errors that the service raises on purpose."""


class InvalidInput(GatewiseError):
    """The request's content cannot be used. Nothing was changed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        # A wrong matrix is wrong everywhere; the answer must not be longer than the request.
        self.faults = tuple(islice(faults, MAX_FAULTS))
        super().__init__("; ".join(map(str, self.faults)))

    @classmethod
    def at(cls, place: Place, message: str, part: Part = "body") -> Self:
        return cls([Fault(place, message, part)])


class MalformedBody(InvalidInput):
    """The body is not JSON, or not a JSON object."""


class BodyTooLarge(GatewiseError):
    """The body is longer than `max_body_bytes`."""


class AskedTooMuch(GatewiseError):
    """The answer would be larger than one may be. Nothing was computed."""


class TraceEmpty(GatewiseError):
    """The trace records a session that was given nothing since."""


class ForeignOrigin(GatewiseError):
    """A browser sent the request for a page of another site; nothing was applied."""


class ModelNotFound(GatewiseError):
    """No such model."""


class VersionNotFound(ModelNotFound):
    """No such version of a model, and none that could still be found."""


class SessionsUnsupported(GatewiseError):
    """The model needs whole sequences: it can look at no step before it has seen the last."""


class OutputNotReady(GatewiseError):
    """The steps were applied, and have no answer yet: a window is not full, or a delay not over."""


class NoDefaultVersion(GatewiseError):
    """A model of which no version serves new sessions unless they name it: there are only
    candidates, or what is wanted of it cannot be read."""


class VersionWithdrawn(GatewiseError):
    """A version that takes no new sessions any more; nothing was created or moved."""


class VersionUnavailable(GatewiseError):
    """A session's version of its model is not served here, or not yet; the session is intact."""


class VersionRefused(VersionUnavailable):
    """A version that is in the repository and cannot be served; the message says why."""


class VersionMissing(VersionUnavailable):
    """A version that is not in the repository any more, or was dropped; its sessions are intact."""


class RepositoryError(GatewiseError):
    """What is wanted of a model cannot be read or written; the message names the file."""


class RepositoryReadOnly(RepositoryError):
    """The repository may not be written by this process; nothing was changed."""


class KeyReused(GatewiseError):
    """An idempotency key that came with another request before; nothing was applied."""


class SessionError(GatewiseError):
    """About one session. Classes that always say the same have it in `says`."""

    says: ClassVar[str] = ""

    def __init__(self, session_id: str, message: str | None = None) -> None:
        self.session_id = session_id
        super().__init__(self.says.format(repr(session_id)) if message is None else message)


class SessionNotFound(SessionError):
    """An id that the store has never seen, or that was deleted."""

    says = "there is no session {}"


class SessionExpired(SessionError):
    """An id whose time to live has passed; its state is not used any more."""

    says = "session {} has expired; create a new one"


class SessionFinished(SessionError):
    """An id whose session was deleted, for as long as that is remembered."""

    says = "session {} was deleted; create a new one"


class SessionExists(SessionError):
    """A client chose an id that is already taken."""

    says = "session {} exists already"


class SessionContended(SessionError):
    """Other writers changed the session each time this request tried to; nothing was applied."""

    says = "other writers keep changing session {}; nothing was applied, try again"


class NoOutputYet(SessionError):
    """The session has no last output: it is new, or its state was put in place or migrated, or an
    earlier release stored it, or its model's outputs are too wide to keep."""

    says = (
        "session {} has no output to begin from: it has made no step since it was created, got "
        "another state or version, was stored by an earlier release, or has outputs too wide to "
        "keep. Send time steps with this request"
    )


class StateMismatch(SessionError):
    """A state does not fit the session's model and version; nothing was applied."""


class SessionMoved(SessionError):
    """The session is not where the request wants it; `step` and `tag` say where it is.

    `tag` is the entity tag of the session as it is, without quotes.
    """

    def __init__(self, session_id: str, message: str, *, step: int, tag: str) -> None:
        self.step = step
        self.tag = tag
        super().__init__(session_id, message)


class PreconditionFailed(SessionMoved):
    """`If-Match` names another revision of the session; nothing was applied."""


class StepConflict(SessionMoved):
    """`at` names another step count than the session's; nothing was applied."""


class SessionFellBack(SessionMoved):
    """The store has lost changes of the session that were answered; nothing was applied.

    `lost_step` is the step count that the session had once.
    """

    def __init__(self, session_id: str, *, step: int, tag: str, lost_step: int) -> None:
        self.lost_step = lost_step
        super().__init__(
            session_id,
            f"the store has lost changes of session {session_id!r}: it had consumed {lost_step} "
            f"time steps and is at {step} again; nothing was applied. Name the state to go on from "
            "(`at`, If-Match), or put one",
            step=step,
            tag=tag,
        )


class WriterUnknown(SessionMoved):
    """A numbered key that is not a new writer's first one; nothing was applied."""


class AnswerNotKept(SessionMoved):
    """The request was applied before, or a later one of its writer was; it is not applied now.

    `applied_step` is the session's step count after it, None where only its number is known.
    """

    def __init__(
        self, session_id: str, message: str, *, step: int, tag: str, applied_step: int | None = None
    ) -> None:
        self.applied_step = applied_step
        super().__init__(session_id, message, step=step, tag=tag)


class TooManySessions(GatewiseError):
    """The service holds as many live sessions as `max_sessions` allows; nothing was created."""


class TraceNotFound(GatewiseError):
    """An id of no trace, or of one that has expired or was deleted."""

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        super().__init__(
            f"there is no trace {trace_id!r}, or none any more: traces expire; make another one"
        )


class TooManyTraces(GatewiseError):
    """The service holds as many live traces as `max_traces` allows; nothing was created."""


class Overloaded(GatewiseError):
    """More requests are waiting than `max_queue` allows; nothing was applied."""


class ShuttingDown(GatewiseError):
    """The service is stopping and takes no new work; nothing was applied."""


class StoreError(GatewiseError):
    """The store cannot be read or written, and changed nothing; the message says why."""


class StoreFull(StoreError):
    """The store has no room for the change; nothing was changed, reading goes on."""


class SessionDamaged(StoreError):
    """What is stored of one session cannot be read. It can be deleted, or restored from a backup.

    `model` is "" where not even that can be read.
    """

    def __init__(self, session_id: str, reason: str, *, tenant: str = "", model: str = "") -> None:
        self.session_id = session_id
        self.tenant = tenant
        self.model = model
        super().__init__(
            f"session {session_id!r} is damaged in the store: {reason}; "
            "restore a backup, or delete the session"
        )


class CommitUnknown(StoreError):
    """The connection failed between a change and its confirmation: made or not, nobody knows."""


class BundleError(GatewiseError):
    """A model on disk cannot be served; the message names the folder and the reason."""


class BundleIncomplete(BundleError):
    """A file that the manifest lists, or the manifest itself, is missing."""


class BundleCorrupt(BundleError):
    """A file is not what the manifest says: hash, shape or format differ."""


class GoldenMismatch(BundleError):
    """Replaying the golden vectors gave other numbers than PyTorch did."""


class ProviderUnavailable(GatewiseError):
    """The requested device has no usable execution provider on this machine."""
