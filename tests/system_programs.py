"""System programs that some tests need, and what is said where they are missing."""

import os
import shutil

import pytest

_NAMES = {
    "chromium": ("chromium", "chromium-browser", "google-chrome"),
    "curl": ("curl",),
    "redis-server": ("redis-server",),
}
_MARK = "needs "


def required(package: str) -> str:
    """The program's path. Where it is missing the test is skipped, but never in CI."""
    for name in _NAMES[package]:
        if (path := shutil.which(name)) is not None:
            return path
    reason = f"{_MARK}{package}: apt-get install {package}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def left_out(skipped: list[pytest.TestReport]) -> list[str]:
    """A line for each missing program: how many tests it left out, and how to add it."""
    counts: dict[str, int] = {}
    for report in skipped:
        _, _, reason = report.longrepr if isinstance(report.longrepr, tuple) else ("", 0, "")
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith(_MARK):
            counts[reason] = counts.get(reason, 0) + 1
    return [f"left out {count} tests: {reason}" for reason, count in counts.items()]
