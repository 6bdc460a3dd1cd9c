"""An id for each request, by which its log lines are found."""

import re
import secrets
from contextvars import ContextVar
from itertools import count

from starlette.types import Scope

HEADER = b"x-request-id"

_SANE = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}")
_PREFIX = secrets.token_hex(6).encode()
"""Of this process; with a number behind it, it is made in a tenth of a UUID's time."""
_next = count(1).__next__

_current: ContextVar[bytes | None] = ContextVar("request_id", default=None)


def begin_request(scope: Scope) -> bytes:
    """The id of a request that begins in this task: the caller's where that is sane, else ours."""
    request_id = _given(scope) or b"%b-%x" % (_PREFIX, _next())
    _current.set(request_id)
    return request_id


def current_request_id() -> str | None:
    """The id of the request that is being answered; None outside of one."""
    request_id = _current.get()
    return None if request_id is None else request_id.decode()


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            given: bytes = value
            return given if _SANE.fullmatch(given) else None
    return None
