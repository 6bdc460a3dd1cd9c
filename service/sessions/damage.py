"""Sessions of which the store gives back other bytes than were written."""

import json
from typing import Any

from service.errors import SessionDamaged
from service.stores.store import Session


def damaged(session: Session, what: str) -> SessionDamaged:
    """The error for what is wrong with one stored session; the others are not concerned."""
    return SessionDamaged(session.session_id, what, tenant=session.tenant, model=session.model)


def metadata_of(session: Session) -> dict[str, Any]:
    """The caller's own JSON object. Raises SessionDamaged."""
    try:
        metadata = json.loads(session.metadata)
    except ValueError as error:
        raise damaged(session, f"its metadata are not JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise damaged(session, "its metadata are not a JSON object")
    return metadata
