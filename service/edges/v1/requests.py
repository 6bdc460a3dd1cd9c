"""Bodies of requests to `/v1` as records."""

import json
from typing import Annotated, Any, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from service.edges.v1.gates import OptionalGates
from service.operations.caller import Caller
from service.operations.inputs import StateVector
from service.operations.keys import Key
from service.operations.requests import Create, NewSession
from service.operations.rollout import MAX_ROLLOUT_STEPS

# Safe in a path as it is; a leading dot is not, since clients resolve `.` and `..` themselves.
SESSION_ID_PATTERN = r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$"
MAX_STEP = 2**53 - 1
"""The largest count that every JSON reader keeps exactly, far below what stores can hold."""

MAX_METADATA_BYTES = 4096
MAX_ITEMS = 1024
"""Of one request for many sessions: a few batches, and a quarter of the queue's default."""

At = Annotated[
    Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)] | None,
    Field(description="Apply only if the session has consumed exactly so many time steps."),
]

Version = Annotated[int, Field(strict=True, ge=1, le=MAX_STEP)] | None


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(metadata_bytes(metadata))
    except ValueError:
        raise ValueError("NaN and infinity are not JSON") from None
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"metadata takes {size} bytes, at most {MAX_METADATA_BYTES} are kept")
    return metadata


def metadata_bytes(metadata: dict[str, Any]) -> bytes:
    """As it is stored: JSON in UTF-8, numbers of any length."""
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


Metadata = Annotated[
    Annotated[dict[str, Any], AfterValidator(_small)] | None,
    Field(description="A JSON object of your own, kept with the session and shown with it."),
]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _PerhapsInputs(_Request):
    """Time steps: `inputs`, or `text` for character models; or none."""

    inputs: list[Any] | None = Field(
        default=None,
        description="[[f, …F], …T]; null is a missing value, for a model that takes such. "
        "[id, …T] for a token model, or the names of items.",
    )
    text: str | None = Field(default=None, description="One time step a character.")
    gates: OptionalGates = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.inputs is not None and self.text is not None:
            raise ValueError("send either `inputs` or `text`")
        return self


class _Inputs(_PerhapsInputs):
    """Time steps: `inputs`, or `text` for character models."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        # In the place of the other check: pydantic takes the last of one name.
        if (self.inputs is None) == (self.text is None):
            raise ValueError("send either `inputs` or `text`")
        return self


class PlainStepsBody(_Inputs):
    """One or more time steps for a session, and nothing ahead of them."""

    at: At = None


Future = Annotated[
    list[Any] | None,
    Field(
        description="[[…K], …]: what is known ahead, a row for each output that is fed back; the "
        "model's `known_ahead` names the K numbers."
    ),
]


class StepsBody(PlainStepsBody):
    """One or more time steps for a session: `inputs`, or `text` for character models."""

    horizon: Annotated[int, Field(strict=True, ge=1, le=MAX_ROLLOUT_STEPS)] | None = Field(
        default=None,
        description="Look so many outputs ahead of the last input: `forecast`. The session moves "
        "by the inputs alone. Not for token models.",
    )
    future: Future = None

    @field_validator("future")
    @classmethod
    def _future_has_a_horizon(cls, future: Future, info: ValidationInfo) -> Future:
        if future is not None and info.data.get("horizon", 0) is None:
            raise ValueError("this is what is known ahead of a `horizon`; send both")
        return future


class StepsItem(PlainStepsBody):
    """Steps for one of many sessions."""

    session_id: str
    key: Annotated[str, Field(min_length=1, max_length=255)] | None = Field(
        default=None, description="As `Idempotency-Key`, for this item alone."
    )
    if_match: str | None = Field(default=None, description="As the header, for this item alone.")


_ITEMS_SCHEMA = {
    "type": "array",
    "items": StepsItem.model_json_schema(),
    "minItems": 1,
    "maxItems": MAX_ITEMS,
}


class ManyStepsBody(_Request):
    """Steps for many sessions; those of one session are applied in their order."""

    items: Annotated[list[Any], WithJsonSchema(_ITEMS_SCHEMA)]


class RolloutBody(_PerhapsInputs):
    """Time steps to begin with, then so many outputs, each fed back as the next input.

    Without time steps it begins from the output that the session has answered last.
    """

    steps: Annotated[int, Field(strict=True, ge=1, le=MAX_ROLLOUT_STEPS)] = Field(
        description="How many outputs to show; all but the last are fed back."
    )
    advance: Annotated[bool, Field(strict=True)] | None = Field(
        default=None,
        description="False looks ahead and leaves the session as it is. By default a token model "
        "goes on, and every other model looks ahead.",
    )
    future: Future = None
    temperature: Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)] = Field(
        default=1.0,
        description="Token models: 0 takes the most likely token every time. Models of labels: 0 "
        "takes those with a probability of at least 0.5.",
    )
    top_k: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="Token models: draw from the k most likely tokens only."
    )
    seed: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)] | None = Field(
        default=None, description="Makes the draws repeatable; the answer names it."
    )
    stop: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=16)] = Field(
        default=[], description="End after one of these texts, or one of these items."
    )
    at: At = None


_DEFAULT_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "newest"}]}

_TEXT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "null"},
    ],
    "default": None,
    "description": "One text, or a list of texts.",
}


class SequencesBody(_Inputs):
    """Whole sequences: `inputs`, or `text` for character models. Lengths may differ."""

    inputs: list[Any] | None = Field(
        default=None,
        min_length=1,
        description="[[[f, …F], …T], …B], or [[id, …T], …B] for a token model.",
    )
    # Checked where it is encoded: the paths of a union's errors name its branches.
    text: Annotated[Any, WithJsonSchema(_TEXT_SCHEMA)] = None
    initial_states: list[Any] | None = Field(
        default=None,
        description="[[…S], …B]: the state before each sequence; as the model begins by default.",
    )
    constants: dict[str, Any] | None = Field(
        default=None, description="What the model takes once, by name, for all sequences."
    )
    version: Version = Field(default=None, description="The model's default one if left out.")


SessionId = Annotated[
    Annotated[str, Field(pattern=SESSION_ID_PATTERN)] | None,
    Field(description="Chosen by the service if left out."),
]
TtlSeconds = Annotated[
    Annotated[float, Field(strict=True, ge=0.001, le=10 * 366 * 86400)] | None,
    Field(description="Life after the last use."),
]


ConstantsByName = Annotated[
    dict[str, Any] | None,
    Field(description="What the model takes once, by name; see its `constants`."),
]


class SessionBody(_Request):
    """A new session."""

    model: str
    session_id: SessionId = None
    ttl_seconds: TtlSeconds = None
    metadata: Metadata = None
    state: StateVector | None = Field(
        default=None, description="[…S]: the state to begin with; as the model begins by default."
    )
    constants: ConstantsByName = None
    version: Version = Field(default=None, description="The model's default one if left out.")


class ForkBody(_Request):
    """A new session that goes on from where this one is; what is left out is inherited."""

    session_id: SessionId = None
    ttl_seconds: TtlSeconds = None
    metadata: Metadata = None


def new_session_of(body: SessionBody | ForkBody) -> NewSession:
    metadata = None if body.metadata is None else metadata_bytes(body.metadata)
    return NewSession(body.session_id, body.ttl_seconds, metadata)


def create_of(body: SessionBody, key: Key | None, caller: Caller) -> Create:
    state = None if body.state is None else np.array(body.state, np.float32)
    return Create(
        body.model, new_session_of(body), state, body.constants, key, caller, body.version
    )


class MigrateBody(_Request):
    """Another version of the session's model."""

    version: Version = Field(default=None, description="The default one if left out.")


class DefaultBody(_Request):
    """Which version serves whoever names none."""

    version: Annotated[Any, WithJsonSchema(_DEFAULT_SCHEMA)] = Field(
        description="A version, or `newest`: the newest one that is no candidate and not withdrawn."
    )

    @field_validator("version")
    @classmethod
    def _is_a_version(cls, value: object) -> object:
        # By hand: the paths of a union's errors name its branches.
        is_number = type(value) is int and 1 <= value <= MAX_STEP
        if value != "newest" and not is_number:
            raise ValueError("expected the number of a version, or `newest`")
        return value


class WithdrawBody(_Request):
    """How a version is taken back."""

    drop: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="Serve the sessions that it has no longer, either."
    )


class StateBody(_Request):
    """Another state for a session, and the count of steps that it stands for."""

    step: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)]
    state: StateVector
    model: str | None = Field(
        default=None, description="Where the state comes from; refused if not the session's."
    )
    version: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        default=None, description="Likewise."
    )
