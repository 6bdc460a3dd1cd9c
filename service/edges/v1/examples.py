"""A small request that a model surely accepts: real held-out data from its golden vectors."""

from typing import Any

import numpy as np

from service.bundle.signatures import Tokens
from service.engine.engine import Engine

EXAMPLE_STEPS = 64


def example_of(engine: Engine, steps: int = EXAMPLE_STEPS) -> dict[str, Any]:
    """`{"text": …}` for character models, else `{"inputs": …}`: the body of a steps request."""
    golden = engine.example[:steps]
    signature = engine.manifest.input
    if isinstance(signature, Tokens):
        if signature.vocabulary is None:
            return {"inputs": golden.tolist()}
        return {"text": "".join(signature.vocabulary[token] for token in golden)}
    # The shortest decimals that read back as the same float32: 371.2, not 371.20001220703125.
    shortest = [[float(str(np.float32(value))) for value in row] for row in golden]
    return {"inputs": shortest}
