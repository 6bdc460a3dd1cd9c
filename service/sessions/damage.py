"""Sessions of which the store gives back other bytes than were written."""

import json
from typing import Any

from service.errors import StoreError
from service.stores.store import Session


def damaged(session_id: str, what: str) -> StoreError:
    """The error for what is wrong with one stored session; the others are not concerned."""
    return StoreError(
        f"session {session_id!r} is damaged in its store: {what}; "
        "delete the session, or restore the store from a backup"
    )


def metadata_of(session: Session) -> dict[str, Any]:
    """The caller's own JSON object. Raises StoreError where it is damaged."""
    try:
        metadata = json.loads(session.metadata)
    except ValueError as error:
        raise damaged(session.session_id, f"its metadata are not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise damaged(session.session_id, "its metadata are not a JSON object")
    return metadata
