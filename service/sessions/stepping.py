"""One group of steps: find the sessions, run the graphs, commit, answer.

A step is atomic: its new state replaces the one it was computed from, or nothing happens. When
another process changed a session in between, that session is read and computed again. A retry of
a keyed request is answered from the receipt of its first try.

The rows of a group are columns from the first pass to the last. What a copy of a session cannot
settle is read from the store and looked at row by row; what may go on then joins the others.

Short work runs at once. What would hold up the others of the group is deferred, computed on
another thread, and committed when it comes back.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial

from service.batcher.batcher import Deferred, Part
from service.batcher.compute import Stopped, slice_steps
from service.errors import MustWait, SessionContended, SessionDamaged, SessionExpired, StoreError
from service.metrics.catalogue import COMPUTE_SECONDS, REPLAYS, STEPS
from service.operations.limits import Limits
from service.operations.requests import Steps
from service.repository.models import Models
from service.sessions.answers import Answer, Answered
from service.sessions.batch import Batch, joined
from service.sessions.changing import MAX_ATTEMPTS
from service.sessions.forming import Forming
from service.sessions.group import Group
from service.sessions.reader import Reader
from service.sessions.recent import Recent
from service.sessions.recorder import Recorder
from service.stores.columns import Columns, Moves
from service.stores.store import Replaced, Store

StepOutcome = Answered | Exception | Deferred[Answered]
_IN_GROUP, _DEFERRED = COMPUTE_SECONDS.labels("group"), COMPUTE_SECONDS.labels("deferred")


_steps_of = cache(STEPS.labels)

_PAUSE_SECONDS = 1e-3
"""For another process to end its commit, which takes a tenth of that."""


class Stepper:
    """Applies groups of steps to a store's sessions; a session is in a group at most once."""

    def __init__(
        self,
        models: Models,
        store: Store,
        reader: Reader,
        recent: Recent,
        limits: Limits,
        *,
        recorder: Recorder,
    ) -> None:
        self._recorder = recorder
        self._models = models
        self._store = store
        self._reader = reader
        self._recent = recent
        self._limits = limits

    def run(self, parts: Sequence[Part[Steps]]) -> list[StepOutcome]:
        """What comes of each part."""
        group = Group(parts)
        short, long = _by_length(group, self._prepared(group, range(len(group))))
        self._apply(group, short)
        return [
            self._deferred(group, owner, long[owner]) if owner in long else answered
            for owner, answered in enumerate(group.answered)
        ]

    def _apply(self, group: Group, batches: list[Batch]) -> None:
        """Run and commit; rows that lost a race begin anew."""
        lost = self._attempt(group, batches)
        for _ in range(MAX_ATTEMPTS - 1):
            if not lost:
                return
            # Some of the group are committed by now: what fails concerns the others alone.
            try:
                batches = self._prepared(group, lost)
            except MustWait:
                time.sleep(_PAUSE_SECONDS)
                continue
            except Exception as error:
                group.fail_all(lost, error)
                return
            lost = self._attempt(group, batches)
        _contended(group, lost)

    def _attempt(self, group: Group, batches: list[Batch]) -> list[int]:
        """The positions of those that lost a race."""
        if not batches:
            return []
        now, together = self._store.now(), _joined(batches)
        began = time.perf_counter()  # `time()` of a metric takes twice as long
        for batch in together:
            batch.run()
        _IN_GROUP.observe(time.perf_counter() - began)
        return self._commit(group, together, now)

    def _deferred(
        self, group: Group, owner: int, batches: list[Batch], attempts: int = 1
    ) -> Deferred[Answered]:
        def work(wanted: Callable[[], bool]) -> Callable[[], StepOutcome]:
            def pause() -> None:
                if not wanted():
                    raise Stopped

            pause()
            with _DEFERRED.time():
                for batch in batches:
                    batch.run(pause)
            return partial(self._finish_deferred, group, owner, batches, attempts)

        def refused(error: Exception) -> Answered:
            # Others of the block are answered already, and some of them perhaps committed.
            group.fail_all((place for batch in batches for place in batch.positions), error)
            return group.answered[owner]

        return Deferred(work, refused)

    def _finish_deferred(
        self, group: Group, owner: int, batches: list[Batch], attempts: int
    ) -> StepOutcome:
        """Commit what was deferred; once more from the start where a session has moved."""
        lost = self._commit(group, batches, self._store.now())
        if lost and attempts == MAX_ATTEMPTS:
            _contended(group, lost)
        elif lost:
            try:
                again = self._prepared(group, lost)
            except Exception as error:  # some of the block are committed by now
                group.fail_all(lost, error)
                again = []
            if again:
                return self._deferred(group, owner, again, attempts + 1)
        return group.answered[owner]

    def _prepared(self, group: Group, positions: Sequence[int]) -> list[Batch]:
        """What to run for some rows; sessions are read where they are not known already."""
        forming = Forming(group, self._models, self._limits, self._store.now())
        identities = group.identities_at(positions)
        found, unknown = self._recent.find(identities, others_wrote=self._store.others_wrote())
        unsettled = [positions[index] for index in unknown]
        for indexes, sessions in found:
            unsettled += forming.take_copies([positions[index] for index in indexes], sessions)
        if unsettled:
            unsettled.sort()
            forming.take_read(unsettled, self._reader.read(group.identities_at(unsettled)))
        return forming.batches

    def _commit(self, group: Group, batches: Iterable[Batch], now: float) -> list[int]:
        """Answer what is settled, and store what moves; the positions of those that lost a race."""
        lost: list[int] = []
        moving: list[tuple[Batch, Moves]] = []
        unwanted = group.unwanted()
        for batch in batches:
            sound = self._sound(group, batch, now, lost, unwanted)
            if not sound.positions:
                continue
            if sound.receipt is None:
                moving += self._moves(group, sound, now, lost)
                continue
            (identity,), (position,) = sound.sessions.identities, sound.positions
            REPLAYS.inc()
            answer = Answer.again(
                sound.receipt, identity.session_id, sound.engine.manifest, sound.result(0)
            )
            group.answer_from_receipt(position, answer)
        replaced = self._advanced(group, [moves for _, moves in moving])
        begin, settled = 0, list[tuple[Batch, Columns]]()
        for batch, moves in moving:
            end = begin + len(batch.positions)
            settled.append(self._settle(group, batch, moves, replaced[begin:end], lost))
            begin = end
        if self._recorder.sessions:
            self._recorder.settled(settled)
        return lost

    def _advanced(self, group: Group, moves: Sequence[Moves]) -> Sequence[Replaced]:
        """Raises MustWait while nothing of the group is committed, so that another thread can do it
        all; what is left of one that is committed in part waits a little itself."""
        if not moves:
            return []
        try:
            replaced = self._store.advance(moves)
        except MustWait:
            if not group.is_committed:
                raise
            time.sleep(_PAUSE_SECONDS)
            # As if a race had been lost, which is tried again.
            return [False] * sum(len(one.sessions) for one in moves)
        group.is_committed = True
        return replaced

    def _sound(
        self, group: Group, batch: Batch, now: float, lost: list[int], unwanted: set[int]
    ) -> Batch:
        """Without the rows that failed, took longer than their sessions had to live, or are wanted
        no more: a store may have held them up for seconds, in which a retry went elsewhere."""
        failed = dict(batch.results.errors)
        for index in batch.sessions.expired(now):
            failed[index] = SessionExpired(batch.sessions.identities[index].session_id)
        if not failed and not unwanted:
            return batch
        for index, error in failed.items():
            self._fail(group, batch.positions[index], error, lost)
        return batch.only(
            [
                index
                for index, position in enumerate(batch.positions)
                if index not in failed and position not in unwanted
            ]
        )

    def _moves(
        self, group: Group, batch: Batch, now: float, lost: list[int]
    ) -> list[tuple[Batch, Moves]]:
        try:
            moves = batch.moves(now, self._store)
        except SessionDamaged as error:
            if len(batch.positions) == 1:
                self._fail(group, batch.positions[0], error, lost)
                return []
        else:
            return [(batch, moves)]
        singles = [batch.only([index]) for index in range(len(batch.positions))]
        return [pair for one in singles for pair in self._moves(group, one, now, lost)]

    def _settle(
        self,
        group: Group,
        batch: Batch,
        moves: Moves,
        replaced: Sequence[Replaced],
        lost: list[int],
    ) -> tuple[Batch, Columns]:
        """Those that have won, and their sessions as they are stored."""
        moved = moves.sessions
        if replaced.count(True) < len(replaced):
            won = []
            for index, outcome in enumerate(replaced):
                position = batch.positions[index]
                if outcome is True:
                    won.append(index)
                    continue
                self._recent.doubt(group.identities[position])
                if isinstance(outcome, StoreError):
                    group.fail(position, outcome)
                else:
                    lost.append(position)
            batch, moved = batch.only(won), moved.take(won)
        if batch.positions:
            self._recent.keep_moved(moved)
            group.answer(batch, moved)
            _observe(batch)
        return batch, moved

    def _fail(self, group: Group, position: int, error: Exception, lost: list[int]) -> None:
        """Where it failed for what a copy says, the store shall say what the session is."""
        if position in group.copied:
            self._recent.doubt(group.identities[position])
            lost.append(position)
        else:
            group.fail(position, error)


def _by_length(group: Group, batches: list[Batch]) -> tuple[list[Batch], dict[int, list[Batch]]]:
    """One slice of time steps in all runs at once, besides single ones; the rest by its parts."""
    short: list[Batch] = []
    long: dict[int, list[Batch]] = {}
    steps = 0
    for batch in batches:
        # Several time steps are those of one part.
        owner = group.owners[batch.positions[0]]
        more = batch.steps * len(batch.positions) if batch.steps > 1 else 0
        if more and (owner in long or steps + more > slice_steps(batch.engine.manifest)):
            long.setdefault(owner, []).append(batch)
        else:
            steps += more
            short.append(batch)
    return short, long


def _joined(batches: list[Batch]) -> list[Batch]:
    """Those that can share a run do."""
    if len(batches) == 1:
        return batches
    alike: dict[object, list[Batch]] = {}
    for batch in batches:
        kind = id(batch.engine), batch.steps, batch.gates, batch.sessions.states.shape[1]
        key = id(batch) if batch.alone else kind
        alike.setdefault(key, []).append(batch)
    return [joined(some) for some in alike.values()]


def _contended(group: Group, lost: Iterable[int]) -> None:
    for position in lost:
        group.fail(position, SessionContended(group.identities[position].session_id))


def _observe(batch: Batch) -> None:
    """Rows that have just been committed."""
    _steps_of(batch.sessions.model).inc(batch.steps * len(batch.positions))
