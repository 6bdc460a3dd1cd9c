"""System programs that some tests need, and what is said where they are missing."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_NAMES = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "curl": ("curl",),
    "faketime": ("faketime",),
    "nginx": ("nginx",),
    "redis-server": ("redis-server",),
}
_MARK = "needs "


def leave_out(need: str) -> NoReturn:
    """Skip the test, which needs this, but never in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(_MARK + need)
    pytest.skip(_MARK + need)


def found(package: str) -> str | None:
    """The program's path."""
    return next(filter(None, map(shutil.which, _NAMES[package])), None)


def required(package: str) -> str:
    """The program's path. Where it is missing the test is skipped, but never in CI."""
    return found(package) or leave_out(f"{package}: apt-get install {package}")


def jumped_clock(days: int) -> dict[str, str]:
    """The environment of a process whose clock is so many days ahead. It has not run for longer."""
    root = Path(required("faketime")).resolve().parents[1]
    library, *_ = (
        *root.glob("lib/*/faketime/libfaketime.so.1"),
        *root.glob("lib*/faketime/libfaketime.so.1"),
    )
    ahead = f"{days:+}d"
    return {"LD_PRELOAD": str(library), "FAKETIME": ahead, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def left_out(skipped: list[pytest.TestReport]) -> list[str]:
    """A line for each missing program: how many tests it left out, and how to add it."""
    counts: dict[str, int] = {}
    for report in skipped:
        _, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(_MARK):
            counts[reason] = counts.get(reason, 0) + 1
    return [f"left out {count} tests: {reason}" for reason, count in counts.items()]
