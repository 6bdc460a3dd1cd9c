"""All cases, and the tenth of them that every run of the tests takes."""

from tests.variety.onnx_models.case import Case
from tests.variety.onnx_models.topics import (
    built,
    heads,
    layers,
    layouts,
    lengths,
    over_time,
    states,
)

_TOPICS = (layers, states, heads, over_time, layouts, lengths, built)


def catalogue() -> list[Case]:
    return [case for topic in _TOPICS for case in topic.cases()]


def tenth() -> list[Case]:
    """Every tenth of each topic."""
    return [case for topic in _TOPICS for case in list(topic.cases())[::10]]
