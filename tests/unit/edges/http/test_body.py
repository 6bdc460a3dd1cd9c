"""Bodies in one part, in many, too long, and cut off."""

import pytest
from starlette.types import Message, Receive, Scope

from service.edges.http.body import read_body
from service.errors import BodyTooLarge, MalformedBody

PLAIN: Scope = {"type": "http", "headers": []}


def receiving(*parts: bytes, complete: bool = True) -> Receive:
    """What a server hands over; without `complete` the connection closes before the last part."""
    last = len(parts) - 1
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": not complete or index < last}
        for index, part in enumerate(parts)
    ]
    messages.append({"type": "http.disconnect"})
    arriving = iter(messages)

    async def receive() -> Message:
        return next(arriving)

    return receive


@pytest.mark.parametrize("parts", [[b"abcd"], [b"ab", b"cd"], [b"", b"abcd", b""]])
async def test_parts_are_joined(parts: list[bytes]) -> None:
    assert await read_body(PLAIN, receiving(*parts), 4) == b"abcd"


@pytest.mark.parametrize("parts", [[b"abcde"], [b"ab", b"cde"]])
async def test_one_byte_too_many(parts: list[bytes]) -> None:
    with pytest.raises(BodyTooLarge, match="longer than 4 bytes"):
        await read_body(PLAIN, receiving(*parts), 4)


async def test_an_announced_length_is_refused_unread() -> None:
    scope: Scope = {"type": "http", "headers": [(b"content-length", b"5")]}
    with pytest.raises(BodyTooLarge):
        await read_body(scope, receiving(), 4)


async def test_what_arrived_before_the_connection_closed_is_not_the_body() -> None:
    with pytest.raises(MalformedBody, match="closed before"):
        await read_body(PLAIN, receiving(b"{}", complete=False), 4)
