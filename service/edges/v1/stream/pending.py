"""Requests of one socket that are under way, and what came of them."""

from dataclasses import dataclass

from service.edges.v1.requests import StepsBody
from service.edges.v1.stream.opened import Opened
from service.sessions.answers import Answer


@dataclass(slots=True, eq=False)
class PendingStep:
    """Steps under way. `message` is their JSON message, None where they came as a record.

    `numbers` counts against what a socket may hold in memory; `keyed` says that a retry relies
    on the receipts that a session keeps.
    """

    id: int | str | None
    opened: Opened
    numbers: int
    keyed: bool
    message: StepsBody | None = None
    outcome: Answer | Exception | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """An answer that is rendered already."""

    content: str | bytes


Finished = PendingStep | Frame
