"""`Idempotency-Key`, `If-Match` and `ETag`: HTTP's own words for retries and races."""

import re
from collections.abc import Iterable

from fastapi import Response

from service.errors import InvalidInput, Part, Place
from service.operations.conditions import ANY, Conditions, conditions_of
from service.operations.keys import Key, read_key
from service.sessions.admission import revision_tag, tag
from service.stores.store import Session

Headers = Iterable[tuple[bytes, bytes]]

# Opaque tags are what is between the quotes; a weak one (W/"…") never matches in If-Match.
_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*(?:,|$)')
_TAGS = re.compile(f"(?:{_TAG.pattern})*")


def read_conditions(headers: Headers, at: int | None = None) -> Conditions:
    """What a request's headers and its body's `at` say. Raises InvalidInput."""
    key: Key | None = None
    tags: frozenset[str] | None = None
    for name, value in headers:
        if name == b"idempotency-key":
            if key is not None:
                raise InvalidInput.at(("idempotency-key",), "send it once", "headers")
            key = read_key(value, ("idempotency-key",), "headers")
        elif name == b"if-match":
            tags = read_tags(value, ("if-match",), "headers") | (tags or frozenset())
    return conditions_of(key, at, tags)


def read_preconditions(headers: Headers) -> Conditions:
    """What `If-Match` says, for a request that needs no key. Raises InvalidInput."""
    return read_conditions([(name, value) for name, value in headers if name != b"idempotency-key"])


def read_tags(value: bytes, place: Place, part: Part = "body") -> frozenset[str]:
    """The strong tags of a list, or ANY. Raises InvalidInput."""
    text = value.decode("latin-1").strip()
    if text == "*":
        return frozenset([ANY])
    if not _TAGS.fullmatch(text):
        raise InvalidInput.at(place, 'expected * or a list of tags such as "5f3a"', part)
    return frozenset(tag for weak, tag in _TAG.findall(text) if not weak)


def etag(revision: int) -> str:
    """The `ETag` header of a session at a revision."""
    return f'"{revision_tag(revision)}"'


def mark(response: Response, session: Session, *, replayed: bool = False) -> None:
    """Say in headers where the session is, and whether an earlier try is answered again."""
    response.headers["etag"] = etag(session.revision)
    if replayed:
        response.headers["idempotent-replayed"] = "true"


def unchanged(session: Session, if_none_match: str | None) -> bool:
    """Whether the caller has seen the session as it is."""
    if if_none_match is None:
        return False
    tags = read_tags(if_none_match.encode("latin-1"), ("if-none-match",), "headers")
    return ANY in tags or tag(session) in tags
