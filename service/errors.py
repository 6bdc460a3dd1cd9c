"""Everything that can go wrong in the service, as one tree.

No HTTP here: the edge maps each class to a status and a problem type in one table
(`service/api/problems.py`), and a test walks this tree to see that none is missing.

GatewiseError
├── InvalidInput                 the request's content cannot be used; carries the JSON paths
│   └── MalformedBody            the body is not a JSON object at all
├── BodyTooLarge                 the body is longer than the service accepts
├── ModelNotFound                no such model, or no such version of it
├── SessionError                 about one session; carries its id
│   ├── SessionNotFound          an id never seen
│   ├── SessionExpired           an id seen, whose time to live has passed
│   ├── SessionExists            an id that is already taken
│   └── StepConflict             another writer won every race for this session
├── Overloaded                   the queue is full
├── ShuttingDown                 the service takes no new work
├── StoreError                   the store cannot be read or written
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
    """No such model, or no such version of it."""


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


class SessionExists(SessionError):
    """A client chose an id that is already taken."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, f"session {session_id!r} exists already")


class StepConflict(SessionError):
    """Other writers changed the session each time this request tried to; nothing was applied."""


class Overloaded(GatewiseError):
    """More requests are waiting than `max_queue` allows; nothing was applied."""


class ShuttingDown(GatewiseError):
    """The service is stopping and takes no new work; nothing was applied."""


class StoreError(GatewiseError):
    """The store cannot be read or written; the message says why and what to do."""


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
