"""Reading a request's body: bounded first, parsed after."""

import asyncio
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive, Scope

from service.edges.http.long_numbers import Take, take_inputs
from service.edges.http.problems import invalid_body
from service.errors import BodyTooLarge, MalformedBody

Body = TypeVar("Body", bound=BaseModel)

LONG_BODY_BYTES = 64 * 1024


async def read_body(scope: Scope, receive: Receive, max_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as it is known to be too long."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > max_bytes:
            raise _too_large(max_bytes)
    chunks, received, more = [], 0, True
    while more:
        message = await _next_part(receive)
        chunks.append(message.get("body", b""))
        received += len(chunks[-1])
        if received > max_bytes:
            raise _too_large(max_bytes)
        more = message.get("more_body", False)
    return b"".join(chunks)


def parse_body(body: bytes, model: type[Body]) -> Body:
    """The body as a record, whatever its content type says. Raises MalformedBody, InvalidInput."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid_body(error) from None


async def parse_aside(body: bytes, model: type[Body]) -> Body:
    """As `parse_body`; a long one would hold up everybody else on the event loop.

    Of a long one, `inputs` may be an array instead of a list.
    """
    if len(body) > LONG_BODY_BYTES:
        return await asyncio.to_thread(parse_long, body, model, take_inputs)
    return parse_body(body, model)


def parse_long(body: bytes, model: type[Body], take: Take) -> Body:
    """As `parse_body`, with what `take` finds in a long body as its `inputs`."""
    taken = take(body) if len(body) > LONG_BODY_BYTES else None
    if taken is None:
        return parse_body(body, model)
    rest, inputs = taken
    return parse_body(rest, model).model_copy(update={"inputs": inputs})


async def _next_part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        # Nobody will read this answer, but what has arrived must not pass for the whole.
        raise MalformedBody.at((), "the connection closed before the body was complete")
    return message


def _too_large(max_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body is longer than {max_bytes} bytes; send fewer time steps at once, "
        "or start the service with a larger --max-body-bytes"
    )
