"""JSON messages of a stream as records, each with a `type` and, if wanted, an `id`."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import from_json

from service.edges.http.conditions import read_tags
from service.edges.http.problems import invalid_body
from service.edges.v1.requests import MAX_STEP, Metadata, PlainStepsBody, SessionId, TtlSeconds
from service.errors import InvalidInput, MalformedBody
from service.operations.conditions import Conditions, conditions_of
from service.operations.inputs import StateVector
from service.operations.keys import Key, check_writer, key_of_number, read_key

MAX_ID_LENGTH = 255


def _checked_id(value: object) -> str | int:
    if isinstance(value, str) and 1 <= len(value) <= MAX_ID_LENGTH:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_STEP:
        return value
    raise ValueError(f"expected a text of 1 to {MAX_ID_LENGTH} characters, or a number from 0")


Correlation = Annotated[str | int | None, BeforeValidator(_checked_id)]
"""Comes back with the answer. A text is the request's idempotency key too. A number is one of the
writer's, where the session was opened with a `writer`; else it is no key, since clients count from
1 again on every connection."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Correlation = None


class _Conditional(_Message):
    session_id: str
    if_match: str | None = None

    def conditions(self, writer: str | None, at: int | None = None) -> Conditions:
        """Raises InvalidInput."""
        tags = None
        if self.if_match is not None:
            tags = read_tags(self.if_match.encode("latin-1", "replace"), ("if_match",))
        return conditions_of(key_of(self.id, writer), at, tags)


class OpenMessage(_Message):
    """A new session of `model`, or an existing one by its `session_id` alone. With a `writer`,
    numbers that are ids count this writer's requests."""

    type: Literal["open"]
    model: str | None = None
    session_id: SessionId = None
    ttl_seconds: TtlSeconds = None
    metadata: Metadata = None
    state: StateVector | None = None
    constants: dict[str, Any] | None = None
    writer: Annotated[str, AfterValidator(check_writer)] | None = None

    @model_validator(mode="after")
    def _new_or_existing(self) -> Self:
        if self.model is None and self.session_id is None:
            raise ValueError("send `model` for a new session, or the `session_id` of one there is")
        news = (self.ttl_seconds, self.metadata, self.state, self.constants)
        if self.model is None and any(new is not None for new in news):
            raise ValueError(
                "`ttl_seconds`, `metadata`, `state` and `constants` are for new sessions"
            )
        return self


class StepMessage(PlainStepsBody, _Conditional):
    """One or more time steps, as the body of POST /v1/sessions/{session_id}/steps has them."""

    type: Literal["step"]


class GetMessage(_Message):
    """Where a session is."""

    type: Literal["get"]
    session_id: str


class ForkMessage(_Conditional):
    """A new session, `new_session_id`, that goes on from where `session_id` is."""

    type: Literal["fork"]
    new_session_id: SessionId = None
    ttl_seconds: TtlSeconds = None
    metadata: Metadata = None


class CloseMessage(_Conditional):
    """Give the handle back; with `delete` the session ends."""

    type: Literal["close"]
    delete: Annotated[bool, Field(strict=True)] = False


Message = OpenMessage | StepMessage | GetMessage | ForkMessage | CloseMessage
_TYPES: Mapping[str, type[Message]] = {
    "open": OpenMessage,
    "step": StepMessage,
    "get": GetMessage,
    "fork": ForkMessage,
    "close": CloseMessage,
}
MESSAGES = tuple(_TYPES.values())


def read_object(text: str) -> dict[str, Any]:
    """The message as JSON says it. Raises MalformedBody."""
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise _malformed(f"the message is not valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise _malformed("the message must be a JSON object")
    return found


def read_message(found: dict[str, Any]) -> Message:
    """Raises InvalidInput."""
    kind = found.get("type")
    record = _TYPES.get(kind) if isinstance(kind, str) else None
    if record is None:
        raise InvalidInput.at(("type",), f"expected one of {', '.join(_TYPES)}")
    try:
        return record.model_validate(found)
    except ValidationError as error:
        raise invalid_body(error) from None


def correlation(found: dict[str, Any]) -> str | int | None:
    """The id of a message that may have other faults; None for one that cannot come back."""
    try:
        return _checked_id(found.get("id"))
    except ValueError:
        return None


def key_of(message_id: str | int | None, writer: str | None) -> Key | None:
    """Raises InvalidInput."""
    if isinstance(message_id, str):
        return read_key(message_id.encode("utf-8", "surrogatepass"), ("id",))
    if message_id is None or writer is None:
        return None
    return key_of_number(writer, message_id, ("id",))


def _malformed(message: str) -> MalformedBody:
    return MalformedBody.at((), message)
