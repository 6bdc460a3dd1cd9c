"""A small request that a model surely accepts: real held-out data from its golden vectors."""

from typing import Any

from service.engine.engine import Engine

EXAMPLE_STEPS = 64


def example_of(engine: Engine, steps: int = EXAMPLE_STEPS) -> dict[str, Any]:
    """`{"text": …}` for character models, else `{"inputs": …}`: the body of a steps request."""
    return engine.manifest.input.example(engine.example[:steps])
