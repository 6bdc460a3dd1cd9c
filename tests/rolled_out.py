"""A rollout without a session, all at once."""

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Engine
from service.operations.rollout import Plan
from service.sessions.feedback import Rolled, rolling


def roll(engine: Engine, plan: Plan, state: NDArray[np.float32]) -> Rolled:
    """All of `rolling` at once."""
    outputs = rolling(engine, plan, state)
    while True:
        try:
            next(outputs)
        except StopIteration as end:
            rolled: Rolled = end.value
            return rolled
