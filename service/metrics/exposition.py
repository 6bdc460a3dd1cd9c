"""The metrics in the formats that Prometheus reads.

Several processes count together in a folder of files, as prometheus_client does it. The library
decides for one process or several when it is imported: who starts others opens the folder before
them.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Info, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from service import __version__
from service.metrics.catalogue import REGISTRY

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the folder."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A version of a model that is served."""

    model: str
    version: int
    provider: str


def render(accept: str, models: Iterable[ModelInfo]) -> tuple[bytes, str]:
    """All metrics in the format that `Accept` prefers, and its content type.

    Of one of several workers: what all of them have counted.
    """
    registry = CollectorRegistry()
    Info("gatewise_build", "What is running.", registry=registry).info({"version": __version__})
    served = Info(
        "gatewise_model",
        "A version of a model that is served.",
        ("model", "version"),
        registry=registry,
    )
    for one in models:
        served.labels(one.model, str(one.version)).info({"provider": one.provider})
    PlatformCollector(registry)
    if folder := os.environ.get(FOLDER):
        MultiProcessCollector(registry, folder)
    else:
        registry.register(REGISTRY)
        ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


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
