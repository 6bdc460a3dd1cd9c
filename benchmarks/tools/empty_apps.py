"""Servers that do next to nothing: the floor that every comparison stands on."""

import os
from functools import cache
from pathlib import Path

import numpy as np
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider

BUNDLE_VARIABLE = "BENCHMARK_BUNDLE"

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


async def bare_step(scope: Scope, receive: Receive, send: Send) -> None:
    """As `raw`, with one ONNX Runtime step of always the same input in between."""
    if scope["type"] == "http":
        engine = _engine()
        engine.step(_INPUT, engine.initial_states(1), gates=False)
    await raw(scope, receive, send)


_INPUT = np.array([[20.5, 1003.0, 0.4]], np.float32)


@cache
def _engine() -> Engine:
    return Engine(read_bundle(Path(os.environ[BUNDLE_VARIABLE])), Provider())
