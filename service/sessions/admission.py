"""When a request may change its session: not twice, and only where the caller believes it to be."""

from collections.abc import Callable
from functools import partial

from service.errors import (
    AnswerNotKept,
    PreconditionFailed,
    SessionExpired,
    SessionFellBack,
    SessionFinished,
    SessionMoved,
    SessionNotFound,
    StepConflict,
    StoreError,
    WriterUnknown,
)
from service.operations.conditions import ANY, Conditions
from service.operations.keys import Key
from service.sessions.receipts import (
    Kind,
    Receipt,
    highest_number,
    may_have_forgotten_writers,
    recall,
)
from service.stores.store import Found, Session


def tag(session: Session) -> str:
    """The entity tag of a session: another one after every change, and never again the same."""
    return revision_tag(session.revision)


def revision_tag(revision: int) -> str:
    return f"{revision:x}"


def alive(found: Found, session_id: str, now: float) -> Session:
    """The session itself.

    Raises SessionNotFound, SessionFinished, SessionExpired, StoreError.
    """
    if found is None:
        raise SessionNotFound(session_id)
    if isinstance(found, StoreError):
        raise found
    if found.expires_at <= now:
        raise SessionFinished(session_id) if found.finished else SessionExpired(session_id)
    return found


def admit(
    found: Found, session_id: str, conditions: Conditions, now: float, *, puts_state: bool = False
) -> tuple[Session, Receipt | None]:
    """The session, and the receipt where a request with the same key was applied before.

    Whoever gets a receipt checks that it was this very request (`Receipt.check`), and then whether
    its answer is there (`answerable`). A retry is recognised before its conditions are looked at:
    its own first try has made them untrue. Whoever puts another state in place (`puts_state`) need
    not know the present one.

    Raises SessionNotFound, SessionFinished, SessionExpired, StoreError, AnswerNotKept,
    WriterUnknown, SessionFellBack, PreconditionFailed, StepConflict.
    """
    session = alive(found, session_id, now)
    key = conditions.key
    if key is not None:
        receipt = recall(session, key)
        if receipt is not None:
            return session, comparable(receipt, session)
        if key.number:
            _check_number(session, key, conditions)
    if session.fell_back_from is not None and not (puts_state or conditions.name_the_state):
        raise SessionFellBack(
            session_id, step=session.step, tag=tag(session), lost_step=session.fell_back_from
        )
    if conditions.if_match is not None:
        _check_tags(session, conditions.if_match)
    if conditions.at is not None and session.step != conditions.at:
        raise _moved(
            StepConflict,
            session,
            f"session {session_id!r} has consumed {session.step} time steps, not {conditions.at}; "
            "nothing was applied",
        )
    return session, None


def comparable(receipt: Receipt, session: Session) -> Receipt:
    """Raises AnswerNotKept where an earlier release left the receipt, which cannot be compared."""
    if receipt.scheme == 0:
        raise _moved(
            partial(AnswerNotKept, applied_step=receipt.step),
            session,
            f"an earlier release applied a request with this key to session "
            f"{session.session_id!r}, as step {receipt.step}; whether it was this request cannot "
            "be told any more, so that it is not applied again",
        )
    return receipt


def answerable(receipt: Receipt, session: Session) -> Receipt:
    """Raises AnswerNotKept where the answer had to make way."""
    if receipt.kind is Kind.FORGOTTEN:
        raise _moved(
            partial(AnswerNotKept, applied_step=receipt.step),
            session,
            f"this request was applied once, as step {receipt.step} of session "
            f"{session.session_id!r}; its answer is not kept any more",
        )
    return receipt


def _check_number(session: Session, key: Key, conditions: Conditions) -> None:
    """Raises WriterUnknown, AnswerNotKept."""
    highest = highest_number(session, key.writer)
    if highest is None:
        if key.number > 1:
            raise _moved(
                WriterUnknown,
                session,
                f"session {session.session_id!r} does not know this writer (any more), whose "
                f"numbers begin at 1, not {key.number}; nothing was applied. Look where the "
                "session is and go on as a new writer",
            )
        if may_have_forgotten_writers(session) and not conditions.name_the_state:
            # A retry of number 1 looks the same, and would be applied twice.
            raise _moved(
                WriterUnknown,
                session,
                f"session {session.session_id!r} has had so many writers that it may have "
                "forgotten this one; nothing was applied. Look where the session is and name "
                "that state (`at`, If-Match)",
            )
    elif key.number <= highest:
        raise _moved(
            AnswerNotKept,
            session,
            f"number {highest} of this writer was applied to session {session.session_id!r}, so "
            f"that number {key.number} is not applied now; its answer is not kept any more",
        )


def _check_tags(session: Session, tags: frozenset[str]) -> None:
    if ANY not in tags and tag(session) not in tags:
        raise _moved(
            PreconditionFailed,
            session,
            f"session {session.session_id!r} has changed since: it has consumed {session.step} "
            "time steps; nothing was applied",
        )


def _moved(kind: Callable[..., SessionMoved], session: Session, message: str) -> SessionMoved:
    """An error that says where the session is."""
    return kind(session.session_id, message, step=session.step, tag=tag(session))
