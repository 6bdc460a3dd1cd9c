"""What is known of the versions of one model, and which of them serves new sessions."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from service.bundle.desired import Desired
from service.engine.engine import Engine

State = Literal["serving", "candidate", "withdrawn", "refused", "loading", "vanished"]
"""`serving`: may be the default. `candidate`: serves whoever names it. `withdrawn`: takes no new
sessions. `refused`: in the repository, and cannot be served. `loading`: in the repository, and not
read yet. `vanished`: loaded, and not in the repository any more."""


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version; `reason` says why it is refused."""

    version: int
    state: State
    loaded: bool
    reason: str | None = None


@dataclass(frozen=True)
class Versions:
    """The versions of one model, as they are known at one moment.

    `published` are those in the repository as it was read last. `desired` is None as long as it
    could never be read; `problem` says why it cannot be read now.
    """

    name: str
    engines: Mapping[int, Engine] = field(default_factory=dict)
    published: Set[int] = frozenset()
    refused: Mapping[int, str] = field(default_factory=dict)
    desired: Desired | None = None
    problem: str | None = None

    @cached_property
    def default(self) -> Engine | None:
        """What new sessions get; None where they must name a version."""
        if self.desired is None:
            return None
        chosen = self.desired.chosen(self.engines.keys() & self.published)
        return None if chosen is None else self.engines[chosen]

    @property
    def numbers(self) -> list[int]:
        """Ascending."""
        return sorted(self.published | self.engines.keys())

    @cached_property
    def states(self) -> tuple[VersionState, ...]:
        """Ascending by number."""
        return tuple(
            VersionState(one, self.state_of(one), one in self.engines, self.refused.get(one))
            for one in self.numbers
        )

    def takes_sessions(self, version: int) -> bool:
        """Whether nobody has withdrawn it."""
        return self.desired is None or self.desired.of(version).takes_sessions

    def is_wanted(self, version: int) -> bool:
        """Whether it shall be loaded."""
        return self.desired is None or self.desired.of(version).loaded

    def state_of(self, version: int) -> State:
        if not self.takes_sessions(version):
            return "withdrawn"
        if version not in self.published:
            return "vanished"
        if version in self.refused:
            return "refused"
        if version not in self.engines:
            return "loading"
        is_candidate = self.desired is not None and self.desired.of(version).candidate
        return "candidate" if is_candidate else "serving"

    def why_no_default(self) -> str:
        """In words, with the way out."""
        if self.desired is None:
            return f"model {self.name!r} has no default version: {self.problem}"
        found = "; ".join(f"version {one.version} is {_said(one)}" for one in self.states)
        return (
            f"model {self.name!r} has no default version ({found or 'there is none at all'}); "
            "name a version, or choose one with: python -m service models default "
            f"{self.name} VERSION"
        )


def _said(one: VersionState) -> str:
    return "a candidate" if one.state == "candidate" else one.state
