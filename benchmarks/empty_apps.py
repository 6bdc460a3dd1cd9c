"""Endpoints that do nothing: the floor that every comparison stands on."""

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

fastapi = FastAPI()


@fastapi.post("/empty")
async def empty() -> dict[str, str]:
    return {}


async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers an empty object, as plain ASGI."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})
