"""Who runs where: all processes of a server on one core, the load on another."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

SERVER_CORE, LOAD_CORE = 0, 1


def pinned(*cores: int) -> list[str]:
    """The words in front of a command that keep it on these cores."""
    return ["taskset", "--cpu-list", ",".join(map(str, cores))]


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What this thread does within is done there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
