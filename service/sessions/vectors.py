"""What a store keeps of a session in its vector: the state, and behind it the last output.

The vector is the state [S] followed by the last output [O], NaN where there is none yet. Sessions
that an earlier release has stored have S numbers and no output, and so have those of models whose
outputs are too wide to keep. Nobody outside `service/sessions`
sees more than the state.
"""

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.sessions.damage import damaged
from service.stores.store import Session, Store

Vector = NDArray[np.float32]


MOST_KEPT = 4096
"""Numbers of an output that is kept: it is written with every step."""


def keeps_outputs(store: Store, manifest: Manifest) -> bool:
    """False for wide outputs, and while sessions are written for an older release, which knows of
    no outputs."""
    return store.counts_changes and manifest.output.width <= MOST_KEPT


def vector_of(
    manifest: Manifest, state: Vector, output: Vector | None = None, *, keeps_output: bool
) -> Vector:
    """Of a state [S] and the output [O] that came with it, if one did."""
    if not keeps_output:
        return state
    if output is None:
        output = np.full(manifest.output.width, np.nan, np.float32)
    return np.concatenate([state, output])


def with_outputs(states: Vector, outputs: Vector) -> Vector:
    """The vectors [B, S + O] of B sessions."""
    return np.concatenate([states, outputs], axis=1)


def is_vector(size: int, manifest: Manifest) -> bool:
    """Whether sessions of a model have vectors of so many numbers."""
    return size in (manifest.state_size, manifest.state_size + manifest.output.width)


def check_length(session: Session, manifest: Manifest) -> None:
    """Raises SessionDamaged where a session's vector is none of its model's."""
    if not is_vector(len(session.state), manifest):
        raise wrong_length(session, len(session.state), manifest)


def state_of(session: Session, manifest: Manifest) -> Vector:
    """The state [S]. Raises SessionDamaged."""
    check_length(session, manifest)
    return split(session.state, manifest)[0]


def split(vector: Vector, manifest: Manifest) -> tuple[Vector, Vector | None]:
    """The state [S] and the last output [O], None where there is none yet."""
    state, output = vector[: manifest.state_size], vector[manifest.state_size :]
    return state, None if not len(output) or np.isnan(output).any() else output


def wrong_length(session: Session, size: int, manifest: Manifest) -> Exception:
    return damaged(
        session,
        f"it has {size} numbers where the state of its model has {manifest.state_size} and an "
        f"output {manifest.output.width}",
    )
