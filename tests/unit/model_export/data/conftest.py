"""Files to read."""

from collections.abc import Callable
from pathlib import Path

import pytest

WriteFile = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> WriteFile:
    """Writes text or bytes to a file and returns its path."""

    def to_file(content: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return to_file
