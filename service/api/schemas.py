"""Requests and answers of `/v1` as records.

Requests are parsed with these. Answers are written from NumPy without them, for speed; here they
describe the answers in OpenAPI, and a test holds the real ones against them.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from service.api.gates import OptionalGates
from service.api.inputs import StateVector
from service.bundle.manifest import InputSignature, OutputSignature, Reset, Score
from service.stores.store import Session

Body = TypeVar("Body", bound=BaseModel)

# Safe in a path as it is; a leading dot is not, since clients resolve `.` and `..` themselves.
SESSION_ID_PATTERN = r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$"
MAX_STEP = 2**53 - 1
"""The largest count that every JSON reader keeps exactly, far below what stores can hold."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepsBody(_Request):
    """One or more time steps for a session: `inputs`, or `text` for character models."""

    inputs: list[Any] | None = Field(
        default=None, description="[[f, …F], …T], or [id, …T] for a token model."
    )
    text: str | None = Field(default=None, description="One time step a character.")
    gates: OptionalGates = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return _exactly_one(self, self.inputs, self.text)


_TEXT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}, "minItems": 1},
        {"type": "null"},
    ],
    "default": None,
    "description": "One text, or a list of texts.",
}


class SequencesBody(_Request):
    """Whole sequences: `inputs`, or `text` for character models. Lengths may differ."""

    inputs: list[Any] | None = Field(
        default=None,
        min_length=1,
        description="[[[f, …F], …T], …B], or [[id, …T], …B] for a token model.",
    )
    # Checked where it is encoded: the paths of a union's errors name its branches.
    text: Annotated[Any, WithJsonSchema(_TEXT_SCHEMA)] = None
    initial_states: list[Any] | None = Field(
        default=None, description="[[…S], …B]: the state before each sequence; zeros by default."
    )
    gates: OptionalGates = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        return _exactly_one(self, self.inputs, self.text)


def _exactly_one(body: Body, inputs: object, text: object) -> Body:
    if (inputs is None) == (text is None):
        raise ValueError("send either `inputs` or `text`")
    return body


class SessionBody(_Request):
    """A new session."""

    model: str
    session_id: str | None = Field(
        default=None, pattern=SESSION_ID_PATTERN, description="Chosen by the service if left out."
    )
    ttl_seconds: Annotated[float, Field(strict=True, gt=0, le=10 * 366 * 86400)] | None = Field(
        default=None, description="Life after the last use."
    )
    state: StateVector | None = Field(
        default=None, description="[…S]: the state to begin with; zeros by default."
    )


class StateBody(_Request):
    """Another state for a session, and the count of steps that it stands for."""

    step: Annotated[int, Field(strict=True, ge=0, le=MAX_STEP)]
    state: StateVector


class LayerGates(_Answer):
    """Gates of one layer; each tensor is [T, U], or [T] with `reduce`."""

    layer: int
    units: list[int]
    reset: list[list[float]] | list[float] | None = None
    update: list[list[float]] | list[float] | None = None
    candidate: list[list[float]] | list[float] | None = None
    hidden: list[list[float]] | list[float] | None = None


class GatesAnswer(_Answer):
    layers: list[LayerGates]


class NextToken(_Answer):
    token: int
    text: str | None = None
    probability: float


class StepsAnswer(_Answer):
    session_id: str
    model: str
    version: int
    step: int = Field(description="Time steps that this session has consumed.")
    outputs: list[list[float]]
    next: list[list[NextToken]] | None = None
    gates: GatesAnswer | None = None


class SequenceAnswer(_Answer):
    outputs: list[list[float]]
    next: list[list[NextToken]] | None = None
    state: list[float]
    gates: GatesAnswer | None = None


class SequencesAnswer(_Answer):
    model: str
    version: int
    sequences: list[SequenceAnswer]


class SessionAnswer(_Answer):
    session_id: str
    model: str
    version: int
    step: int
    created_at: datetime
    expires_at: datetime
    ttl_seconds: float

    @classmethod
    def of(cls, session: Session) -> Self:
        return cls(
            session_id=session.session_id,
            model=session.model,
            version=session.version,
            step=session.step,
            created_at=datetime.fromtimestamp(session.created_at, UTC),
            expires_at=datetime.fromtimestamp(session.expires_at, UTC),
            ttl_seconds=session.ttl_seconds,
        )


class SessionsAnswer(_Answer):
    sessions: list[SessionAnswer]
    cursor: str | None = Field(description="Pass it on for the next page; null at the end.")


class StateAnswer(_Answer):
    session_id: str
    model: str
    version: int
    step: int
    state: list[float]


class LayerAnswer(_Answer):
    layer: int
    hidden_size: int
    offset: int


class ModelAnswer(_Answer):
    """A model as its callers need to know it."""

    name: str
    version: int
    versions: list[int]
    task: str
    reset: Reset
    input: InputSignature
    output: OutputSignature
    layers: list[LayerAnswer]
    state_size: int
    scores: list[Score]
    provider: str
    example: dict[str, Any] = Field(description="A steps request that this model accepts.")
    report: str | None = Field(description="Where the training report is served.")


class ModelsAnswer(_Answer):
    models: list[ModelAnswer]


class FaultAnswer(_Answer):
    path: str
    message: str


class ProblemDetails(_Answer):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FaultAnswer] | None = None
