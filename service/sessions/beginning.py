"""The state that something begins with."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.engine import Engine
from service.errors import InvalidInput, SessionsUnsupported
from service.operations.constants import read_constants


def first_state(
    engine: Engine, state: NDArray[np.float32] | None, constants: Mapping[str, Any] | None
) -> NDArray[np.float32]:
    """The state [S] that is given, or that of a session that has seen nothing.

    Raises SessionsUnsupported, and InvalidInput for a state of another width or constants that are
    not the model's.
    """
    manifest = engine.manifest
    if not manifest.sessions:
        raise SessionsUnsupported(
            f"model {manifest.name!r} has no sessions: {manifest.reason}; "
            f"POST whole sequences to /v1/models/{manifest.name}/sequences"
        )
    if state is None:
        given = read_constants(constants, manifest.constants)
        begun: NDArray[np.float32] = engine.initial_states(1, given)[0]
        return begun
    if constants is not None:
        raise InvalidInput.at(("constants",), "send `state` or `constants`: a state has them in it")
    check_width(state, manifest.state_size)
    return state


def check_width(state: NDArray[np.float32] | None, state_size: int) -> None:
    """Raises InvalidInput for a state of another width."""
    if state is not None and len(state) != state_size:
        raise InvalidInput.at(
            ("state",), f"{len(state)} numbers, but this model's state has {state_size}"
        )
