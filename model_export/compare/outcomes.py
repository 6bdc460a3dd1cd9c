"""What the seeds of one contestant have in common, and how far they are apart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.compare.runs import Run
from model_export.compare.study import Contestant, Study


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest over seeds."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Of at least one value."""
        found = np.array(list(values))
        return cls(float(np.median(found)), float(found.min()), float(found.max()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`solved_at` is over the seeds that solved the problem, None where none did."""

    contestant: Contestant
    learning_rate: float
    parameters: int
    seeds: int
    solved: int
    solved_at: Spread | None
    test_error: Spread
    step_seconds: float


def outcome_of(study: Study, contestant: Contestant) -> Outcome | None:
    """None where no run of it is done yet."""
    runs = study.finished(contestant)
    if not runs:
        return None
    solved = [run.solved_at for run in runs if run.solved_at is not None]
    return Outcome(
        contestant=contestant,
        learning_rate=runs[0].spec.learning_rate,
        parameters=runs[0].parameters,
        seeds=len(runs),
        solved=len(solved),
        solved_at=Spread.of(solved) if solved else None,
        test_error=Spread.of(run.test_error for run in runs),
        step_seconds=float(np.median([run.step_seconds for run in runs])),
    )


def relative_gradients(runs: Sequence[Run], *, trained: bool) -> NDArray[np.float64]:
    """[seeds, T]: the gradient norm at each lag, divided by the one at lag 0."""
    norms = np.array(
        [run.gradients_when_trained if trained else run.gradients_at_start for run in runs]
    )
    relative: NDArray[np.float64] = norms / np.maximum(norms[:, :1], np.finfo(np.float64).tiny)
    return relative


def errors_by_step(runs: Sequence[Run]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Steps [E] and validation errors [seeds, E]; a run that ended keeps its last error."""
    steps = np.array(sorted({step for run in runs for step, _ in run.curve}), dtype=np.int64)
    errors = np.full((len(runs), len(steps)), np.nan)
    for row, run in zip(errors, runs, strict=True):
        for step, error in run.curve:
            row[steps >= step] = error
    return steps, errors
