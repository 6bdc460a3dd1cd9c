"""The flat state of a session: which segment holds what, one behind the other."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_export.rewrite.analysis import Analysis
from model_export.rewrite.carried import Carried
from model_export.rewrite.rules.rule import GruLayer
from service.bundle.manifest import STEPS_SEEN

LAST_INPUTS = "last inputs"


@dataclass(frozen=True, slots=True)
class Segment:
    """`shape` numbers of one session, in C order; `initial` [size], or None where a session's
    constants decide it. `source` is what it is kept for; `integers` are the least and the
    largest whole number of a constant that has whole numbers only."""

    name: str
    kind: Literal["gru", "carried", "constant"]
    shape: tuple[int, ...]
    initial: NDArray[np.float32] | None
    source: GruLayer | Carried | None = None
    integers: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))


def segments_of(analysis: Analysis, ready_at: int) -> tuple[Segment, ...]:
    """The GRU layers first, so that gates and state agree where nothing else is carried."""
    found = [_of_layer(layer) for layer in analysis.layers if layer.has_segment]
    found += [_of_carried(carried) for carried in analysis.carried]
    if analysis.counts_steps or ready_at > 1:
        found.append(Segment(STEPS_SEEN, "carried", (1,), np.zeros(1, np.float32)))
    return tuple(found)


def _of_layer(layer: GruLayer) -> Segment:
    return Segment(layer.name, "gru", (layer.lanes, layer.hidden_size), layer.initial, layer)


def _of_carried(carried: Carried) -> Segment:
    initial = np.full(carried.size, carried.padding, np.float32)
    return Segment(carried.name, "carried", carried.shape, initial, carried)
