"""Asking again and again until it holds, with a deadline."""

import time
from collections.abc import Callable

import httpx

DEADLINE_SECONDS = 10.0


def wait_until(
    holds: Callable[[], bool], failure: Callable[[], object], seconds: float = DEADLINE_SECONDS
) -> None:
    """Returns as soon as it holds; fails after `seconds`, and shows what `failure` finds then."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, failure()
        time.sleep(0.01)


def is_ready(url: str) -> bool:
    """Whether a service there says so. False where nobody answers."""
    try:
        return httpx.get(f"{url}/health/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
