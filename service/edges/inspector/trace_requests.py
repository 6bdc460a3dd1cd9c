"""Bodies and queries about traces as records."""

import math
import re
from typing import Annotated, Any, Literal, Self

import numpy as np
from fastapi import Query
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from service.analysis.interventions import Intervention
from service.errors import InvalidInput
from service.operations.caller import Caller
from service.operations.inputs import Inputs, JsonRows, StateVector, Text
from service.operations.requests import Record
from service.operations.traces import (
    Following,
    ForkTrace,
    GateChange,
    Intervene,
    NewTrace,
    TraceInputs,
)

MAX_STEP = 2**53 - 1
MAX_TTL_SECONDS = 7 * 86400.0
MAX_INTERVENTIONS = 256
MAX_UNITS = 4096

_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


class InterventionBody(BaseModel):
    """A gate of some units of a layer, set or scaled for some steps."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    layer: Annotated[int, Field(strict=True, ge=0)] = 0
    gate: str = Field(description="As the model names it, such as `update`.")
    units: list[Annotated[int, Field(strict=True, ge=0)]] | None = Field(
        default=None, min_length=1, max_length=MAX_UNITS, description="All where left out."
    )
    begin: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)] | None = Field(
        default=None, alias="from", description="The first step; that of the trace by default."
    )
    end: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)] | None = Field(
        default=None, alias="to", description="The step behind the last one."
    )
    action: Literal["set", "scale"] = Field(
        default="set", description="`set` puts `value` in its place, `scale` multiplies with it."
    )
    value: Annotated[float, Field(allow_inf_nan=False, ge=-10, le=10)]

    @classmethod
    def of(cls, made: Intervention) -> Self:
        """As an answer shows it."""
        units = None if made.units is None else list(made.units)
        return cls(
            layer=made.layer,
            gate=made.gate,
            units=units,
            begin=made.begin,
            end=made.end,
            action=made.action,
            value=made.value,
        )


# In place: a request's body is described where it is, and has no schemas beside it to refer to.
Interventions = Annotated[
    list[InterventionBody] | None,
    WithJsonSchema(
        {
            "type": "array",
            "items": InterventionBody.model_json_schema(),
            "minItems": 1,
            "maxItems": MAX_INTERVENTIONS,
        }
    ),
]


class TraceBody(BaseModel):
    """What a trace is made from: inputs for a `model`, a session to record (`session_id`), or
    another trace (`trace_id`) with other inputs `at` a step, or with `interventions`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    version: Annotated[int, Field(strict=True, ge=1, le=MAX_STEP)] | None = None
    inputs: list[Any] | None = Field(
        default=None, description="[[f, …F], …T], or [id, …T] for a token model."
    )
    text: str | None = Field(default=None, description="One time step a character.")
    sample: bool = Field(
        default=False, description="Run the held-out inputs that the version brings along."
    )
    state: StateVector | None = Field(default=None, description="Where to begin from.")
    constants: dict[str, Any] | None = None
    session_id: str | None = Field(
        default=None, description="Record what this session is given from now on."
    )
    max_bytes: Annotated[int, Field(strict=True, ge=1024)] | None = Field(
        default=None, description="Of the steps recorded; the oldest leave first."
    )
    trace_id: str | None = None
    at: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)] | None = Field(
        default=None, description="Fork the trace after so many steps."
    )
    interventions: Interventions = Field(default=None, min_length=1, max_length=MAX_INTERVENTIONS)
    ttl_seconds: Annotated[float, Field(gt=0, le=MAX_TTL_SECONDS)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [
            name for name in ("model", "session_id", "trace_id") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError("send one of `model`, `session_id` and `trace_id`")
        surplus = self.model_fields_set - _FIELDS[given[0]] - {given[0], "ttl_seconds"}
        if surplus:
            raise ValueError(f"`{min(surplus)}` does not go with `{given[0]}`")
        if self.interventions is None and self.session_id is None:
            sources = (self.inputs is not None, self.text is not None, self.sample)
            if sum(sources) != 1:
                raise ValueError(_ONE_INPUT[given[0]])
        return self

    @model_validator(mode="after")
    def _fork_or_intervention(self) -> Self:
        if self.trace_id is None:
            return self
        if self.interventions is not None and (self.at, self.inputs, self.text) != (None,) * 3:
            raise ValueError("send either `interventions`, or `at` and other inputs")
        if self.interventions is None and self.at is None:
            raise ValueError("say `at` which step the other inputs begin")
        return self


_FIELDS = {
    "model": {"version", "inputs", "text", "sample", "state", "constants"},
    "session_id": {"max_bytes"},
    "trace_id": {"at", "inputs", "text", "interventions"},
}
_ONE_INPUT = {
    "model": "send one of `inputs`, `text` and `sample`",
    "trace_id": "send `interventions`, or `at` with `inputs` or `text`",
}


class FollowingBody(BaseModel):
    """Which marking units are to follow."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marking: str | list[Annotated[float, Field(allow_inf_nan=False)] | None] = Field(
        description="The name of one of the trace's `markings`, or a number for each of its steps, "
        "null where there is none."
    )
    count: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        default=20, description="How many units to show."
    )


def new_trace_of(body: TraceBody, caller: Caller) -> NewTrace:
    """What a body asks for."""
    ttl = body.ttl_seconds
    if body.session_id is not None:
        return Record(body.session_id, ttl, body.max_bytes, caller=caller)
    inputs = _inputs_of(body)
    if body.trace_id is None:
        assert body.model is not None
        state = None if body.state is None else _state_of(body.state)
        return TraceInputs(body.model, body.version, inputs, state, body.constants, ttl, caller)
    if body.interventions is not None:
        made = [_change_of(one) for one in body.interventions]
        return Intervene(body.trace_id, made, ttl, caller)
    assert inputs is not None
    assert body.at is not None
    return ForkTrace(body.trace_id, body.at, inputs, ttl, caller)


def following_of(trace_id: str, body: FollowingBody, caller: Caller) -> Following:
    if isinstance(body.marking, str):
        return Following(trace_id, caller, body.marking, body.count)
    numbers = [math.nan if one is None else one for one in body.marking]
    return Following(trace_id, caller, numbers, body.count)


def read_units(text: str) -> list[int]:
    """Units such as `0-63,70`. Raises ValueError for what is no list of numbers and ranges, and
    for a unit that is named twice."""
    units: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ValueError(f"{part.strip()!r} is neither a unit nor a range such as 0-63")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"{part.strip()!r} ends before it begins")
        if len(units) + last - first >= MAX_UNITS:
            raise ValueError(f"at most {MAX_UNITS} units may be named")
        units.extend(range(first, last + 1))
    if len(set(units)) < len(units):
        raise ValueError("name each unit once")
    return units


Layer = Annotated[int, Query(ge=0, description="A layer's number.")]
Unit = Annotated[int, Query(ge=0, description="A unit's number within the layer.")]
StepQuery = Annotated[
    int | None,
    Query(ge=0, le=MAX_STEP, description="A step, counted before it is made; the last by default."),
]
From = Annotated[
    int | None,
    Query(alias="from", ge=0, le=MAX_STEP, description="The first step; the trace's by default."),
]
To = Annotated[
    int | None,
    Query(alias="to", ge=0, le=MAX_STEP, description="The step behind the last one."),
]
Units = Annotated[
    str | None,
    Query(max_length=20_000, description="Such as `0-63,70`; all by default.", examples=["0-7"]),
]


def units_of(text: str | None) -> list[int] | None:
    """Raises InvalidInput."""
    if text is None:
        return None
    try:
        return read_units(text)
    except ValueError as error:
        raise InvalidInput.at(("units",), str(error), "query") from None


def _inputs_of(body: TraceBody) -> Inputs | None:
    if body.text is not None:
        return Text(body.text)
    return None if body.inputs is None else JsonRows(body.inputs)


def _state_of(state: StateVector) -> NDArray[np.float32]:
    return np.array(state, np.float32)


def _change_of(body: InterventionBody) -> GateChange:
    units = None if body.units is None else tuple(body.units)
    return GateChange(body.layer, body.gate, units, body.begin, body.end, body.action, body.value)
