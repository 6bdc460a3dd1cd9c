"""Several processes behind one port: killed ones are replaced, none is left behind."""

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.requests import apply_steps, new_session
from tests.e2e.test_survival import BODY, send_half_a_request
from tests.service_process import ServiceProcess, client_of, refused_start, running_service

ROW = [20, 1000, 0.5]
WORKERS = 2


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """A repository of one model that a test may damage."""
    folder = tmp_path / "models"
    shutil.copytree(repository / "weather", folder / "weather")
    return folder


@pytest.fixture
def service(copy: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Two workers, both of them ready."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--workers", str(WORKERS))
    with running_service(copy, store, tmp_path / "log", *flags) as process:
        process.wait_for("ready", WORKERS)
        yield process


def pids(service: ServiceProcess) -> list[int]:
    """Of all workers that have become ready, in order."""
    return [event["pid"] for event in service.events("ready")]


def test_every_worker_serves_every_session(service: ServiceProcess) -> None:
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    for step in range(1, 60):
        with client_of(service.url) as client:
            assert apply_steps(client, session_id, [ROW])["step"] == step
    first, second = pids(service)
    assert service.pid not in (first, second)
    # Stopped, one of them accepts nothing: the other serves alone.
    for stopped in (first, second):
        os.kill(stopped, signal.SIGSTOP)
        step += 1
        assert _step_alone(service, session_id) == step
        os.kill(stopped, signal.SIGCONT)


def _step_alone(service: ServiceProcess, session_id: str) -> int:
    """One step while a worker is stopped.

    A connection that the stopped one was already woken for waits in vain: the next one does not.
    """
    for _ in range(20):
        try:
            with httpx.Client(base_url=service.url, timeout=1) as client:
                step: int = apply_steps(client, session_id, [ROW])["step"]
                return step
        except httpx.TimeoutException:
            continue
    raise AssertionError("the other worker never answered")


def test_no_torch_in_any_of_them(service: ServiceProcess) -> None:
    for pid in (service.pid, *pids(service)):
        assert "libtorch" not in Path(f"/proc/{pid}/maps").read_text("utf-8")


def test_a_killed_worker_is_replaced_while_the_other_serves(service: ServiceProcess) -> None:
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    victim = pids(service)[0]
    os.kill(victim, signal.SIGKILL)
    ended = service.wait_for("worker_ended")
    assert ended == [ended[0] | {"worker": victim, "status": -9, "restart_seconds": 0}]
    answered = 0
    while len(service.events("ready")) < WORKERS + 1:
        with client_of(service.url) as client:
            apply_steps(client, session_id, [ROW])
        answered += 1
    assert answered > 0
    assert victim not in pids(service)[1:]


def test_a_worker_told_to_stop_is_replaced_while_the_other_serves(service: ServiceProcess) -> None:
    """One after the other: a restart of all that nobody notices."""
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    for pid in pids(service):
        count = len(service.events("ready"))
        os.kill(pid, signal.SIGTERM)
        while len(service.events("ready")) == count:
            with httpx.Client(base_url=service.url, timeout=5) as client:
                apply_steps(client, session_id, [ROW])
    assert [event["status"] for event in service.events("worker_ended")] == [0, 0]
    assert len(set(pids(service))) == 2 * WORKERS


def test_a_worker_that_cannot_start_waits_longer_each_time(
    service: ServiceProcess, copy: Path
) -> None:
    hidden = copy.with_name("hidden")
    copy.rename(hidden)
    os.kill(pids(service)[0], signal.SIGKILL)
    ended = service.wait_for("worker_ended", 3)
    assert [event["restart_seconds"] for event in ended] == [0, 1, 2]
    assert [event["status"] for event in ended] == [-9, 1, 1]
    assert "is not a folder" in service.log()
    with client_of(service.url) as client:
        apply_steps(client, new_session(client, "weather"), [ROW])
    hidden.rename(copy)
    service.wait_for("ready", WORKERS + 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_them_all(service: ServiceProcess, number: signal.Signals) -> None:
    os.kill(service.pid, number)
    assert service.wait() == 0
    assert len(service.events("stopped")) == WORKERS
    assert not service.events("worker_ended")
    assert "Traceback" not in service.log()
    assert not any(alive(pid) for pid in pids(service))


@pytest.mark.parametrize(
    ("number", "drain", "least"), [(signal.SIGTERM, "1.5", 1.4), (signal.SIGINT, "100", 0)]
)
def test_a_signal_to_all_of_them_at_once(
    repository: Path, tmp_path: Path, number: signal.Signals, drain: str, least: float
) -> None:
    """As systemd does with SIGTERM, and a terminal with SIGINT: each worker gets two."""
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--workers", str(WORKERS), "--drain-seconds", drain)
    with running_service(repository, store, tmp_path / "log", *flags) as service:
        service.wait_for("ready", WORKERS)
        signalled = time.monotonic()
        for pid in (*pids(service), service.pid):
            os.kill(pid, number)
        assert service.wait() == 0
        assert time.monotonic() - signalled > least
        assert len(service.events("stopped")) == WORKERS
        assert "Traceback" not in service.log()


def test_no_worker_outlives_a_killed_supervisor(service: ServiceProcess) -> None:
    orphans = pids(service)
    service.kill()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in orphans):
        assert time.monotonic() < deadline, "orphans hold the port"
        time.sleep(0.01)
    assert len(service.events("stopped")) == WORKERS
    socket.create_server(("127.0.0.1", service.port)).close()


def alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_nobody_connects_when_only_old_requests_are_served(
    service: ServiceProcess,
) -> None:
    with client_of(service.url) as client:
        session_id = new_session(client, "weather")
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        send_half_a_request(connection, session_id)
        service.terminate()
        deadline = time.monotonic() + 10
        while connects(service.port):
            assert time.monotonic() < deadline
        connection.sendall(BODY)
        assert b" 200 OK" in connection.recv(65536)
    assert service.wait() == 0


def connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_memory_cannot_be_shared(repository: Path) -> None:
    said = refused_start("--repository", str(repository), "--store", "memory://", "--workers", "2")
    assert said.startswith("gatewise: 2 workers cannot share memory://")
    assert "use --store sqlite:///PATH" in said


def test_bad_models_start_no_worker(copy: Path, tmp_path: Path) -> None:
    graph = copy / "weather" / "1" / "step.onnx"
    graph.write_bytes(b"\x00")
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    said = refused_start("--repository", str(copy), "--store", store, "--workers", "2")
    assert f"{graph} has SHA-256" in said


def test_a_bad_store_starts_no_worker(repository: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'nowhere' / 'sessions.db'}"
    said = refused_start("--repository", str(repository), "--store", store, "--workers", "2")
    assert "nowhere" in said


def test_a_taken_port_starts_no_worker(repository: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = ("--port", str(taken.getsockname()[1]), "--workers", "2")
        store = f"sqlite:///{tmp_path / 'sessions.db'}"
        said = refused_start("--repository", str(repository), "--store", store, *flags)
    assert "cannot listen on" in said


def test_one_welcome_for_all_of_them(repository: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'sessions.db'}"
    flags = ("--workers", "2", "--log-format", "console")
    with running_service(repository, store, tmp_path / "log", *flags) as service:
        assert service.stop() == 0
        assert service.log().count("Gatewise serves") == 1
