"""The rows of one group, and what comes of each."""

from collections.abc import Iterable, Iterator, Sequence

from service.batcher.batcher import Part
from service.operations.conditions import UNCONDITIONAL, Conditions
from service.operations.requests import Steps
from service.sessions.answers import Answer, AnswerColumns, Answered, Answers
from service.sessions.batch import Batch
from service.stores.columns import Columns
from service.stores.store import Identity


class Group:
    """Parts of blocks, one behind the other: every row has a position."""

    def __init__(self, parts: Sequence[Part[Steps]]) -> None:
        self.parts = parts
        self.answered = [Answered() for _ in parts]
        """What came of the rows of each part."""
        self.owners: list[int] = []
        """Of each position, the index of its part."""
        self.rows: list[int] = []
        """And its row in its block."""
        self.identities: list[Identity] = []
        self.copied: set[int] = set()
        """Positions whose sessions are copies, which the store may have changed since."""
        self.is_committed = False
        """Whether some rows may be, so that the group cannot be done again."""
        self.has_conditions = False
        for owner, (steps, rows, _) in enumerate(parts):
            self.owners += [owner] * len(rows)
            self.rows += rows
            all_rows = len(rows) == len(steps)
            self.identities += (
                steps.identities if all_rows else [steps.identities[row] for row in rows]
            )
            self.has_conditions |= steps.conditions is not None

    def __len__(self) -> int:
        return len(self.rows)

    def identities_at(self, positions: Sequence[int]) -> list[Identity]:
        if len(positions) == len(self.identities):
            return self.identities
        return [self.identities[position] for position in positions]

    def conditions(self, position: int) -> Conditions:
        conditions = self.steps(position).conditions
        return UNCONDITIONAL if conditions is None else conditions[self.rows[position]]

    def steps(self, position: int) -> Steps:
        """The block that a row belongs to."""
        return self.parts[self.owners[position]].item

    def runs(self, positions: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Where in `positions` rows of one block begin and end."""
        owners = [self.owners[position] for position in positions]
        begin = 0
        for end in range(1, len(owners)):
            if owners[end] != owners[begin]:
                yield begin, end
                begin = end
        yield begin, len(owners)

    def unwanted(self) -> set[int]:
        """The positions of rows whose callers have gone, and have perhaps asked somebody else."""
        gone = {owner for owner, part in enumerate(self.parts) if part.cancelled()}
        if not gone:
            return set()
        return {position for position, owner in enumerate(self.owners) if owner in gone}

    def fail(self, position: int, error: Exception) -> None:
        self.answered[self.owners[position]].failures.append((self.rows[position], error))

    def fail_all(self, positions: Iterable[int], error: Exception) -> None:
        for position in positions:
            self.fail(position, error)

    def answer_from_receipt(self, position: int, answer: Answer) -> None:
        """What an earlier try of a row was answered."""
        again = Answers.again(self.rows[position], self.identities[position], answer)
        self.answered[self.owners[position]].answers.append(again)

    def answer(self, batch: Batch, moved: Columns) -> None:
        """The rows of a batch, whose sessions are stored as they are in `moved`."""
        ran = batch.results
        columns = AnswerColumns(
            moved.identities,
            batch.engine.manifest,
            moved.steps,
            moved.revisions,
            ran.outputs,
            ran.gates,
        )
        rows = [self.rows[position] for position in batch.positions]
        for begin, end in self.runs(batch.positions):
            answered = self.answered[self.owners[batch.positions[begin]]]
            answered.answers.append(Answers(rows[begin:end], columns, begin, end))
