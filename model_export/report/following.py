"""What units follow on held-out data."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.report.section import Section
from service.analysis.following import LEAST, Following, units_that_follow
from service.analysis.markings import markings_of
from service.bundle.manifest import Manifest
from service.engine.engine import Engine

_MOST = 12
"""Rows that are shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """Ready for the page."""

    marking: str
    by: str
    halves: str


def following_sections(engine: Engine, sample: NDArray[Any]) -> Sequence[Section]:
    """For a sample [T, F] or [T] of characters or values; none for items."""
    markings = markings_of(engine.manifest.input, sample)
    if not markings:
        return ()
    state = engine.initial_states(1)
    _, states = engine.sequence(sample[np.newaxis], state)
    gates = engine.gates_of(sample, state[0], states[0])
    tensors = dict(zip(gates.names, gates.tensors, strict=True))
    rows = [_row(one, engine.manifest) for one in units_that_follow(tensors, markings)]
    content = {
        "rows": rows[:_MOST],
        "left_out": max(0, len(rows) - _MOST),
        "steps": len(sample),
        "least": LEAST,
    }
    return (Section("following.html", content),)


def _row(following: Following, manifest: Manifest) -> Row:
    at, layer = next(
        (at, one) for at, one in enumerate(manifest.layers) if following.unit < one.span.stop
    )
    by = f"{following.tensor} of unit {following.unit - layer.span.start}"
    if len(manifest.layers) > 1:
        by += f" of layer {at}"
    halves = f"{following.found:.2f}, {following.confirmed:.2f}".replace("-", "−")
    return Row(following.marking, by, halves)
