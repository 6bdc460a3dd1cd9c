"""Several processes that count together, in a folder of files as prometheus_client does it.

The library decides for one process or several when it is imported: who starts others opens the
folder before them.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.multiprocess import mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder."""


@contextmanager
def counted_together() -> Iterator[None]:
    """Processes that are spawned within count in one folder, which is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="gatewise-metrics-") as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]


def forget_open(pid: int) -> None:
    """Of a process that has ended, what it counted stays; what it had open is open no more."""
    mark_process_dead(pid)
