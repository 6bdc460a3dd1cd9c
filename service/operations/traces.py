"""One record for each thing that can be asked about traces.

A trace is a run of time steps of one model that can be looked into. Steps are counted as the
session counts them: `begin` is included and `end` is not; None leaves the choice to the trace.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.analysis.interventions import Action, Intervention
from service.operations.caller import ANYBODY, Caller
from service.operations.inputs import Inputs
from service.operations.requests import Record
from service.records import record


@record
class TraceInputs:
    """Run these inputs through a model, by default its default version, from its beginning or from
    a state [S]. Without inputs it runs the sample that the version brings along."""

    model: str
    version: int | None = None
    inputs: Inputs | None = None
    state: NDArray[np.float32] | None = None
    constants: Mapping[str, Any] | None = None
    ttl_seconds: float | None = None
    caller: Caller = ANYBODY


@record
class ForkTrace:
    """Run other inputs from where a trace was after step `at`."""

    trace_id: str
    at: int
    inputs: Inputs
    ttl_seconds: float | None = None
    caller: Caller = ANYBODY


@record
class GateChange:
    """As an `Intervention`, from the first step to the last one unless it says otherwise."""

    layer: int
    gate: str
    units: tuple[int, ...] | None
    begin: int | None
    end: int | None
    action: Action
    value: float

    def within(self, begin: int, end: int) -> Intervention:
        """In a trace with these steps."""
        return Intervention(
            self.layer,
            self.gate,
            self.units,
            begin if self.begin is None else self.begin,
            end if self.end is None else self.end,
            self.action,
            self.value,
        )


@record
class Intervene:
    """Run a copy of a trace once more, with gates set from outside."""

    trace_id: str
    changes: Sequence[GateChange]
    ttl_seconds: float | None = None
    caller: Caller = ANYBODY


NewTrace = TraceInputs | Record | ForkTrace | Intervene


@record
class Asked:
    """About a trace as it is now."""

    trace_id: str
    caller: Caller = ANYBODY


@record
class Span(Asked):
    """About some of its steps."""

    begin: int | None = None
    end: int | None = None


@record
class ShowInputs(Span):
    """What went in."""


@record
class ShowOutputs(Span):
    """What came out."""


@record
class Units(Span):
    """About some units of a layer, all where None."""

    layer: int = 0
    units: Sequence[int] | None = None


@record
class Window(Units):
    """The values of a tensor, reduced to the least and the largest where there are more steps than
    `columns`."""

    tensor: str = "hidden"
    columns: int | None = None


@record
class Export(Units):
    """Inputs, outputs and tensors, of one layer or of all, for a file."""

    tensors: Sequence[str] | None = None
    all_layers: bool = False


@record
class AtStep(Asked):
    """About a layer at one step."""

    layer: int = 0
    step: int | None = None


@record
class CellAt(AtStep):
    """Every number of the equations for one unit at one step."""

    unit: int = 0


@record
class Attribution(AtStep):
    """Which past steps a unit is holding at a step."""

    unit: int = 0


@record
class Sensitivity(Asked):
    """Which earlier inputs an output depends on, through everything."""

    step: int | None = None
    output: int | None = None
    depth: int = 200


@record
class Nearest(AtStep):
    """Where the layer was in nearly the same state, at least `apart` steps from this one."""

    count: int = 10
    apart: int = 10


@record
class OfLayer(Asked):
    """About a layer through all steps."""

    layer: int = 0


@record
class Statistics(OfLayer):
    """What every unit does, in numbers."""


By = Literal["memory", "peak", "component", "cluster"]
Peaking = Literal["reset", "update", "candidate", "hidden"]


@record
class Order(OfLayer):
    """The units in an order that shows something; `tensor` is whose peaks count."""

    by: By = "memory"
    tensor: Peaking = "hidden"


@record
class Projection(OfLayer):
    """The states in two dimensions, every n-th so that there are at most `points`."""

    points: int = 2000


@record
class Findings(Asked):
    """Which units follow what is known of the inputs."""


@record
class Following(Asked):
    """Which units follow one marking: one that the inputs have, by its name, or a number for each
    step, NaN where there is none."""

    marking: str | Sequence[float] = ""
    count: int = 20


@record
class Comparison(OfLayer):
    """How far apart two traces are, step by step, and when they have come together."""

    other_id: str = ""
    threshold: float = 0.05
