"""Whether what was recorded of a session is the truth."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from service.batcher.compute import Row, compute
from service.engine.engine import Engine
from service.stores.store import Session
from service.stores.traces.traces import Piece


def assert_true(pieces: Sequence[Piece], engine: Engine, session: Session) -> None:
    """What was recorded leads to what is stored, from every state on the way."""
    assert pieces[0].state is not None
    size = engine.manifest.state_size
    state = pieces[0].state
    assert pieces[-1].after == session.revision
    assert pieces[-1].changes == session.changes
    for piece, following in pairwise([*pieces, None]):
        assert piece is not None
        if piece.state is not None:
            np.testing.assert_allclose(piece.state, state, atol=1e-6)
        assert piece.version == session.version
        if len(piece.inputs):
            computed = compute([Row(engine, piece.inputs, state, gates=False)])[0]
            assert not isinstance(computed, Exception)
            state = computed.state
        if following is not None:
            assert following.before == piece.after
            assert following.step == piece.step + len(piece.inputs)
    np.testing.assert_allclose(state, session.state[:size], atol=1e-6)
    assert pieces[-1].step + len(pieces[-1].inputs) == session.step
