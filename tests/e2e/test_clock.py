"""A service whose clock has jumped: what it says, and what an operator does about it."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.service_process import running_service
from tests.system_programs import jumped_clock

LIFE_SECONDS = 39 * 86400
"""Over at the wrong time, and not yet forgotten."""


def faked() -> tuple[str, ...]:
    """The beginning of a command that runs 40 days ahead, as the very process that is started."""
    return ("env", *(f"{name}={value}" for name, value in jumped_clock(40).items()))


def test_a_clock_that_jumped_ends_nothing_until_it_is_accepted(
    repository: Path, tmp_path: Path
) -> None:
    store, log = f"sqlite:///{tmp_path / 'sessions.db'}", tmp_path / "log"
    with running_service(repository, store, log) as service:
        body = {"model": "weather", "session_id": "a", "ttl_seconds": LIFE_SECONDS}
        assert httpx.post(f"{service.url}/v1/sessions", json=body).status_code == 201
        assert httpx.get(f"{service.url}/health/ready").json() == {"status": "ready"}
        service.stop()

    with running_service(repository, store, log, before=faked()) as service:
        ready = httpx.get(f"{service.url}/health/ready")
        assert ready.status_code == 200
        assert "jumped by +3456000 s" in ready.json()["clock"]
        assert httpx.get(f"{service.url}/v1/sessions/a").status_code == 200
        service.wait_for("clock_held")
        assert "gatewise_clock_held 1.0" in httpx.get(f"{service.url}/metrics").text
        service.stop()

    command = [*faked(), sys.executable, "-m", "service", "clock", "accept", "--store", store]
    accepted = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert "is accepted as" in accepted.stdout
    assert "jumped by +3456000 s" in accepted.stdout

    with running_service(repository, store, log, before=faked()) as service:
        assert httpx.get(f"{service.url}/health/ready").json() == {"status": "ready"}
        assert httpx.get(f"{service.url}/v1/sessions/a").status_code == 410


def test_a_command_that_is_none_says_which_there_are() -> None:
    command = [sys.executable, "-m", "service", "clock", "except"]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert refused.returncode == 1
    assert "there are: clock accept, store finish-upgrade" in refused.stderr
