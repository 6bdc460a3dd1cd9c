"""Describing routes that read and write raw bodies as richly as FastAPI describes its own."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.edges.http.events import EVENTS
from service.edges.http.problems import MEDIA_TYPE

Responses = dict[int | str, dict[str, Any]]


class FaultAnswer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: str
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FaultAnswer] | None = None
    step: int | None = Field(
        default=None, description="Where the session is, if it is not where the request wants it."
    )
    lost_step: int | None = Field(
        default=None, description="The step count that the store has lost, where it has."
    )
    applied_step: int | None = Field(
        default=None, description="Where it was after the request, if that was applied before."
    )


Parameters = list[dict[str, Any]]


def _described(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _header(name: str, description: str) -> Parameters:
    return [{"in": "header", "name": name, **_described(description)}]


KEYED = _header(
    "Idempotency-Key",
    "Makes a retry safe: the same key with the same body gets the same answer and moves nothing.",
)
CONDITIONAL = _header(
    "If-Match", "The ETag that the session must have; 412 says where it is instead."
)


def takes(
    body: type[BaseModel],
    example: dict[str, Any],
    parameters: Parameters | None = None,
    *,
    required: bool = True,
) -> dict[str, Any]:
    """`openapi_extra` of a route that parses its own body and headers."""
    schema = body.model_json_schema()
    content = {"application/json": {"schema": schema, "example": example}}
    described: dict[str, Any] = {"requestBody": {"required": required, "content": content}}
    return described | ({"parameters": parameters} if parameters else {})


_SESSION_HEADERS = {
    "ETag": _described("Where the session is: another one after every change."),
    "Idempotent-Replayed": _described("`true` where an earlier try had been applied."),
}
_CREATED = {"Location": _described("The new session.")}


def gives(answer: type[BaseModel] | None, *problems: int, status: int = 200) -> Responses:
    """`responses` of a route: its answer, and the statuses it answers problems with."""
    described: Responses = {
        code: {
            "description": "Problem",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for code in problems
    }
    for code in (412, 409):
        if code in described:
            described[code]["headers"] = {"ETag": _described("Where the session is.")}
    if 503 in described:
        described[503]["headers"] = {"Retry-After": _described("Seconds to wait.")}
    described[status] = {"description": "Done", **({"model": answer} if answer else {})}
    if getattr(answer, "shows_session", False):
        described[status]["headers"] = _SESSION_HEADERS | (_CREATED if status == 201 else {})
    return described


def with_events(responses: Responses, description: str, example: str) -> Responses:
    """The same, whose answer can also be had as server-sent events."""
    done = responses[200]
    content = {EVENTS: {"schema": {"type": "string"}, "example": example}}
    described = {"description": description, "content": content}
    return responses | {200: done | described}


@dataclass(frozen=True, slots=True)
class Socket:
    """A WebSocket, for which OpenAPI has no words."""

    path: str
    summary: str
    description: str
    messages: Sequence[type[BaseModel]]
    """What a client may send."""


def add_sockets(document: dict[str, Any], sockets: Iterable[Socket]) -> dict[str, Any]:
    """Describe WebSockets under `x-websockets`, by their paths, in the way of `paths`."""
    described = document.setdefault("x-websockets", {})
    for socket in sockets:
        add_schemas(document, socket.messages)
        described[socket.path] = {
            "summary": socket.summary,
            "description": socket.description,
            "messages": [
                {"$ref": f"#/components/schemas/{message.__name__}"} for message in socket.messages
            ],
        }
    return document


def add_schemas(document: dict[str, Any], models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Put what `gives` and `with_events` speak of among the document's schemas."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    described: list[type[BaseModel]] = [ProblemDetails, *models]
    for model in described:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    return document
