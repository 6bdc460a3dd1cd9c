"""Where a trace came from, as it is kept beside its steps."""

from collections.abc import Sequence
from typing import Literal

from pydantic import TypeAdapter

from service.analysis.interventions import Intervention
from service.records import record

Kind = Literal["given", "recorded", "fork", "intervention"]


@record
class About:
    """`source` is the trace that a fork or an intervention began from, `at` the step of a fork.
    `interventions` are all that were made, those of the source before the others."""

    kind: Kind
    source: str | None = None
    at: int | None = None
    interventions: Sequence[Intervention] = ()

    def packed(self) -> bytes:
        return _ABOUT.dump_json(self)

    @staticmethod
    def of(packed: bytes) -> "About":
        return _ABOUT.validate_json(packed)


_ABOUT: TypeAdapter[About] = TypeAdapter(About)
