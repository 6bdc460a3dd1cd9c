"""SIGTERM: balancers are told first, nobody who comes meanwhile is turned away, then it ends."""

import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.e2e.requests import apply_steps, new_session, state_of
from tests.e2e.test_survival import send_half_a_request
from tests.service_process import ServiceProcess, client_of, running_service
from tests.waiting import wait_until

ROW = [20, 1000, 0.5]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nobody_is_turned_away_while_balancers_are_told(
    repository: Path, tmp_path: Path, workers: str
) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    flags = ("--drain-seconds", "1.5", "--workers", workers)
    with (
        running_service(repository, store, log, *flags) as service,
        ThreadPoolExecutor(4) as clients,
    ):
        service.wait_for("ready", int(workers))
        end: Future[float] = Future()
        loops = [clients.submit(loop, service, end) for loop in (_reconnecting, _keeping) * 2]
        _wait_until_all_step(service)
        service.terminate()
        signalled = time.monotonic()
        # A tick of the server ends the drain: 0.1 s before it, all of it is still open.
        end.set_result(signalled + 1.4)
        statuses = _statuses(service, "/health/ready", signalled + 1.3)
        assert statuses.count(503) > 5
        assert set(statuses[-5:]) == {503}
        assert httpx.get(f"{service.url}/health/live").status_code == 200
        assert sum(loop.result() for loop in loops) > 20
        assert service.wait() == 0
        assert 1.4 < time.monotonic() - signalled < 5


def _reconnecting(service: ServiceProcess, end: "Future[float]") -> int:
    """Step over a new connection each time; how many answers came after the signal."""
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")

    def step() -> None:
        with client_of(service.url) as client:
            apply_steps(client, session_id, [ROW])

    return _until(step, end)


def _keeping(service: ServiceProcess, end: "Future[float]") -> int:
    """Step over one connection, for as long as the service keeps it open."""
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
        return _until(lambda: apply_steps(client, session_id, [ROW]), end)


def _until(step: Callable[[], object], end: "Future[float]") -> int:
    after = 0
    while not end.done() or time.monotonic() < end.result():
        step()
        after += end.done()
    return after


def _wait_until_all_step(service: ServiceProcess) -> None:
    with client_of(service.url) as client:

        def all_step() -> bool:
            sessions = client.get("/v1/sessions").json()["sessions"]
            return len(sessions) == 4 and min(session["step"] for session in sessions) > 2

        wait_until(all_step, service.log, seconds=20)


def _statuses(service: ServiceProcess, path: str, until: float) -> list[int]:
    statuses = []
    while time.monotonic() < until:
        statuses.append(httpx.get(service.url + path).status_code)
    return statuses


def test_ready_says_no_within_a_tenth_of_a_second(repository: Path, tmp_path: Path) -> None:
    seconds = []
    for _ in range(3):
        with running_service(
            repository, "memory://", tmp_path / "log", "--drain-seconds", "30"
        ) as service:
            signalled = time.monotonic()
            service.terminate()
            while (answer := httpx.get(f"{service.url}/health/ready")).status_code == 200:
                assert time.monotonic() - signalled < 20
            seconds.append(time.monotonic() - signalled)
        assert answer.status_code == 503
        assert answer.json()["code"] == "shutting_down"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close"
        if seconds[-1] <= 0.1:
            return
    raise AssertionError(f"/health/ready said no after {seconds} s")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("again", [ServiceProcess.terminate, ServiceProcess.interrupt])
def test_a_second_signal_skips_the_drain(
    repository: Path, tmp_path: Path, workers: str, again: Callable[[ServiceProcess], None]
) -> None:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--drain-seconds", "100", "--workers", workers)
    with running_service(repository, store, tmp_path / "log", *flags) as service:
        service.wait_for("ready", int(workers))
        service.terminate()
        service.wait_for("stopping", int(workers))
        again(service)
        assert service.wait() == 0
        assert len(service.events("stopped")) == int(workers)
        assert "Traceback" not in service.log()


def test_sigint_alone_skips_the_drain(repository: Path, tmp_path: Path) -> None:
    flags = ("--drain-seconds", "100")
    with running_service(repository, "memory://", tmp_path / "log", *flags) as service:
        service.interrupt()
        assert service.wait() == 0
        assert len(service.events("stopped")) == 1
        assert "Traceback" not in service.log()


def test_a_request_that_hangs_is_cut_after_the_grace(repository: Path, tmp_path: Path) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with running_service(repository, store, log, "--grace-seconds", "1") as service:
        with client_of(service.url) as client:
            session_id = new_session(client, "weather")
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
            send_half_a_request(connection, session_id)
            signalled = time.monotonic()
            service.terminate()
            assert service.wait() == 0
            assert 0.9 < time.monotonic() - signalled < 5
        assert len(service.events("stopped")) == 1
    with (
        running_service(repository, store, log) as service,
        client_of(service.url) as client,
    ):
        assert state_of(client, session_id)["step"] == 0


@pytest.mark.parametrize("tell", [ServiceProcess.terminate, ServiceProcess.interrupt])
def test_a_signal_to_a_worker_that_is_still_starting(
    repository: Path, tmp_path: Path, tell: Callable[[ServiceProcess], None]
) -> None:
    """It has not come to say what it does with signals, and keeps this one until then."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    with running_service(repository, store, tmp_path / "log", "--workers", "2") as service:
        old = [event["pid"] for event in service.wait_for("ready", 2)]
        os.kill(old[0], signal.SIGKILL)
        _wait_until_one_imports(service.pid, old)
        tell(service)
        assert service.wait() == 0
        assert len(service.events("ready")) == 2
        assert len(service.events("stopped")) == 1
        assert not service.events("worker_killed")
        assert "Traceback" not in service.log()


def _wait_until_one_imports(supervisor: int, known: list[int]) -> None:
    """Until a new child is at its imports, some of them done."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in set(map(int, children.read_text("utf-8").split())) - set(known):
            try:
                if "pydantic_core" in Path(f"/proc/{pid}/maps").read_text("utf-8"):
                    return
            except (FileNotFoundError, ProcessLookupError):
                continue
    raise AssertionError("no worker was started")
