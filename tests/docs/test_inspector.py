"""The notebook of docs/inspector.md runs as printed."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import blocks_of
from tests.service_process import ServiceProcess, running_service

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "inspector.md"


@pytest.fixture
def demo_service(demo_repository: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    with running_service(demo_repository, "memory://", tmp_path / "log") as service:
        yield service


def test_the_notebook_runs(demo_service: ServiceProcess) -> None:
    cells = blocks_of(DOCUMENT.read_text("utf-8"), "python")
    assert len(cells) == 2
    code = "\n".join(cells).replace("http://localhost:8000", demo_service.url)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert any(line.startswith("open quotes: ") for line in lines), ran.stdout
    assert lines[-1] == "steps 0 to 3"
