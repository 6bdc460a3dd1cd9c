"""Blocks of steps of one socket that are under way, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from service.edges.v1.requests import PlainStepsBody
from service.edges.v1.stream.blocks import Block
from service.edges.v1.stream.opened import Opened
from service.sessions.answers import Answered


class Taker(Protocol):
    """Takes what came of blocks, whether their client is still there or not."""

    def on_steps(self, done: "Done") -> None: ...


@dataclass(slots=True, eq=False)
class PendingSteps:
    """A block under way: `records` of a binary frame, or the steps of a JSON `message`.

    `numbers` of each row count against what a socket may hold in memory; `keyed` says that retries
    rely on the receipts that the sessions keep.
    """

    taker: Taker
    opened: Sequence[Opened]
    numbers: int
    keyed: bool
    records: Block | None = None
    message: PlainStepsBody | None = None
    message_id: int | str | None = None

    def cancelled(self) -> bool:
        """What has been taken is applied, whether its client stays or goes."""
        return False

    def answer(self, rows: Sequence[int], outcome: Answered | Exception) -> None:
        self.taker.on_steps(Done(self, rows, outcome))


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What came of some rows of a block."""

    steps: PendingSteps
    rows: Sequence[int]
    outcome: Answered | Exception

    @property
    def numbers(self) -> int:
        return len(self.rows) * self.steps.numbers


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An answer that is rendered already."""

    content: str | bytes


Finished = Done | Frame
