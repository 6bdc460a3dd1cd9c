"""What answers about traces look like: the API's description is made from these records."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.analysis.markings import markings_of
from service.edges.inspector.trace_requests import InterventionBody
from service.traces.following import Finding
from service.traces.run import Run
from service.traces.tensors import tensors_of
from service.traces.traces import Described

Numbers = list[float | None]
"""null where there is no number: a window is not full yet, or nothing can be said."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class TracedLayer(_Answer):
    layer: int
    units: int
    tensors: list[str] = Field(description="What `window` can show of it.")


class TraceAnswer(_Answer):
    """A trace: the steps of one model that can be looked into."""

    trace_id: str
    kind: Literal["given", "recorded", "fork", "intervention"]
    model: str
    version: int
    session_id: str | None = Field(description="The session that is recorded.")
    source: str | None = Field(description="The trace that a fork or an intervention is made from.")
    at: int | None = Field(description="The step of the source that a fork begins after.")
    interventions: list[InterventionBody]
    begin: int | None = Field(alias="from", description="The first step; null while there is none.")
    end: int | None = Field(alias="to", description="The step behind the last one.")
    dropped_before: int | None = Field(
        description="Steps before this one were recorded and are not kept, or were missed."
    )
    bytes: int
    max_bytes: int
    created_at: float
    expires_at: float
    layers: list[TracedLayer]
    markings: list[str] = Field(description="What is known of its inputs, for `following`.")


class TracesAnswer(_Answer):
    traces: list[TraceAnswer]


class InputsAnswer(_Answer):
    """The inputs of some steps, as a request has them: `text` of character models."""

    begin: int = Field(alias="from")
    inputs: list[int] | list[Numbers] | None = None
    text: str | None = None


class OutputsAnswer(_Answer):
    """The outputs of some steps, and beside them what the model's kind says of each, such as the
    most likely tokens (`next`)."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    begin: int = Field(alias="from")
    outputs: list[Numbers | None]


class WindowAnswer(_Answer):
    """`values` [T][U]; or, of columns of `steps_per_column` steps each, `min` and `max` [C][U]."""

    tensor: str
    layer: int
    units: list[int]
    begin: int = Field(alias="from")
    end: int = Field(alias="to")
    steps_per_column: int
    values: list[Numbers] | None = None
    min: list[Numbers] | None = None
    max: list[Numbers] | None = None


class CellAnswer(_Answer):
    """Every number of the equations for one unit at one step."""

    step: int
    layer: int
    unit: int
    numbers: dict[str, float | None] = Field(
        description="Tensors by name; `before` is the hidden value before the step, "
        "`kept` = keep · before, `written` = update · candidate, `change` = hidden − before."
    )


class TensorStatistics(_Answer):
    """Of each unit. `peak` is the step of the largest value."""

    mean: Numbers
    std: Numbers
    min: Numbers
    max: Numbers
    peak: list[int]
    near_0: Numbers | None = Field(default=None, description="Fraction of steps below 0.1.")
    near_1: Numbers | None = Field(default=None, description="Fraction of steps above 0.9.")


class MemoryStatistics(_Answer):
    """How long each unit holds what it wrote, in steps; null is for ever."""

    length: Numbers = Field(description="−1 / mean ln keep.")
    half_life: Numbers
    outlasts: list[bool] = Field(description="Whether that is as long as the trace, or longer.")


class ResetStatistics(_Answer):
    history_share: Numbers = Field(
        description="Mean of |history| / (|history| + |input|) inside the candidate."
    )
    impact: Numbers = Field(
        description="Mean of update · |candidate − candidate with reset 1|: what resetting changes."
    )


class TriageStatistics(_Answer):
    copiers: list[int] = Field(description="Keep over 0.99 at over 99 % of all steps.")
    frozen: list[int] = Field(description="The hidden state moves by less than 0.001.")
    memoryless: list[int] = Field(description="Keep below 0.1 at over 90 % of all steps.")
    redundant: list[tuple[int, int, float]] = Field(
        description="Pairs with their correlation, the strongest first; at most 200."
    )


class StatisticsAnswer(_Answer):
    """What every unit of a layer does over all steps."""

    layer: int
    steps: int
    tensors: dict[str, TensorStatistics]
    memory: MemoryStatistics
    reset: ResetStatistics
    triage: TriageStatistics


class OrderAnswer(_Answer):
    layer: int
    by: str
    units: list[int]
    values: Numbers | None = Field(description="What the order follows from, in that order.")


class AttributionAnswer(_Answer):
    """hidden = Σ weights · candidate + rest · (hidden before `from`); the weights and the rest add
    up to 1."""

    layer: int
    unit: int
    step: int
    begin: int = Field(alias="from")
    weights: Numbers
    rest: float
    reaches_start: bool = Field(
        description="Whether `from` is the trace's first step: before another one hardly anything "
        "is left."
    )


class SensitivityAnswer(_Answer):
    """Which earlier inputs an output depends on."""

    step: int
    output: int
    value: float
    begin: int = Field(alias="from")
    method: Literal["gradient", "perturbation"]
    influence: Numbers = Field(
        description="By gradient: ∂output/∂x · (x − mean x) of what the first layer was given. By "
        "perturbation: the output, less what it is with the usual input in that place."
    )
    size: Numbers | None = Field(description="‖∂output/∂x‖, by gradient alone.")
    reaches_start: bool


class NearAnswer(_Answer):
    step: int
    distance: float


class NearestAnswer(_Answer):
    """The steps after which the layer was in nearly the same state, by cosine distance."""

    layer: int
    step: int
    nearest: list[NearAnswer]


class ProjectionAnswer(_Answer):
    """The hidden state in its two principal components."""

    layer: int
    begin: int = Field(alias="from")
    steps_per_point: int
    points: list[Numbers]
    explained: Numbers = Field(description="The share of variance of every component.")
    participation_ratio: float


class FindingAnswer(_Answer):
    """A unit whose tensor follows a marking: Pearson's correlation on the first half of the steps,
    on which it was found, and on the second."""

    marking: str
    tensor: str
    layer: int
    unit: int
    found: float
    confirmed: float
    remembered: bool | None = Field(
        description="Whether the marking cannot be seen in the input of the step alone; null of "
        "one of your own."
    )
    overall: float | None = Field(default=None, description="On all steps.")


class FindingsAnswer(_Answer):
    steps: int
    least: float = Field(description="Of both correlations, by size, for a unit to be named.")
    findings: list[FindingAnswer]


class FollowingAnswer(_Answer):
    units: list[FindingAnswer]


class ComparisonAnswer(_Answer):
    """How far the hidden states of two traces are apart where they were given the same."""

    layer: int
    begin: int = Field(
        alias="from", description="The first step with the same inputs, in this one."
    )
    other_begin: int = Field(alias="other_from", description="And in the other.")
    steps: int
    distance: Numbers = Field(
        description="‖hᵃ − hᵇ‖/√U before the first of these steps and after each."
    )
    threshold: float
    washed_out_at: int | None = Field(
        description="How many steps it takes until the distance is `threshold` of the first one."
    )
    outputs: Numbers = Field(description="The largest difference of the outputs, step by step.")


def describe_finding(one: Finding) -> FindingAnswer:
    return FindingAnswer(
        marking=one.marking,
        tensor=one.tensor,
        layer=one.layer,
        unit=one.unit,
        found=one.found,
        confirmed=one.confirmed,
        remembered=one.remembered,
        overall=one.overall,
    )


def describe(described: Described) -> TraceAnswer:
    trace, about, run = described.trace, described.about, described.run
    begin = None if run is None else run.begin
    return TraceAnswer(
        trace_id=trace.trace_id,
        kind=about.kind,
        model=trace.model,
        version=described.manifest.version,
        session_id=trace.session_id,
        source=about.source,
        at=about.at,
        interventions=[InterventionBody.of(one) for one in about.interventions],
        begin=begin,
        end=None if run is None else run.end,
        dropped_before=None if described.is_whole else begin,
        bytes=described.size,
        max_bytes=trace.max_bytes,
        created_at=trace.created_at,
        expires_at=trace.expires_at,
        layers=[] if run is None else _layers(run),
        markings=[] if run is None else list(markings_of(run.manifest.input, run.inputs[:1])),
    )


def _layers(run: Run) -> list[TracedLayer]:
    return [
        TracedLayer(layer=index, units=layer.width, tensors=tensors_of(run, index))
        for index, layer in enumerate(run.layers)
    ]
