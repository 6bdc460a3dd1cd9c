"""The metrics of all processes in the formats that Prometheus reads."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service import __version__
from service.metrics.catalogue import CATALOGUE
from service.metrics.instruments import Counter, Family, Gauge, Histogram, Numbers, local_memory
from service.metrics.memory import Key, Memory, Page


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A version of a model that is served."""

    model: str
    version: int
    provider: str


class Metrics:
    """The numbers of this process, and of those that it shares memory with."""

    def __init__(self, catalogue: Sequence[Family[Numbers]] = CATALOGUE) -> None:
        self._catalogue = catalogue
        self._memory = local_memory()
        self._memory.page(0).take()

    def share(self, memory: Memory, number: int) -> None:
        """Count in a page of the memory from now on, and answer for all of them.

        What another process has left in the page counts on.
        """
        page = memory.page(number)
        page.take()
        for family in self._catalogue:
            family.move(page)
        self._memory = memory

    def render(self, accept: str, models: Iterable[ModelInfo]) -> tuple[bytes, str]:
        """All metrics in the format that `Accept` prefers, and its content type."""
        encode, content_type = choose_encoder(accept)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._catalogue, self._memory, list(models)))
        return encode(registry), content_type


METRICS = Metrics()


class _Collected(Collector):
    """What the library asks when it writes its answer."""

    def __init__(
        self,
        catalogue: Sequence[Family[Numbers]],
        memory: Memory,
        models: Sequence[ModelInfo],
    ) -> None:
        self._catalogue = catalogue
        self._memory = memory
        self._models = models

    def collect(self) -> Iterator[Metric]:
        pages = [self._memory.page(number) for number in range(len(self._memory))]
        living = [_is_alive(page.pid) for page in pages]
        read = [dict(page.read()) for page in pages]
        for family in self._catalogue:
            # What a process that has ended has counted still counts; what it had open does not.
            chosen = [
                numbers
                for numbers, alive in zip(read, living, strict=True)
                if alive or not isinstance(family, Gauge)
            ]
            yield _collected(family, chosen)
        yield _models(self._models)
        yield InfoMetricFamily("gatewise_build", "What is running.", {"version": __version__})
        yield from PlatformCollector(registry=None).collect()
        yield from _processes(pages, living)


def _collected(family: Family[Numbers], pages: Sequence[dict[Key, list[float]]]) -> Metric:
    found: dict[Key, list[list[float]]] = {}
    for page in pages:
        for key, numbers in page.items():
            if key[0] == family.name:
                found.setdefault(key[1:], []).append(numbers)
    if isinstance(family, Histogram):
        return _histogram(family, found)
    if isinstance(family, Counter):
        counter = CounterMetricFamily(family.name, family.help_text, labels=family.label_names)
        for labels, all_numbers in sorted(found.items()):
            counter.add_metric(labels, sum(numbers[0] for numbers in all_numbers))
        return counter
    assert isinstance(family, Gauge)
    gauge = GaugeMetricFamily(family.name, family.help_text, labels=family.label_names)
    for labels, all_numbers in sorted(found.items()):
        latest = max(all_numbers, key=lambda numbers: numbers[1])
        if not family.latest:
            gauge.add_metric(labels, sum(numbers[0] for numbers in all_numbers))
        elif latest[1] > 0:  # somebody knows it
            gauge.add_metric(labels, latest[0])
    return gauge


def _histogram(family: Histogram, found: dict[Key, list[list[float]]]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help_text, labels=family.label_names)
    names = [*map(floatToGoString, family.bounds), "+Inf"]
    for labels, all_numbers in sorted(found.items()):
        numbers = [sum(same) for same in zip(*all_numbers, strict=True)]
        buckets = list(zip(names, family.cumulative(numbers), strict=True))
        metric.add_metric(labels, buckets, numbers[-1])
    return metric


def _models(models: Sequence[ModelInfo]) -> Metric:
    metric = InfoMetricFamily(
        "gatewise_model", "A version of a model that is served.", labels=("model", "version")
    )
    for one in models:
        metric.add_metric((one.model, str(one.version)), {"provider": one.provider})
    return metric


def _processes(pages: Sequence[Page], living: Sequence[bool]) -> Iterator[Metric]:
    """The library's metrics of a process; of several, each with the number of its place."""
    together: dict[str, Metric] = {}
    for number, (page, alive) in enumerate(zip(pages, living, strict=True)):
        if not alive:
            continue
        label = {"worker": str(number)} if len(pages) > 1 else {}
        for metric in ProcessCollector(pid=partial(_same, page.pid), registry=None).collect():
            kept = together.setdefault(metric.name, metric)
            labelled = [sample._replace(labels=sample.labels | label) for sample in metric.samples]
            kept.samples = labelled if kept is metric else kept.samples + labelled
    yield from together.values()


def _is_alive(pid: int) -> bool:
    if pid == 0:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _same(pid: int) -> int:
    return pid
