"""Servers that do next to nothing: the floor that every comparison stands on."""

import os
import sqlite3
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import orjson
from fastapi import FastAPI
from numpy.typing import NDArray
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


async def durable_step(scope: Scope, receive: Receive, send: Send) -> None:
    """A real step of the session in the path, with the least that a durable one takes.

    On the event loop: the numbers of the body, one ONNX Runtime step, one UPDATE that is a commit,
    the answer as JSON. Nothing is checked, nobody else gets a turn meanwhile, and one file is all.
    """
    if scope["type"] != "http":
        return
    body = orjson.loads((await receive())["body"])
    session_id = scope["path"].split("/")[3]
    engine, states, database = _engine(), _states(), _database()
    state = states.get(session_id)
    if state is None:
        state = engine.initial_states(1)
        database.execute("INSERT INTO sessions VALUES (?, 0, ?)", (session_id, state.tobytes()))
    steps = engine.step(np.array(body["inputs"], np.float32), state, gates=False)
    states[session_id] = steps.state
    database.execute(
        "UPDATE sessions SET step = step + 1, state = ? WHERE session_id = ?",
        (steps.state.tobytes(), session_id),
    )
    answer = orjson.dumps({"outputs": steps.output}, option=orjson.OPT_SERIALIZE_NUMPY)
    length = str(len(answer)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


_INPUT = np.array([[20.5, 1003.0, 0.4]], np.float32)


@cache
def _states() -> dict[str, NDArray[np.float32]]:
    return {}


@cache
def _database() -> sqlite3.Connection:
    """With the settings of the service's own store."""
    file = f"{tempfile.mkdtemp(dir=Path(os.environ[BUNDLE_VARIABLE]).parent)}/floor.db"
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("PRAGMA wal_autocheckpoint = 3000")
    database.execute("CREATE TABLE sessions (session_id TEXT PRIMARY KEY, step INT, state BLOB)")
    return database


@cache
def _engine() -> Engine:
    return Engine(read_bundle(Path(os.environ[BUNDLE_VARIABLE])), Provider())
