"""What a rule is, and what it may use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from model_export.rewrite.axes import BATCH, Axes, Axis, Fixed
from model_export.rewrite.carried import EXACT, Carried
from model_export.rewrite.facts import Fact, NeedsWhole, Source, Whole
from model_export.rewrite.gru_node import GruNode
from model_export.rewrite.origins import origin_of

if TYPE_CHECKING:
    from model_export.rewrite.writer import Writer

LARGEST_CARRIED = 2**24
"""Numbers of one segment of a session."""

Edit = Callable[["Writer", ir.Node], None]
"""Changes a node of a graph that is being written, so that it runs from a session's state."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The facts of a node's outputs; no `edit` where the node can stay as it is."""

    facts: tuple[Fact | Whole, ...]
    edit: Edit | None = None


@dataclass(frozen=True, slots=True)
class GruLayer:
    """A GRU node that runs through time in `lanes` independent lanes a sequence.

    `batch_axis` is what its batch axis consists of. `initial` is its hidden state [lanes · H] at
    the beginning, or None where a constant of the session decides it. It stands still for the
    first `late` steps. It has no segment of its own where its hidden state is part of a cache that
    the model itself passes on.
    """

    gru: GruNode
    batch_axis: Axis
    lanes: int
    initial: NDArray[np.float32] | None
    late: int = 0
    has_segment: bool = True

    @property
    def name(self) -> str:
        return self.gru.name

    @property
    def hidden_size(self) -> int:
        return self.gru.weights.hidden_size

    @property
    def width(self) -> int:
        """lanes · H."""
        return self.lanes * self.hidden_size


@dataclass(slots=True)
class Context:
    """What the rules find out on their way through a graph."""

    fixed: Fixed
    evaluate: Callable[[ir.Value, int, int], NDArray[np.generic]]
    """The numbers of a STATIC value at a batch and a time."""
    state_inputs: frozenset[str] = frozenset()
    """Names of the inputs that are initial states of GRU nodes and nothing else."""
    cached: frozenset[str] = frozenset()
    """Names of the other inputs that are fed from an output of the step before."""
    layers: list[GruLayer] = field(default_factory=list)
    carried: list[Carried] = field(default_factory=list)
    counts_steps: bool = False
    """Whether something must know how many steps a session has seen."""


Rule = Callable[[ir.Node, Sequence[Fact | None], Context], Outcome]
"""Inputs that are left out are None."""


def given(fact: Fact | None) -> Fact:
    """An input that the operator cannot do without."""
    if fact is None:
        raise NeedsWhole("lacks an input")
    return fact


def source_of(facts: Sequence[Fact]) -> Source:
    """Where a value comes from that is made of all these."""
    sources = {fact.source for fact in facts}
    if {Source.STREAM, Source.LAST} <= sources:
        raise NeedsWhole("uses what is known after the last step at every step")
    return max(sources, default=Source.STATIC)


def carry(
    context: Context, node: ir.Node, index: int, fact: Fact, frames: int, *, what: str = "past"
) -> Carried:
    """Have a session keep the last frames of an input of a node."""
    value = node.inputs[index]
    assert value is not None
    axis = fact.time_axis
    assert axis is not None
    if fact.axes[axis] != ("time",):
        raise NeedsWhole("looks back along an axis that is more than the time")
    if value.dtype not in (None, *EXACT) and origin_of(value, padded=True) is None:
        # The tokens of the input itself are the rows of a table: float32 holds them.
        raise NeedsWhole(f"looks back at {value.dtype}, which float32 does not hold exactly")
    carried = Carried(
        name=f"{node.name}/{what}" if index == 0 else f"{node.name}/{what} {index}",
        node=node.name or "",
        axes=_with_frames(fact.axes, axis, frames),
        time_axis=axis,
        frames=frames,
        dtype=value.dtype or ir.DataType.FLOAT,
        padding=fact.padding,
    )
    if not 0 <= carried.size <= LARGEST_CARRIED:
        raise NeedsWhole(f"looks back at {carried.size} numbers")
    context.carried.append(carried)
    return carried


def _with_frames(axes: Axes, axis: int, frames: int) -> Axes:
    if not any(BATCH in one for one in axes):
        raise NeedsWhole("looks back at something that is the same for every sequence of a batch")
    return tuple((frames,) if index == axis else one for index, one in enumerate(axes))


def attribute_ints(node: ir.Node, name: str, default: Sequence[int]) -> list[int]:
    return [int(number) for number in node.attributes.get_ints(name, tuple(default))]


def in_turn(first: Edit | None, second: Edit | None) -> Edit | None:
    """Both edits of a node, one after the other; None where there is neither."""
    edits = [edit for edit in (first, second) if edit is not None]
    if not edits:
        return None

    def all_of_them(writer: "Writer", copy: ir.Node) -> None:
        for edit in edits:
            edit(writer, copy)

    return all_of_them
