"""Requests that a browser makes for a page of another site.

Every page may send simple requests, such as a POST of text, and open sockets to any host, also one
that only its reader can reach. The browser says in `Origin` whose page it was.
"""

import re

from service.edges.http.conditions import Headers
from service.errors import ForeignOrigin

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing; a page cannot read the answers of another site."""

_HOST = rb"(\[[0-9a-f:.]+\]|[^][:/?#@\\\s]+)(?::([0-9]{1,5}))?"
_HOST_HEADER = re.compile(_HOST)
_ORIGIN = re.compile(rb"(https?)://" + _HOST)
_DEFAULT_PORTS = {b"http": 80, b"https": 443}
_SHOWN_BYTES = 200


def check_origin(method: str | None, headers: Headers) -> None:
    """Let a request pass that no page made, or one of this service's own.

    Sockets, which have no method, and every method that may change something are looked at.
    Raises ForeignOrigin.
    """
    if method in _SAFE:
        return
    for name, value in headers:
        if name == b"origin":
            _check(value, _host_in(headers))


def _check(origin: bytes, host: bytes) -> None:
    if not _is_at(origin, host):
        raise ForeignOrigin(
            f"a page of {_shown(origin)} may not change anything on {_shown(host)}; nothing was "
            "applied (if they are one site, the proxy must pass `Host` on as it came)"
        )


def _host_in(headers: Headers) -> bytes:
    return next((value for name, value in headers if name == b"host"), b"")


def _is_at(origin: bytes, host: bytes) -> bool:
    """Whether both name the same host and port; what cannot be read names none.

    The scheme only tells the default port: behind a proxy with TLS it is not the one seen here.
    """
    of_page = _ORIGIN.fullmatch(origin.lower())
    asked = _HOST_HEADER.fullmatch(host.lower())
    if of_page is None or asked is None:
        return False
    default = _DEFAULT_PORTS[of_page[1]]
    return (of_page[2], int(of_page[3] or default)) == (asked[1], int(asked[2] or default))


def _shown(value: bytes) -> str:
    return repr(value[:_SHOWN_BYTES].decode("latin-1"))
