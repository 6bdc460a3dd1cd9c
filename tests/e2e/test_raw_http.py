"""Bytes on a socket: what is unusual, malformed, cut or never read.

Both ways through the service are held to the same: the protocol that answers steps without ASGI,
and the ASGI front.
"""

import itertools
import resource
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.e2e.conftest import FRONTS, MAX_BODY_BYTES
from tests.e2e.requests import new_session, state_of
from tests.metrics_page import read_metrics, value_of
from tests.raw_http import RawConnection, get, head, post, post_in_chunks
from tests.service_process import ServiceProcess, client_of, running_service
from tests.waiting import wait_until

BODY = b'{"inputs": [[20, 1000, 0.5]]}'
STEPS = "/v1/sessions/{session_id}/steps"
KEEP_ALIVE_SECONDS = 5


@pytest.fixture(scope="module", params=FRONTS)
def served(fronts: Mapping[str, ServiceProcess], request: pytest.FixtureRequest) -> ServiceProcess:
    return fronts[request.param]


@pytest.fixture
def client(served: ServiceProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=30) as client:
        yield client


@pytest.fixture
def connection(served: ServiceProcess) -> Iterator[RawConnection]:
    with RawConnection(served.port) as connection:
        yield connection


@pytest.fixture
def steps(client: httpx.Client) -> str:
    """The path of a new session's steps."""
    return steps_of(new_session(client, "weather"))


def steps_of(session_id: str) -> str:
    return f"/v1/sessions/{session_id}/steps"


def test_pipelined_steps_are_answered_in_order(connection: RawConnection, steps: str) -> None:
    connection.send(post(steps, BODY) * 50)
    assert [connection.answer().json()["step"] for _ in range(50)] == list(range(1, 51))


def test_requests_of_every_kind_take_turns(connection: RawConnection, steps: str) -> None:
    """What is answered in the parser, in the queue, by FastAPI, in chunks, or after all by ASGI."""
    many = b'{"inputs": [' + b",".join([b"[20, 1000, 0.5]"] * 100) + b"]}"
    kinds = [
        (post(steps, BODY), 200),
        (get("/health/live"), 200),
        (post(steps, b"{"), 400),
        (post(steps, many), 200),
        (post_in_chunks(steps, BODY), 200),
        (post(steps, b'{"inputs": [[1]]}'), 422),
        (post(f"{steps}?query", BODY), 200),
    ]
    orders = list(itertools.permutations(kinds, 3))
    connection.send(b"".join(request for order in orders for request, _ in order))
    for order in orders:
        assert [connection.answer().status for _ in order] == [status for _, status in order]


def test_very_many_that_are_answered_at_once(connection: RawConnection, steps: str) -> None:
    """Each lets the next one begin: in a loop, not within one another."""
    connection.send(post(steps, BODY) + post(steps, b"{") * 3000 + post(steps, BODY))
    statuses = [connection.answer().status for _ in range(3002)]
    assert statuses == [200, *[400] * 3000, 200]


def test_a_request_byte_by_byte(connection: RawConnection, steps: str) -> None:
    connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in post(steps, BODY) + post(steps, BODY):
        connection.send(bytes([byte]))
    assert [connection.answer().json()["step"] for _ in range(2)] == [1, 2]


def test_a_body_in_chunks(connection: RawConnection, steps: str) -> None:
    assert connection.ask(post_in_chunks(steps, BODY)).json()["step"] == 1


def test_expect_100_continue(connection: RawConnection, steps: str) -> None:
    request = post(steps, BODY, "expect: 100-continue")
    connection.send(request.removesuffix(BODY))
    assert connection.answer().status == 100
    assert connection.ask(BODY).json()["step"] == 1


@pytest.mark.parametrize("keep", [False, True])
def test_http_1_0(connection: RawConnection, steps: str, keep: bool) -> None:
    headers = ["connection: keep-alive"] if keep else []
    assert connection.ask(post(steps, BODY, *headers, version="1.0")).json()["step"] == 1
    assert connection.is_closed()


def test_connection_close(connection: RawConnection, steps: str) -> None:
    """The last answer of its connection: what was sent behind it is not applied."""
    answer = connection.ask(post(steps, BODY, "connection: close") + post(steps, BODY) * 3)
    assert answer.json()["step"] == 1
    assert answer.header("connection") == "close"
    assert connection.is_closed()


def test_connection_close_after_an_error(
    connection: RawConnection, client: httpx.Client, steps: str
) -> None:
    answer = connection.ask(post(steps, b"{", "connection: close") + post(steps, BODY) * 3)
    assert answer.status == 400
    assert connection.is_closed()
    assert client.get(steps.removesuffix("/steps")).json()["step"] == 0


def test_other_protocols_are_not_taken_up(connection: RawConnection, steps: str) -> None:
    """The parser ends the request at its head then, and a step has no body."""
    offer = ("connection: upgrade", "upgrade: h2c")
    assert connection.ask(head("GET /health/live HTTP/1.1", *offer)).status == 200
    answer = connection.ask(post(steps, BODY, *offer))
    assert (answer.status, answer.json()["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("path", ["{}", "{}?x=1", "{}#x", "http://x{}", "/v1/%73essions{}"])
def test_other_ways_to_write_a_path(connection: RawConnection, steps: str, path: str) -> None:
    if "%" in path:
        steps = steps.removeprefix("/v1/sessions")
    assert connection.ask(post(path.format(steps), BODY)).json()["step"] == 1


def test_a_path_that_is_none(connection: RawConnection, steps: str) -> None:
    assert connection.ask(post(steps + "/\xff", BODY)).status in (400, 404)


@pytest.mark.parametrize(
    "lengths",
    [["-1"], ["+1"], ["1x"], ["x"], ["99999999999999999999999"], ["2", "2"], ["29", "30"]],
)
def test_lengths_that_are_none(connection: RawConnection, steps: str, lengths: list[str]) -> None:
    headers = [f"content-length: {length}" for length in lengths]
    assert connection.ask(head(f"POST {steps} HTTP/1.1", *headers) + BODY).status == 400
    assert connection.is_closed()


def test_a_length_and_chunks(connection: RawConnection, steps: str) -> None:
    """Two servers could see two different ends of such a request."""
    request = post_in_chunks(steps, BODY, f"content-length: {len(BODY)}")
    assert connection.ask(request).status == 400
    assert connection.is_closed()


def test_a_body_that_is_too_long_is_refused_before_it_comes(
    connection: RawConnection, steps: str
) -> None:
    length = f"content-length: {MAX_BODY_BYTES + 1}"
    answer = connection.ask(head(f"POST {steps} HTTP/1.1", length))
    assert (answer.status, answer.json()["code"]) == (413, "body_too_large")


def test_no_body(connection: RawConnection, steps: str) -> None:
    for headers in ([], ["content-length: 0"]):
        answer = connection.ask(head(f"POST {steps} HTTP/1.1", *headers))
        assert (answer.status, answer.json()["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("size", [1000, 65_000, 70_000])
def test_spaces_in_a_body(connection: RawConnection, steps: str, size: int) -> None:
    assert connection.ask(post(steps, BODY.ljust(size))).json()["step"] == 1


def test_clients_that_leave_in_the_middle(served: ServiceProcess, steps: str) -> None:
    request = post(steps, BODY)
    for length in range(1, len(request), 7):
        with RawConnection(served.port) as leaving:
            leaving.send(request[:length])
    with RawConnection(served.port) as staying:
        assert staying.ask(request).json()["step"] == 1


@pytest.mark.parametrize("path", [STEPS, "/health/live", "/v1/steps"])
def test_a_client_that_never_reads(fronts: Mapping[str, ServiceProcess], path: str) -> None:
    """It is not read from either, so that nothing piles up, and nobody else waits for it.

    uvicorn's own protocol goes on reading, 300 MB in this test.
    """
    served = fronts["direct"]
    with client_of(served.url) as client:
        flood_path, other = (steps_of(new_session(client, "weather")) for _ in range(2))
    request = post(flood_path if path == STEPS else path, BODY)
    before = _resident_bytes(served.pid)
    with RawConnection(served.port) as flooding, RawConnection(served.port) as reading:
        flooding.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        flooding.socket.settimeout(1)
        flood, sent = request * 1000, 0
        with suppress(TimeoutError):
            while sent < 64e6:
                sent += flooding.socket.send(flood[sent % len(request) :])
        began = time.monotonic()
        assert reading.ask(post(other, BODY)).json()["step"] == 1
        assert time.monotonic() - began < 1
    assert sent < 32e6
    assert _resident_bytes(served.pid) - before < 32e6


def test_a_client_that_reads_late(connection: RawConnection, steps: str) -> None:
    """Everything is answered in order, however often its answers fill all buffers."""
    rows = ", ".join(["[20, 1000, 0.5]"] * 64)
    request, count = post(steps, f'{{"inputs": [{rows}], "gates": true}}'.encode()), 600
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
    with ThreadPoolExecutor(1) as sender:
        sending = sender.submit(connection.send, request * count)
        time.sleep(1)  # how long it is late, whatever the service does meanwhile
        got = [connection.answer().json()["step"] for _ in range(count)]
        sending.result()
    assert got == list(range(64, 64 * count + 1, 64))


def test_connections_on_which_nothing_is_asked_are_closed(
    served: ServiceProcess, steps: str
) -> None:
    """Those that were slow to ask are not, nor one that has become a WebSocket."""
    with (
        RawConnection(served.port) as idle,
        RawConnection(served.port) as slow,
        RawConnection(served.port) as stream,
    ):
        for one in (idle, slow, stream):
            assert one.ask(post(steps, BODY)).status == 200
        asked = time.monotonic()
        slow.send(post(steps, BODY).removesuffix(BODY))
        upgrade = ("connection: upgrade", "upgrade: websocket", "sec-websocket-version: 13")
        key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA=="
        assert stream.ask(head("GET /v1/stream HTTP/1.1", *upgrade, key)).status == 101
        assert idle.is_closed()
        assert KEEP_ALIVE_SECONDS - 0.1 < time.monotonic() - asked < KEEP_ALIVE_SECONDS + 3
        assert slow.ask(BODY).status == 200
        stream.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            stream.is_closed()


@pytest.mark.parametrize("module", FRONTS.values(), ids=FRONTS)
def test_a_waiting_step_whose_client_leaves_is_not_applied(
    repository: Path, tmp_path: Path, module: str
) -> None:
    store, log = tmp_path / "sessions.db", tmp_path / "log"
    with (
        running_service(repository, f"sqlite:///{store}", log, module=module) as service,
        client_of(service.url) as client,
        RawConnection(service.port) as first,
        RawConnection(service.port) as leaving,
    ):
        session_id = new_session(client, "weather")
        request = post(steps_of(session_id), BODY)
        with _held(store):
            for one in (first, leaving):
                assert one.ask(get("/health/live")).status == 200
                one.send(request)
            client.get("/health/live")
            leaving.socket.close()
            wait_until(lambda: _steps_answered(client, 499) == 1, service.log)
        assert first.answer().json()["step"] == 1
        assert state_of(client, session_id)["step"] == 1
        assert _steps_answered(client, 200) == 1


@pytest.mark.parametrize("module", FRONTS.values(), ids=FRONTS)
def test_sigterm_under_load_cuts_nobody(repository: Path, tmp_path: Path, module: str) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with (
        running_service(repository, store, log, module=module) as service,
        ThreadPoolExecutor(10) as clients,
    ):
        with client_of(service.url) as client:
            paths = [steps_of(new_session(client, "weather")) for _ in range(10)]
            loops = [clients.submit(_step_until_told, service.port, path) for path in paths]
            wait_until(lambda: _steps_answered(client, 200) > 200, service.log)
        service.terminate()
        assert min(loop.result() for loop in loops) > 1
        assert service.wait() == 0
        assert "Traceback" not in service.log()


@pytest.mark.parametrize("module", FRONTS.values(), ids=FRONTS)
def test_a_stopping_service_answers_what_waits(
    repository: Path, tmp_path: Path, module: str
) -> None:
    """On a connection of several requests, the one whose turn it is."""
    store, log = tmp_path / "sessions.db", tmp_path / "log"
    with (
        running_service(repository, f"sqlite:///{store}", log, module=module) as service,
        RawConnection(service.port) as waiting,
    ):
        with client_of(service.url) as client:
            request = post(steps_of(new_session(client, "weather")), BODY)
        with _held(store):
            assert waiting.ask(get("/health/live")).status == 200
            waiting.send(request)
            service.terminate()
            service.wait_for("stopping")
            time.sleep(1)  # by now uvicorn has told its connections
        answer = waiting.answer()
        assert (answer.json()["step"], answer.header("connection")) == (1, "close")
        assert waiting.is_closed()
        assert service.wait() == 0


@pytest.mark.parametrize("module", FRONTS.values(), ids=FRONTS)
def test_a_step_that_outlasts_the_grace_is_cut(
    repository: Path, tmp_path: Path, module: str
) -> None:
    store, log = tmp_path / "sessions.db", tmp_path / "log"
    flags = ("--grace-seconds", "1")
    with running_service(repository, f"sqlite:///{store}", log, *flags, module=module) as service:
        with client_of(service.url) as client:
            session_id = new_session(client, "weather")
        with (
            RawConnection(service.port) as first,
            RawConnection(service.port) as second,
            _held(store),
        ):
            for one in (first, second):
                assert one.ask(get("/health/live")).status == 200
                one.send(post(steps_of(session_id), BODY))
            service.terminate()
            for one in (first, second):
                with suppress(EOFError, ConnectionResetError):
                    assert one.answer().status == 500
        assert service.wait() == 0
    with (
        running_service(repository, f"sqlite:///{store}", log, module=module) as service,
        client_of(service.url) as client,
    ):
        assert state_of(client, session_id)["step"] <= 1  # the second had not begun


def _step_until_told(port: int, path: str) -> int:
    """Step until an answer says that it is the last one; how many there were."""
    with RawConnection(port) as connection:
        for count in itertools.count(1):
            answer = connection.ask(post(path, BODY))
            assert answer.json()["step"] == count
            if answer.header("connection") == "close":
                assert connection.is_closed()
                return count
    raise AssertionError("never told")


def _steps_answered(client: httpx.Client, status: int) -> float:
    series = read_metrics(client)
    return value_of(series, "gatewise_http_requests_total", route=STEPS, status=str(status))


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    return pages * resource.getpagesize()


@contextmanager
def _held(store: Path) -> Iterator[None]:
    """Nobody else may write to it."""
    with closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
