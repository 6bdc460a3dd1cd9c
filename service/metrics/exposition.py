"""The metrics in the formats that Prometheus reads."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from service import __version__
from service.metrics.catalogue import REGISTRY
from service.metrics.workers import FOLDER


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
    registry.register(_Known(list(models)))
    PlatformCollector(registry)
    if folder := os.environ.get(FOLDER):
        MultiProcessCollector(registry, folder)
    else:
        registry.register(REGISTRY)
        ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Known:
    """What is not counted: what is running."""

    def __init__(self, models: list[ModelInfo]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("gatewise_build", "What is running.", {"version": __version__})
        served = InfoMetricFamily(
            "gatewise_model", "A version of a model that is served.", labels=("model", "version")
        )
        for one in self._models:
            served.add_metric((one.model, str(one.version)), {"provider": one.provider})
        yield served
