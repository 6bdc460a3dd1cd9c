"""Everything that can go wrong in the service, as one tree.

No HTTP here: the edge maps each class to a status and a problem type in one table
(`service/edges/http/problems.py`), and a test walks this tree to see that none is missing.

GatewiseError
├── InvalidInput                 the request's content cannot be used; carries the JSON paths
│   └── MalformedBody            the body is not a JSON object at all
├── BodyTooLarge                 the body is longer than the service accepts
├── ModelNotFound                no such model
│   └── VersionNotFound          no such version of it
├── VersionUnavailable           a session's version of its model is not served here (now)
├── KeyReused                    an idempotency key came with another request before
├── SessionError                 about one session; carries its id
│   ├── SessionNotFound          an id never seen
│   ├── SessionExpired           an id seen, whose time to live has passed
│   ├── SessionFinished          an id seen, whose session was deleted
│   ├── SessionExists            an id that is already taken
│   ├── SessionContended         other writers won every race for this session
│   ├── StateMismatch            a state does not fit the session's model and version
│   └── SessionMoved             the session is not where the request wants it; says where it is
│       ├── PreconditionFailed   `If-Match` names another revision
│       ├── StepConflict         `at` names another step
│       └── AnswerNotKept        the request was applied, its answer is not kept any more
├── TooManySessions              the service holds as many sessions as it may
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
from dataclasses import dataclass
from itertools import islice

MAX_FAULTS = 20
"""Most faults that one InvalidInput names."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: `path` is a JSON path such as `$.inputs[0][3]`."""

    path: str
    message: str


class GatewiseError(Exception):
    """Base of all errors that the service raises on purpose."""


class InvalidInput(GatewiseError):
    """The request's content cannot be used. Nothing was changed."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        # A wrong matrix is wrong everywhere; the answer must not be longer than the request.
        self.faults = tuple(islice(faults, MAX_FAULTS))
        super().__init__("; ".join(f"{fault.path}: {fault.message}" for fault in self.faults))

    @classmethod
    def at(cls, path: str, message: str) -> "InvalidInput":
        return cls([Fault(path, message)])


class MalformedBody(InvalidInput):
    """The body is not JSON, or not a JSON object."""


class BodyTooLarge(GatewiseError):
    """The body is longer than `max_body_bytes`."""


class ModelNotFound(GatewiseError):
    """No such model."""


class VersionNotFound(ModelNotFound):
    """No such version of a model, and none that could still be found."""


class VersionUnavailable(GatewiseError):
    """A session's version of its model is not served here, or not yet; the session is intact."""


class KeyReused(GatewiseError):
    """An idempotency key that came with another request before; nothing was applied."""


class SessionError(GatewiseError):
    """About one session."""

    def __init__(self, session_id: str, message: str) -> None:
        self.session_id = session_id
        super().__init__(message)


class SessionNotFound(SessionError):
    """An id that the store has never seen, or that was deleted."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, f"there is no session {session_id!r}")


class SessionExpired(SessionError):
    """An id whose time to live has passed; its state is not used any more."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, f"session {session_id!r} has expired; create a new one")


class SessionFinished(SessionError):
    """An id whose session was deleted, for as long as that is remembered."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, f"session {session_id!r} was deleted; create a new one")


class SessionExists(SessionError):
    """A client chose an id that is already taken."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, f"session {session_id!r} exists already")


class SessionContended(SessionError):
    """Other writers changed the session each time this request tried to; nothing was applied."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            session_id,
            f"other writers keep changing session {session_id!r}; nothing was applied, try again",
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


class AnswerNotKept(SessionMoved):
    """The request was applied before, once; later ones have taken the place of its answer.

    `applied_step` is the session's step count after it.
    """

    def __init__(
        self, session_id: str, message: str, *, step: int, tag: str, applied_step: int
    ) -> None:
        self.applied_step = applied_step
        super().__init__(session_id, message, step=step, tag=tag)


class TooManySessions(GatewiseError):
    """The service holds as many live sessions as `max_sessions` allows; nothing was created."""


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
