"""When a request may change its session: not twice, and only where the caller believes it to be."""

from service.errors import (
    AnswerNotKept,
    PreconditionFailed,
    SessionExpired,
    SessionNotFound,
    StepConflict,
    StoreError,
)
from service.records import record
from service.sessions.receipts import Key, Kind, Receipt, recall
from service.stores.store import Found, Session

ANY = "*"
"""The tag that every session matches."""


@record
class Conditions:
    """`key` makes a retry safe, `at` is the step count that the session must have consumed,
    `if_match` the entity tags of which the session must have one."""

    key: Key | None = None
    at: int | None = None
    if_match: frozenset[str] | None = None


UNCONDITIONAL = Conditions()


def tag(session: Session) -> str:
    """The entity tag of a session: another one after every change, and never again the same."""
    return revision_tag(session.revision)


def revision_tag(revision: int) -> str:
    return f"{revision:x}"


def alive(found: Found, session_id: str, now: float) -> Session:
    """The session itself. Raises SessionNotFound, SessionExpired, StoreError."""
    if found is None:
        raise SessionNotFound(session_id)
    if isinstance(found, StoreError):
        raise found
    if found.expires_at <= now:
        raise SessionExpired(session_id)
    return found


def admit(
    found: Found, session_id: str, conditions: Conditions, now: float
) -> tuple[Session, Receipt | None]:
    """The session, and the receipt where this very request was applied before.

    A retry is recognised before its conditions are looked at: its own first try has made them
    untrue. Raises SessionNotFound, SessionExpired, StoreError, KeyReused, AnswerNotKept,
    PreconditionFailed, StepConflict.
    """
    session = alive(found, session_id, now)
    if conditions.key is not None and session.receipts:
        receipt = recall(session, conditions.key)
        if receipt is not None:
            return session, _answerable(receipt, session)
    if conditions.if_match is not None:
        _check_tags(session, conditions.if_match)
    if conditions.at is not None and session.step != conditions.at:
        raise StepConflict(
            session_id,
            f"session {session_id!r} has consumed {session.step} time steps, not {conditions.at}; "
            "nothing was applied",
            step=session.step,
            tag=tag(session),
        )
    return session, None


def _answerable(receipt: Receipt, session: Session) -> Receipt:
    if receipt.kind is Kind.FORGOTTEN:
        raise AnswerNotKept(
            session.session_id,
            f"this request was applied once, as step {receipt.step} of session "
            f"{session.session_id!r}; its answer is not kept any more",
            step=session.step,
            tag=tag(session),
            applied_step=receipt.step,
        )
    return receipt


def _check_tags(session: Session, tags: frozenset[str]) -> None:
    if ANY not in tags and tag(session) not in tags:
        raise PreconditionFailed(
            session.session_id,
            f"session {session.session_id!r} has changed since: it has consumed {session.step} "
            "time steps; nothing was applied",
            step=session.step,
            tag=tag(session),
        )
