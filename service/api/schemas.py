"""Answers of `/v1` as records.

Most answers are written from NumPy without them, for speed; here they describe the answers in
OpenAPI, and a test holds the real ones against them.
"""

from datetime import UTC, datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from service.bundle.manifest import InputSignature, OutputSignature, Reset, Score
from service.sessions.damage import damaged, metadata_of
from service.stores.store import Session


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


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


class StepsItemAnswer(StepsAnswer):
    """Steps of one of many sessions that were applied."""

    etag: str = Field(description="As the header `ETag`.")
    replayed: bool | None = Field(
        default=None, description="`true` where an earlier try had been applied."
    )


class RolloutAnswer(_Answer):
    session_id: str
    model: str
    version: int
    step: int = Field(description="Time steps that this session has consumed.")
    outputs: list[list[float]] | None = Field(default=None, description="Of a model of values.")
    tokens: list[int] | None = Field(default=None, description="Of a token model.")
    text: str | None = Field(default=None, description="Of a character model.")
    seed: int | None = Field(default=None, description="With which the tokens were drawn.")
    stopped: bool | None = Field(default=None, description="Whether a stop text ended it.")
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
    metadata: dict[str, Any]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Raises StoreError where the stored session is damaged."""
        return cls(
            session_id=session.session_id,
            model=session.model,
            version=session.version,
            step=session.step,
            created_at=_moment(session, session.created_at),
            expires_at=_moment(session, session.expires_at),
            ttl_seconds=session.ttl_seconds,
            metadata=metadata_of(session),
        )


def _moment(session: Session, seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, ValueError) as error:
        raise damaged(session.session_id, f"{seconds} is no time: {error}") from error


class MigrationAnswer(_Answer):
    session_id: str
    model: str
    version: int = Field(description="The version on which the session goes on.")
    step: int


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
    step: int | None = Field(
        default=None, description="Where the session is, if it is not where the request wants it."
    )
    applied_step: int | None = Field(
        default=None, description="Where it was after the request, if that was applied before."
    )


class StepsItemProblem(_Answer):
    """Steps of one of many sessions that were not applied; the others are not concerned."""

    session_id: str | None = None
    problem: ProblemDetails
    etag: str | None = Field(default=None, description="Where the session is.")
    retry_after: int | None = Field(default=None, description="Seconds to wait.")


class ManyStepsAnswer(_Answer):
    items: list[StepsItemAnswer | StepsItemProblem] = Field(
        description="In the order of the request."
    )


class OutputEvent(_Answer):
    """`event: output` of a streamed rollout."""

    index: int
    output: list[float] | None = Field(default=None, description="Of a model of values.")
    token: int | None = Field(default=None, description="Of a token model.")
    text: str | None = Field(default=None, description="Of a character model.")


class DoneEvent(_Answer):
    """`event: done` of a streamed rollout: the session has moved."""

    session_id: str
    model: str
    version: int
    step: int = Field(description="Time steps that this session has consumed.")
    etag: str = Field(description="As the header `ETag`.")
    replayed: bool | None = Field(
        default=None, description="`true` where an earlier try had been applied."
    )
    seed: int | None = Field(default=None, description="With which the tokens were drawn.")
    stopped: bool | None = Field(default=None, description="Whether a stop text ended it.")
    gates: GatesAnswer | None = None


SESSION_ANSWERS = (SessionAnswer, StepsAnswer, RolloutAnswer, StateAnswer, MigrationAnswer)
"""Those that say where a session is, and carry its `ETag`."""
