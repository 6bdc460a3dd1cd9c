"""All cases, and the tenth of them that every run of the tests takes."""

from tests.variety.onnx_models.case import Case
from tests.variety.onnx_models.topics import layers

_TOPICS = (layers,)


def catalogue() -> list[Case]:
    return [case for topic in _TOPICS for case in topic.cases()]


def tenth() -> list[Case]:
    """Every tenth, so that each topic is there."""
    return catalogue()[::10]
