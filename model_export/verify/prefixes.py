"""A session against the original, on every prefix of several sequences.

Step and sequence graph may carry the same error; the original cannot.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.original import Arrays
from model_export.rewrite.facts import Source
from model_export.rewrite.graphs import Graphs
from model_export.verify.asked import Asked, Rows
from model_export.verify.check import Check
from service.engine.golden import TOLERANCE, deviation, scale_of

_MARGIN = 4.0
"""Of what the original may be off float64 over what the service is."""
_EVERY_PREFIX = 64
_LARGEST_NOISE = 1e-3
"""Of the scale of a column: beyond it, a difference says nothing any more."""


@dataclass(frozen=True, slots=True)
class Run:
    """A free run over rows: outputs [B, T, O] and the states [B, T, S], in float64."""

    output: NDArray[np.float64]
    states: NDArray[np.float64]


def against_original(
    asked: Asked,
    graphs: Graphs,
    run: Run,
    given: tuple[Rows, Arrays],
    *,
    noise: float,
    fewest: int,
) -> Iterator[Check]:
    """`run` is of the `given` rows and constants; `noise` is how far float32 was off it. Shorter
    sequences than the `fewest` steps the original does not take."""
    rows, constants = given
    allowed = min(max(TOLERANCE, _MARGIN * noise), _LARGEST_NOISE)
    scale = scale_of(run.output)
    if asked.roles.takes_single_steps:
        expected = asked.step_by_step(rows, constants)
        yield Check(
            "a session against the original, step by step",
            deviation(run.output, expected, scale),
            allowed,
        )
        return
    fixed = asked.roles.fixed.time
    lengths = _lengths(fewest, rows.shape[1]) if fixed is None else [fixed]
    for length in lengths:
        answer = asked.whole(rows[:, :length], constants)
        found, expected = _of_prefix(graphs, run, answer, length)
        if found.size:
            name = f"a session against the original, the first {length} steps"
            yield Check(name, deviation(found, expected, scale), allowed)
    alone, expected = _of_prefix(graphs, run, asked.alone(rows, constants), rows.shape[1])
    name = "a session against the original, each sequence by itself"
    yield Check(name, deviation(alone, expected, scale), allowed)


def _lengths(fewest: int, longest: int) -> Sequence[int]:
    """Every prefix; of a long sequence, which looks far back, every one at first and then some."""
    every = fewest + _EVERY_PREFIX
    if longest <= every + _EVERY_PREFIX:
        return range(fewest, longest + 1)
    some = np.linspace(every, longest, _EVERY_PREFIX).astype(int)
    return [*range(fewest, every), *some.tolist()]


def against_windows(
    asked: Asked, run: Run, rows: Rows, window: int, noise: float
) -> Iterator[Check]:
    """Every answer of a session against the original on its last inputs alone."""
    allowed = min(max(TOLERANCE, _MARGIN * noise), _LARGEST_NOISE)
    scale = scale_of(run.output)
    for end in range(window, rows.shape[1] + 1):
        answer = asked.whole(rows[:, end - window : end], {})
        expected = answer[:, -1] if answer.ndim == 3 else answer
        off = deviation(run.output[:, end - 1], expected, scale)
        yield Check(
            f"a session against the original, steps {end - window + 1} to {end}", off, allowed
        )


def _of_prefix(
    graphs: Graphs, run: Run, answer: NDArray[np.float64], length: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a session said by then, and what the original says that does not change any more."""
    fact = graphs.output
    if fact.source is Source.LAST:
        return run.output[:, length - 1], answer
    final = max(0, answer.shape[1] - graphs.looks_ahead)
    return run.output[:, fact.late : fact.late + final], answer[:, :final]
