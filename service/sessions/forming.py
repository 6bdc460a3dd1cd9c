"""From the rows of a group and their sessions to batches: who may go on, and with what inputs."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.metrics.catalogue import REPLAYS
from service.operations.inputs import JsonRows, read_single_steps
from service.operations.limits import Limits, numbers_of
from service.repository.models import Models
from service.sessions.admission import admit, answerable
from service.sessions.answers import (
    Answer,
    ResultShape,
    is_kept,
    kept_result,
    shape_of_steps,
    state_before,
)
from service.sessions.batch import Batch, Keyed
from service.sessions.group import Group
from service.sessions.receipts import Kind, Receipt
from service.sessions.vectors import is_vector, wrong_length
from service.stores.columns import Columns
from service.stores.store import Found, Session

Refuse = Callable[[int, Exception], object]
"""Takes a position and what is wrong with its row."""


class Forming:
    """Collects the batches of one attempt."""

    def __init__(self, group: Group, models: Models, limits: Limits, now: float) -> None:
        self._group = group
        self._models = models
        self._limits = limits
        self._now = now
        self._named: dict[int, Session] = {}
        """Sessions of rows that have conditions, by position."""
        self.batches: list[Batch] = []

    def take_copies(self, positions: list[int], sessions: Columns) -> list[int]:
        """Those whose copies do not settle whether they go on: the store says it."""
        unsettled: list[int] = []
        going = self._going(positions, sessions)
        if len(going) < len(positions):
            unsettled += set(positions).difference(positions[index] for index in going)
            positions, sessions = [positions[index] for index in going], sessions.take(going)
        if positions:
            self._group.copied.update(positions)
            self._form(positions, sessions, lambda position, _: unsettled.append(position))
        self._group.copied.difference_update(unsettled)
        return unsettled

    def take_read(self, positions: Iterable[int], found: Iterable[Found]) -> None:
        """Those that were read: what is wrong with one is said to its caller."""
        group = self._group
        by_shape: dict[object, tuple[list[int], list[Session]]] = {}
        for position, one in zip(positions, found, strict=True):
            group.copied.discard(position)
            try:
                session_id = group.identities[position].session_id
                session, receipt = admit(one, session_id, group.conditions(position), self._now)
                if receipt is not None:
                    self._answer_again(position, session, receipt)
                    continue
            except Exception as error:  # this row's own fault; its neighbours go on
                group.fail(position, error)
                continue
            self._named[position] = session
            shape = session.model, session.version, len(session.state)
            alike = by_shape.setdefault(shape, ([], []))
            alike[0].append(position)
            alike[1].append(session)
        for alike_positions, sessions in by_shape.values():
            self._form(alike_positions, Columns.of(sessions), group.fail)

    def _going(self, positions: list[int], sessions: Columns) -> list[int]:
        """The indexes of those that go on if their copies are right."""
        group, going = self._group, list(range(len(positions)))
        if expired := set(sessions.expired(self._now)):
            going = [index for index in going if index not in expired]
        if not group.has_conditions:
            return going
        return [index for index in going if self._is_admitted(positions[index], sessions, index)]

    def _is_admitted(self, position: int, sessions: Columns, index: int) -> bool:
        if self._group.steps(position).conditions is None:
            return True
        session, conditions = sessions.session(index), self._group.conditions(position)
        try:
            _, receipt = admit(session, session.session_id, conditions, self._now)
        except Exception:  # it may be true no more
            return False
        self._named[position] = session
        return receipt is None

    def _answer_again(self, position: int, session: Session, receipt: Receipt) -> None:
        """From its receipt, or by a batch of its own. Raises KeyReused, AnswerNotKept, …"""
        steps, row = self._group.steps(position), self._group.rows[position]
        engine = self._models.version(session.model, receipt.version)
        gates = steps.gates is not None
        inputs = steps.read((row,), engine.manifest, self._limits)
        receipt.check(steps.digest(row, inputs[0], engine.manifest))
        if answerable(receipt, session).kind is Kind.ANSWER:
            result = kept_result(session, receipt, shape_of_steps(engine.manifest, gates=gates))
            answer = Answer.again(receipt, session.session_id, engine.manifest, result)
            REPLAYS.inc()
            self._group.answer_from_receipt(position, answer)
            return
        before = Columns.of([session])
        before.states = state_before(session, receipt, engine.manifest)[np.newaxis]
        self.batches.append(
            Batch(engine, [position], before, inputs, gates, alone=True, receipt=receipt)
        )

    def _form(self, positions: list[int], sessions: Columns, refuse: Refuse) -> None:
        """Batches of rows whose sessions are on one version of a model."""
        try:
            engine = self._models.version(sessions.model, sessions.version)
        except Exception as error:
            for position in positions:
                refuse(position, error)
            return
        size = sessions.states.shape[1]
        if not is_vector(size, engine.manifest):
            for index, position in enumerate(positions):
                refuse(position, wrong_length(sessions.session(index), size, engine.manifest))
            return
        forms: _Forms = {}
        if not self._read_together(engine, positions, forms):
            for begin, end in self._group.runs(positions):
                self._read(engine, positions, range(begin, end), forms, refuse)
        for form in forms.values():
            self._add(engine, positions, sessions, form)

    def _read_together(self, engine: Engine, positions: list[int], forms: "_Forms") -> bool:
        """The inputs of many requests of one row each, as HTTP brings them; False where they are
        not that plain."""
        blocks = [self._group.steps(position) for position in positions]
        plain = [
            block.inputs
            for block in blocks
            if isinstance(block.inputs, JsonRows) and block.gates is None and block.budget is None
        ]
        if len(plain) < len(blocks) or len(plain) == 1:
            return False
        inputs = read_single_steps(plain, engine.manifest.input)
        if inputs is None or numbers_of(1, engine.manifest, gates=False) > self._limits.max_numbers:
            return False
        form = forms[1, False, None] = _Form(gates=False)
        form.indexes += range(len(positions))
        form.inputs.append(inputs)
        return True

    def _read(
        self,
        engine: Engine,
        positions: list[int],
        indexes: range,
        forms: "_Forms",
        refuse: Refuse,
    ) -> None:
        """The inputs of rows of one block; where some are wrong, of each alone."""
        group, first = self._group, positions[indexes[0]]
        steps = group.steps(first)
        rows = [group.rows[positions[index]] for index in indexes]
        try:
            inputs = steps.read(rows, engine.manifest, self._limits)
        except Exception as error:
            if len(indexes) == 1:
                refuse(first, error)
                return
            for index in indexes:
                self._read(engine, positions, range(index, index + 1), forms, refuse)
            return
        gates, time = steps.gates is not None, inputs.shape[1]
        # What has several time steps may be deferred, by its block.
        kind = time, gates, group.owners[first] if time > 1 else None
        form = forms.get(kind) or forms.setdefault(kind, _Form(gates))
        form.indexes += indexes
        form.inputs.append(inputs)

    def _add(self, engine: Engine, positions: list[int], sessions: Columns, form: "_Form") -> None:
        is_all = len(form.indexes) == len(positions)
        batch = Batch(
            engine,
            positions if is_all else [positions[index] for index in form.indexes],
            sessions if is_all else sessions.take(form.indexes),
            form.inputs[0] if len(form.inputs) == 1 else np.concatenate(form.inputs),
            form.gates,
        )
        if not self._group.has_conditions:
            self.batches.append(batch)
            return
        shape = shape_of_steps(engine.manifest, gates=form.gates)
        keyed = [
            self._keyed(position, batch.inputs[index], batch.engine.manifest, shape)
            for index, position in enumerate(batch.positions)
        ]
        with_key = [index for index, one in enumerate(keyed) if one is not None]
        if with_key:
            batch.keyed = keyed
        if not with_key or is_kept(shape, batch.steps):
            self.batches.append(batch)
            return
        # To give the same bits once more, those whose answers are too large to keep run alone.
        self.batches += [batch.only([index], alone=True) for index in with_key]
        if len(with_key) < len(keyed):
            self.batches.append(batch.only([i for i, one in enumerate(keyed) if one is None]))

    def _keyed(
        self, position: int, inputs: NDArray[Any], manifest: Manifest, shape: ResultShape
    ) -> Keyed | None:
        key = self._group.conditions(position).key
        if key is None:
            return None
        digest = self._group.steps(position).digest(self._group.rows[position], inputs, manifest)
        return Keyed(self._named[position], key, digest, shape)


class _Form:
    """Rows that can share a run: their indexes, and their inputs."""

    def __init__(self, gates: bool) -> None:
        self.gates = gates
        self.indexes: list[int] = []
        self.inputs: list[NDArray[Any]] = []


_Forms = dict[object, _Form]
