"""When a request may change its session, as its caller says it."""

from service.operations.keys import Key
from service.records import record

ANY = "*"
"""The tag that every session matches."""


@record
class Conditions:
    """`key` makes a retry safe, `at` is the step count that the session must have consumed,
    `if_match` the entity tags of which the session must have one."""

    key: Key | None = None
    at: int | None = None
    if_match: frozenset[str] | None = None

    @property
    def name_the_state(self) -> bool:
        """Whether the caller says which state it means, which ANY does not."""
        named = self.if_match is not None and ANY not in self.if_match
        return named or self.at is not None


UNCONDITIONAL = Conditions()


def conditions_of(key: Key | None, at: int | None, if_match: frozenset[str] | None) -> Conditions:
    """UNCONDITIONAL itself where there are none."""
    if key is None and at is None and if_match is None:
        return UNCONDITIONAL
    return Conditions(key, at, if_match)
