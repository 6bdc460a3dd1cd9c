"""Reading /metrics as Prometheus does."""

from collections.abc import Mapping

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]


def series_in(text: str) -> dict[Series, float]:
    """Every series of a page with its value."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read_metrics(client: httpx.Client) -> dict[Series, float]:
    """What a service shows now."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return series_in(answer.text)


def value_of(series: Mapping[Series, float], name: str, **labels: str) -> float:
    """The sum of all series of the name that have these labels; 0 where there is none."""
    wanted = set(labels.items())
    return sum(value for (one, has), value in series.items() if one == name and wanted <= has)
