"""The model, the sessions and the step that every row measures with."""

import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import httpx

from benchmarks.tools.empty_apps import BUNDLE_VARIABLE
from benchmarks.tools.servers import Server, gatewise
from benchmarks.tools.wrk import Load
from model_export.package import publish_trained
from service.bundle.bundle import read_bundle
from service.engine.engine import Engine
from service.engine.provider import Provider
from tests.bundles import values_model

MODEL = "bench"
HIDDEN_SIZE = 64
SESSIONS = 256
ROW = [20.5, 1003.0, 0.4]
STEP = json.dumps({"inputs": [ROW]})
STEPS_PATH = "/v1/sessions/s{n}/steps"


@contextmanager
def workplace(hidden_size: int = HIDDEN_SIZE) -> Iterator[Path]:
    """A folder with a repository `models`, that holds the model alone; gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(_published(hidden_size), folder / "models")
        os.environ[BUNDLE_VARIABLE] = str(bundle_of(folder))
        yield folder


@cache
def _published(hidden_size: int) -> Path:
    """A repository with the model, gone when this process ends: an export takes seconds."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    publish_trained(values_model(MODEL, hidden_sizes=(hidden_size,)), Path(folder.name))
    return Path(folder.name)


def bundle_of(folder: Path) -> Path:
    """The bundle in a workplace."""
    return folder / "models" / MODEL / "1"


def engine_of(folder: Path) -> Engine:
    return Engine(read_bundle(bundle_of(folder)), Provider())


def durable(folder: Path, *flags: str) -> Server:
    """The service on SQLite in a workplace, with its sessions s0, s1, …"""
    server = gatewise(folder / "models", f"sqlite:///{folder}/bench.db", *flags)
    try:
        create_sessions(server)
    except BaseException:
        server.stop()
        raise
    return server


def create_sessions(server: Server, sessions: int = SESSIONS, name: str = "s") -> None:
    """The sessions s0, s1, … that the load steps."""
    with httpx.Client(base_url=server.url) as client:
        for number in range(sessions):
            body = {"model": MODEL, "session_id": f"{name}{number}"}
            client.post("/v1/sessions", json=body).raise_for_status()


def single_steps(server: Server, body: str = STEP) -> Load:
    """One time step in each request, for one session after the other."""
    return Load(server.url, STEPS_PATH, body, SESSIONS)
