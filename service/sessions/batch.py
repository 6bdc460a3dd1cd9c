"""Rows of a group that share a run, as columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Pause, Ran, go_on, run
from service.engine.engine import Engine
from service.operations.keys import Key
from service.records import record
from service.sessions.answers import Result, ResultShape, kept_in
from service.sessions.receipts import Receipt, left_by
from service.sessions.revisions import fresh_revisions
from service.sessions.vectors import keeps_outputs, with_outputs
from service.stores.columns import Columns, Moves, Texts
from service.stores.store import Session, Store


@record
class Keyed:
    """What a keyed row needs to leave a receipt: its session, the digest of its meaning, and the
    shape of its answer."""

    session: Session
    key: Key
    digest: bytes
    shape: ResultShape


@dataclass(slots=True, eq=False)
class Batch:
    """n rows by their positions in a group: `inputs` [n, T, F] or [n, T], and the sessions that
    they are for. `keyed` has a place for each row, where any row has a key.

    One that is `alone` shares no run, so that computing it again gives the same bits. With a
    `receipt` it is one row that was applied before and of which only the answer is wanted;
    the state of its session is the one before it.
    """

    engine: Engine
    positions: list[int]
    sessions: Columns
    inputs: NDArray[Any]
    gates: bool
    keyed: list[Keyed | None] | None = None
    alone: bool = False
    receipt: Receipt | None = None
    ran: Ran | None = None

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def steps(self) -> int:
        """T."""
        return int(self.inputs.shape[1])

    @property
    def results(self) -> Ran:
        """What came of the run, once there was one."""
        assert self.ran is not None
        return self.ran

    def run(self, pause: Pause = go_on) -> None:
        """Raises what `pause` raises."""
        states = self.sessions.states[:, : self.engine.manifest.state_size]
        self.ran = run(self.engine, self.inputs, states, gates=self.gates, pause=pause)

    def result(self, index: int) -> Result:
        """What one row gave."""
        ran = self.results
        gates = ran.gates and ran.gates.of_row(index)
        return Result(ran.outputs[index], gates)

    def only(self, kept: list[int], *, alone: bool = False) -> "Batch":
        """Some of its rows."""
        ran = self.ran
        if ran is not None:
            gates = ran.gates and ran.gates.of_row(kept)
            ran = Ran(ran.outputs[kept], ran.states[kept], gates, {})
        return replace(
            self,
            positions=[self.positions[index] for index in kept],
            sessions=self.sessions.take(kept),
            inputs=self.inputs[kept],
            keyed=self.keyed and [self.keyed[index] for index in kept],
            alone=alone or self.alone,
            ran=ran,
        )

    def moves(self, now: float, store: Store) -> Moves:
        """The sessions as they are after it and the store keeps them, alive for another time to
        live; keyed ones with their receipts. Raises SessionDamaged where those of any cannot be
        read."""
        sessions, steps, ran = self.sessions, self.steps, self.results
        vectors, changes = ran.states, [0] * len(self)
        if keeps_outputs(store, self.engine.manifest):
            vectors = with_outputs(ran.states, ran.outputs[:, -1])
        if store.counts_changes:
            changes = [count + 1 for count in sessions.changes]
        has_other_size = vectors.shape[1] != sessions.states.shape[1]
        moved = replace(
            sessions,
            steps=[step + steps for step in sessions.steps],
            changes=changes,
            revisions=fresh_revisions(len(self)),
            expires_at=[now + ttl_seconds for ttl_seconds in sessions.ttl_seconds],
            # A copy of an earlier release's session has no room for the output.
            copies=[-1] * len(self) if has_other_size else sessions.copies,
            states=vectors,
        )
        if self.keyed is not None:
            moved.texts = self._texts(self.keyed, moved)
        return Moves(moved, sessions.revisions, keyed=self.keyed is not None)

    def _texts(self, keyed: list[Keyed | None], moved: Columns) -> list[Texts]:
        texts = list(moved.texts)
        for index, one in enumerate(keyed):
            if one is not None:
                step, revision = moved.steps[index], moved.revisions[index]
                kept = kept_in(one.shape, self.result(index), one.session.state, one.digest)
                receipt = kept.receipt(one.key, one.session.version, step, revision)
                receipts, writers = left_by(one.session, one.key, receipt)
                texts[index] = texts[index]._replace(receipts=receipts, writers=writers)
        return texts


def joined(batches: Sequence[Batch]) -> Batch:
    """All of several that run on one engine, with as many steps and the same gates."""
    first = batches[0]
    if len(batches) == 1:
        return first
    keyed = None
    if any(one.keyed for one in batches):
        keyed = [row for one in batches for row in one.keyed or [None] * len(one.positions)]
    return replace(
        first,
        positions=[position for one in batches for position in one.positions],
        sessions=Columns.joined([one.sessions for one in batches]),
        inputs=np.concatenate([one.inputs for one in batches]),
        keyed=keyed,
    )
