"""Sessions that several workers step, and what their traces hold."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from service.engine.engine import Engine
from service.repository.models import Models
from service.stores.open import open_store
from service.stores.store import Identity, Session
from service.stores.traces.open import open_traces
from service.stores.traces.traces import Piece, Trace, Traces, contiguous
from tests.e2e.requests import apply_steps, new_session, weather_inputs
from tests.service_process import START_DEADLINE_SECONDS, ServiceProcess, client_of, running_service
from tests.unit.sessions.recorded import assert_true

WORKERS = 2
IN_A_ROW = 24
"""So many steps over connections of their own reach every worker."""
RECORDING_DEADLINE_SECONDS = 30.0
"""A second is what it takes, unless the machine is busy."""
KILLED_AT = 20
"""Steps before a worker is killed."""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'sessions.db'}"


@pytest.fixture
def service(repository: Path, tmp_path: Path, url: str) -> Iterator[ServiceProcess]:
    """Two workers, both of them ready."""
    with running_service(repository, url, tmp_path / "log", "--workers", str(WORKERS)) as process:
        process.wait_for("ready", WORKERS)
        yield process


@pytest.fixture
def traces(url: str) -> Iterator[Traces]:
    with closing(open_traces(url, timeout_seconds=10)) as traces:
        yield traces


def begun(traces: Traces, session_id: str, *, max_bytes: int = 2**20) -> None:
    now = time.time()
    made = Trace("", "t", session_id, "weather", 1, now, now + 600, max_bytes)
    traces.create(made, [], most=10)


def session_of(url: str, session_id: str) -> Session:
    """As it is stored."""
    with closing(open_store(url, "normal", retention_seconds=86400.0, timeout_seconds=10)) as store:
        (found,) = store.read([Identity("", session_id)])
    assert isinstance(found, Session)
    return found


def inputs_by_step(pieces: list[Piece]) -> dict[int, list[float]]:
    return {
        piece.step + index: row.tolist()
        for piece in pieces
        for index, row in enumerate(piece.inputs)
    }


def step_until_all_record(
    service: ServiceProcess, traces: Traces, session_id: str, rows: Iterator[list[float]]
) -> dict[int, list[float]]:
    """Over a new connection each; all that was sent, by its step."""
    sent: dict[int, list[float]] = {}
    deadline = time.monotonic() + RECORDING_DEADLINE_SECONDS
    while True:
        for _ in range(IN_A_ROW):
            step_over_a_new_connection(service, session_id, next(rows), sent)
        found = inputs_by_step(contiguous(traces.pieces("", "t")))
        if sorted(sent)[-IN_A_ROW:] == sorted(found)[-IN_A_ROW:]:
            return sent
        assert time.monotonic() < deadline, service.log()


def step_over_a_new_connection(
    service: ServiceProcess, session_id: str, row: list[float], sent: dict[int, list[float]]
) -> None:
    with client_of(service.url) as client:
        sent[apply_steps(client, session_id, [row])["step"] - 1] = row


@pytest.fixture
def engine(models: Models) -> Engine:
    return models.default("weather")


def test_every_step_through_any_worker_is_in_the_trace(
    service: ServiceProcess, traces: Traces, url: str, engine: Engine
) -> None:
    rows = iter(weather_inputs(100_000))
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    begun(traces, session_id)
    early = step_until_all_record(service, traces, session_id, rows)
    sent: dict[int, list[float]] = {}
    for number in (1, 1, 4) * 30:
        with client_of(service.url) as client:
            some = [next(rows) for _ in range(number)]
            end = apply_steps(client, session_id, some)["step"]
            sent |= dict(zip(range(end - number, end), some, strict=True))
    pieces = traces.pieces("", "t")
    shown = contiguous(pieces)
    found = inputs_by_step(shown)
    assert sent.items() <= found.items()
    assert list(found) == sorted(found)
    assert found.items() <= (early | sent).items()
    assert_true(shown, engine, session_of(url, session_id))
    states = sum(one.state is not None for one in pieces)
    assert states >= WORKERS, "each worker's first piece has one"


def test_nothing_is_made_where_nobody_records(service: ServiceProcess, tmp_path: Path) -> None:
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
        apply_steps(client, session_id, weather_inputs(3))
    assert not list(tmp_path.glob("*-traces*"))


def test_what_is_shown_after_a_worker_was_killed_is_true(
    service: ServiceProcess, traces: Traces, url: str, engine: Engine
) -> None:
    """Some steps may have been applied and not be in it: then it begins behind them."""
    rows = iter(weather_inputs(100_000))
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    begun(traces, session_id)
    step_until_all_record(service, traces, session_id, rows)
    for _ in range(3):
        _kill_one_while_stepping(service, session_id, rows)
    while not _try_to_step(service, session_id, next(rows)):
        pass
    session = session_of(url, session_id)
    shown = contiguous(traces.pieces("", "t"))
    assert shown
    assert_true(shown, engine, session)
    kept = inputs_by_step(traces.pieces("", "t"))
    assert len(kept) >= 0.9 * session.step


def _kill_one_while_stepping(
    service: ServiceProcess, session_id: str, rows: Iterator[list[float]]
) -> None:
    """With -9; until another one is there."""
    gone = {event["worker"] for event in service.events("worker_ended")}
    ready = [event["pid"] for event in service.events("ready")]
    victim = next(pid for pid in ready if pid not in gone)
    began = time.monotonic()
    for tried in count(1):
        if tried == KILLED_AT:
            os.kill(victim, signal.SIGKILL)
        _try_to_step(service, session_id, next(rows))
        if len(service.events("ready")) > len(ready):
            return
        assert time.monotonic() - began < START_DEADLINE_SECONDS, service.log()


def _try_to_step(service: ServiceProcess, session_id: str, row: list[float]) -> bool:
    try:
        with httpx.Client(base_url=service.url, timeout=20) as client:
            apply_steps(client, session_id, [row])
    except httpx.TransportError:
        return False
    return True


def test_a_trace_that_ended_is_recorded_no_more(service: ServiceProcess, traces: Traces) -> None:
    rows = iter(weather_inputs(100_000))
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    begun(traces, session_id)
    step_until_all_record(service, traces, session_id, rows)
    assert traces.delete("", "t")
    for _ in range(IN_A_ROW):
        step_over_a_new_connection(service, session_id, next(rows), {})
    assert traces.pieces("", "t") == []
    assert "Traceback" not in service.log()


def test_it_is_watched_through_whichever_worker(service: ServiceProcess, models: Models) -> None:
    """Over HTTP alone, each request over a connection of its own."""
    rows = weather_inputs(10_000)
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
        trace = client.post("/v1/traces", json={"session_id": session_id}).json()
    path = f"/v1/traces/{trace['trace_id']}"
    seen_in_a_row, sent = 0, 0
    deadline = time.monotonic() + RECORDING_DEADLINE_SECONDS
    # Until every worker records, steps may be missed; then the trace begins behind them.
    while seen_in_a_row < 2 * IN_A_ROW:
        assert time.monotonic() < deadline, service.log()
        with client_of(service.url) as client:
            apply_steps(client, session_id, [rows[sent]])
        sent += 1
        is_seen = _described(service, path)["to"] == sent
        seen_in_a_row = seen_in_a_row + 1 if is_seen else 0
    with client_of(service.url) as client:
        window = client.get(f"{path}/window").json()
        inputs = client.get(f"{path}/inputs").json()
    first = inputs["from"]
    np.testing.assert_array_equal(
        np.array(inputs["inputs"], np.float32), np.array(rows[first:sent], np.float32)
    )
    engine = models.default("weather")
    given = np.array(rows[:sent], np.float32)[np.newaxis]
    _, states = engine.sequence(given, engine.initial_states(1))
    np.testing.assert_allclose(window["values"], states[0, first:], atol=1e-5)


def _described(service: ServiceProcess, path: str) -> dict[str, Any]:
    with client_of(service.url) as client:
        described: dict[str, Any] = client.get(path).json()
    return described
