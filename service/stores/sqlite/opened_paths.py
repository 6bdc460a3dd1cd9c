"""Whether paths still lead to the files that were opened by them."""

from collections.abc import Sequence
from pathlib import Path


class OpenedPaths:
    """The files that were at some paths when this was made."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = {path: _identity(path) for path in paths}

    def missing(self) -> Path | None:
        """The first path that leads to another file now, or to none."""
        for path, identity in self._files.items():
            if identity is None:  # it could not be seen then
                self._files[path] = _identity(path)
            elif _identity(path) != identity:
                return path
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
