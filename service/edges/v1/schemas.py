"""Answers of `/v1` as records.

Most answers are written from NumPy without them, for speed; here they describe the answers in
OpenAPI, and a test holds the real ones against them.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from service.bundle.manifest import Activation, Reset, Score
from service.bundle.signatures import InputSignature, OutputSignature
from service.edges.http.openapi import ProblemDetails
from service.errors import SessionDamaged
from service.repository.versions import State
from service.sessions.damage import damaged, metadata_of
from service.sessions.receipts import Kind, receipts_of, writers_of
from service.sessions.sessions import Page
from service.stores.store import Session


def _is_none(value: object) -> bool:
    return value is None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _SessionShown(_Answer):
    """Says where a session is, and carries its `ETag`."""

    shows_session: ClassVar[bool] = True

    session_id: str
    model: str
    version: int
    step: int = Field(description="Time steps that this session has consumed.")


class LayerGates(_Answer):
    """Gates of one layer by name, and `hidden`; each tensor is [T, U], or [T] with `reduce`.

    A GRU's gates are `reset`, `update` and `candidate`.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, list[list[float]] | list[float]]

    layer: int
    units: list[int]


class GatesAnswer(_Answer):
    layers: list[LayerGates]


class NextToken(_Answer):
    token: int
    text: str | None = Field(default=None, description="Of a character.")
    item: str | None = Field(default=None, description="The name of an item.")
    probability: float


class NextLabel(_Answer):
    label: str
    probability: float


class LikelyClass(_Answer):
    name: str = Field(alias="class")
    probability: float


class _Outputs(_Answer):
    outputs: list[list[float]]
    next: list[list[NextToken] | list[NextLabel]] | None = Field(
        default=None,
        description="After each step: the most likely tokens, or the labels with a probability of "
        "at least 0.5, most likely first.",
    )
    likely: list[LikelyClass] | None = Field(
        default=None, description="After each step: the most likely class of the sequence."
    )


class _Stepped(_SessionShown, _Outputs):
    gates: GatesAnswer | None = None


class StepsAnswer(_Stepped):
    forecast: list[list[float]] | None = Field(
        default=None, description="With `horizon`: the next outputs, the first of them known."
    )


class StepsItemAnswer(_Stepped):
    """Steps of one of many sessions that were applied."""

    etag: str = Field(description="As the header `ETag`.")
    replayed: bool | None = Field(
        default=None, description="`true` where an earlier try had been applied."
    )


class _RolledOut(_SessionShown):
    seed: int | None = Field(
        default=None, description="With which the tokens or labels were drawn."
    )
    stopped: bool | None = Field(default=None, description="Whether one of `stop` ended it.")
    gates: GatesAnswer | None = None


class RolloutAnswer(_RolledOut):
    outputs: list[list[float]] | None = Field(
        default=None, description="Of a model of values or quantiles; of labels 1 for each drawn."
    )
    labels: list[list[str]] | None = Field(default=None, description="The labels that were drawn.")
    tokens: list[int] | None = Field(default=None, description="Of a token model.")
    text: str | None = Field(default=None, description="Of a character model.")
    items: list[str] | None = Field(default=None, description="Of a model of items.")


class SequenceAnswer(_Outputs):
    state: list[float]
    gates: GatesAnswer | None = None


class SequencesAnswer(_Answer):
    model: str
    version: int
    sequences: list[SequenceAnswer]


class SessionAnswer(_SessionShown):
    created_at: datetime
    expires_at: datetime
    ttl_seconds: float
    metadata: dict[str, Any]
    fell_back_from: int | None = Field(
        default=None, description="The step count that the store has lost.", exclude_if=_is_none
    )

    @classmethod
    def of(cls, session: Session) -> Self:
        """Raises SessionDamaged."""
        return cls(
            session_id=session.session_id,
            model=session.model,
            version=session.version,
            step=session.step,
            created_at=_moment(session, session.created_at),
            expires_at=_moment(session, session.expires_at),
            ttl_seconds=session.ttl_seconds,
            metadata=metadata_of(session),
            fell_back_from=session.fell_back_from,
        )


class ReceiptAnswer(_Answer):
    """A keyed request that was applied, and where the session was after it."""

    key: str = Field(description="The beginning of the key's digest: keys are not kept.")
    step: int
    version: int
    answer: Literal["kept", "computed again", "forgotten", "creation"] = Field(
        description="What a retry gets: the answer as it was kept, or computed again from the "
        "state before; 409 `answer_not_kept`; or the session, of the request that made it."
    )


class WriterAnswer(_Answer):
    """Of numbered keys: a writer's highest number that was applied."""

    writer: str = Field(description="The beginning of its digest.")
    highest: int


class ReceiptsAnswer(_Answer):
    """What keyed requests left in a session, newest first."""

    receipts: list[ReceiptAnswer]
    writers: list[WriterAnswer]

    @classmethod
    def of(cls, session: Session) -> Self:
        """Raises SessionDamaged."""
        receipts = [
            ReceiptAnswer(
                key=one.key[:4].hex(),
                step=one.step,
                version=one.version,
                answer=_RETRIED[one.kind],
            )
            for one in receipts_of(session)
        ]
        writers = [
            WriterAnswer(writer=digest[:4].hex(), highest=highest)
            for digest, highest in writers_of(session)
        ]
        return cls(receipts=receipts, writers=writers)


_RETRIED: Mapping[Kind, Literal["kept", "computed again", "forgotten", "creation"]] = {
    Kind.ANSWER: "kept",
    Kind.BEFORE: "computed again",
    Kind.FORGOTTEN: "forgotten",
    Kind.CREATION: "creation",
}


def _moment(session: Session, seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OSError, OverflowError, ValueError) as error:
        raise damaged(session, f"{seconds} is no time: {error}") from error


class MigrationAnswer(_SessionShown):
    version: int = Field(description="The version on which the session goes on.")


class DamagedSessionAnswer(_Answer):
    """A session that the store cannot give back; it can be deleted."""

    session_id: str
    model: str
    detail: str


class SessionsAnswer(_Answer):
    sessions: list[SessionAnswer]
    damaged: list[DamagedSessionAnswer] | None = Field(
        default=None, description="Those in their midst that cannot be read.", exclude_if=_is_none
    )
    cursor: str | None = Field(description="Pass it on for the next page; null at the end.")


def page_answer(page: Page, cursor: str | None) -> SessionsAnswer:
    sessions, unreadable = [], list(page.damaged)
    for session in page.sessions:
        try:
            sessions.append(SessionAnswer.of(session))
        except SessionDamaged as error:
            unreadable.append(error)
    reported = [
        DamagedSessionAnswer(session_id=one.session_id, model=one.model, detail=str(one))
        for one in unreadable
    ]
    return SessionsAnswer(sessions=sessions, damaged=reported or None, cursor=cursor)


class StateAnswer(_SessionShown):
    state: list[float]


class LayerAnswer(_Answer):
    """One recurrent layer: `lanes` rows of `hidden_size` units, from `offset` on among all."""

    layer: int
    name: str
    hidden_size: int
    lanes: int
    offset: int
    reset: Reset
    gates: list[str] = Field(description="Beside these, `hidden` can be shown.")
    gate_activation: Activation
    candidate_activation: Activation
    clip: float | None = Field(
        description="What the activations are applied to lies within ± this; null where it may be "
        "anything."
    )


class SegmentAnswer(_Answer):
    """One piece of the flat state, numbers of `shape` in C order."""

    name: str
    kind: str
    shape: list[int]
    offset: int


class ConstantAnswer(_Answer):
    """What a session is given once, at its beginning."""

    name: str
    shape: list[int]
    integers: bool
    least: int = Field(description="Of whole numbers, as is `largest`.")
    largest: int


class VersionStateAnswer(_Answer):
    """One version of a model, and what may be done with it."""

    version: int
    state: State = Field(
        description="`serving`: may be the default. `candidate`: serves whoever names it. "
        "`withdrawn`: takes no new sessions. `refused`: cannot be served. `loading`: not read yet. "
        "`vanished`: loaded, and not in the repository any more."
    )
    loaded: bool = Field(description="Whether the sessions that it has are served.")
    reason: str | None = Field(default=None, description="Why it is refused.", exclude_if=_is_none)


class VersionAnswer(_Answer):
    """A version of a model as its callers need to know it."""

    name: str
    version: int
    state: State
    task: str
    input: InputSignature
    output: OutputSignature
    input_ranges: list[tuple[float, float]] = Field(
        description="The least and the largest value of each input that the model was trained on; "
        "empty where nobody knows."
    )
    takes: str = Field(description="The inputs in words, for people.")
    gives: str = Field(description="The outputs in words, for people.")
    answers: Literal["each step", "last step"] = Field(
        description="What an output belongs to: a session answers every step either way."
    )
    sessions: bool = Field(description="False where the model needs whole sequences.")
    reason: str | None = Field(description="Why there are no sessions.")
    window: int | None = Field(description="How many inputs an answer depends on, if not all.")
    ready_at: int = Field(description="The first step that has an answer.")
    delay: int = Field(description="Steps by which answers come late.")
    steps: int | None = Field(description="The only length that whole sequences may have.")
    fewest_steps: int = Field(description="Whole sequences have at least so many.")
    constants: list[ConstantAnswer]
    layers: list[LayerAnswer]
    segments: list[SegmentAnswer] = Field(description="Of the flat state, in order.")
    state_size: int
    scores: list[Score]
    provider: str
    example: dict[str, Any] = Field(description="A steps request that this model accepts.")
    report: str | None = Field(description="Where the training report is served.")


class ModelAnswer(VersionAnswer):
    """A model: its default version, and which versions there are."""

    default: int = Field(description="The version that serves whoever names none.")
    wanted_default: int | Literal["newest"] | None = Field(
        description="What somebody has chosen; `newest` is the rule, null where it is unknown."
    )
    versions: list[VersionStateAnswer]
    problem: str | None = Field(
        default=None,
        description="Why what is wanted cannot be read; what was wanted before goes on.",
        exclude_if=_is_none,
    )


class UndefaultedModelAnswer(_Answer):
    """A model of which no version serves whoever names none; each is at `versions/{version}`."""

    name: str
    version: None = None
    default: None = None
    wanted_default: int | Literal["newest"] | None = None
    versions: list[VersionStateAnswer]
    problem: str | None = Field(default=None, exclude_if=_is_none)


class ModelsAnswer(_Answer):
    models: list[ModelAnswer | UndefaultedModelAnswer]


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
    output: list[float] | None = Field(
        default=None, description="Of a model of values or quantiles; of labels 1 for each drawn."
    )
    labels: list[str] | None = Field(default=None, description="The labels that were drawn.")
    token: int | None = Field(default=None, description="Of a token model.")
    text: str | None = Field(default=None, description="Of a character model.")
    item: str | None = Field(default=None, description="Of a model of items.")


class DoneEvent(_RolledOut):
    """`event: done` of a streamed rollout: the session has moved."""

    etag: str = Field(description="As the header `ETag`.")
    replayed: bool | None = Field(
        default=None, description="`true` where an earlier try had been applied."
    )
