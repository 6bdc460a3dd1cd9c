"""The results as Markdown and CSV."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from model_export.compare.cells import LABELS
from model_export.compare.outcomes import Outcome, Spread, outcome_of, relative_gradients
from model_export.compare.problem import ProblemName, Traits
from model_export.compare.problems import problem_of
from model_export.compare.runs import Run
from model_export.compare.study import SIZINGS, Sizing, Study

TITLES: dict[ProblemName, str] = {
    "adding": "Adding problem",
    "copy": "Copy memory",
    "co2": "Weekly CO₂, one week ahead",
}
SIZED: dict[Sizing, str] = {"hidden": "equal hidden size", "parameters": "equal parameters"}

_LAGS = (1, 5, 10, 25, 50, 100, 200)


def write_csv(study: Study, path: Path) -> None:
    """A row for each finished run."""
    rows = [_row(run, purpose) for run, purpose in study.runs()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _row(run: Run, purpose: str) -> dict[str, object]:
    far = relative_gradients([run], trained=False)[0, -1]
    far_trained = relative_gradients([run], trained=True)[0, -1]
    return {
        "purpose": purpose,
        **run.spec.model_dump(exclude={"code"}),
        "parameters": run.parameters,
        "solved_at": "" if run.solved_at is None else run.solved_at,
        "diverged": run.diverged,
        "validation_error": f"{run.lowest:.6g}",
        "test_error": f"{run.test_error:.6g}",
        "step_milliseconds": f"{1000 * run.step_seconds:.2f}",
        "first_state_gradient_at_start": f"{far:.4g}",
        "first_state_gradient_when_trained": f"{far_trained:.4g}",
    }


def markdown(study: Study) -> str:
    """A section for each problem: one table for each sizing, then one of gradients."""
    return "\n".join(line for name in study.plan.lengths for line in _section(study, name))


def _section(study: Study, name: ProblemName) -> Iterator[str]:
    traits = problem_of(name, study.plan.lengths[name][0]).traits
    yield from (f"## {TITLES[name]}", "", _explained(traits), "")
    for sizing in SIZINGS:
        outcomes = [
            outcome
            for length in study.plan.lengths[name]
            for contestant in study.contestants(name, length, sizing)
            if (outcome := outcome_of(study, contestant)) is not None
        ]
        yield from (f"### {TITLES[name]}: {SIZED[sizing]}", "")
        yield from _table(_OUTCOME_HEADER, (_outcome_cells(outcome) for outcome in outcomes))
    yield from _gradient_tables(study, name)


def _explained(traits: Traits) -> str:
    baselines = "; ".join(f"{name}: {error:.3g}" for name, error in traits.baselines.items())
    line = f"The error is the {traits.error_name}. Without training: {baselines}."
    if traits.solved_below is None:
        return line
    return f"{line} Solved: below {traits.solved_below:g} on held-out sequences."


_OUTCOME_HEADER = (
    "length",
    "cell",
    "hidden size",
    "parameters",
    "learning rate",
    "solved",
    "steps until solved",
    "test error",
    "ms a step",
)


def _outcome_cells(outcome: Outcome) -> Sequence[str]:
    contestant = outcome.contestant
    threshold = problem_of(contestant.problem, contestant.length).traits.solved_below
    return (
        f"{contestant.length}",
        LABELS[contestant.cell],
        f"{contestant.hidden_size}",
        f"{outcome.parameters}",
        f"{outcome.learning_rate:g}",
        f"{outcome.solved} of {outcome.seeds}" if threshold is not None else "–",
        _spread(outcome.solved_at, ".0f") if outcome.solved_at else "–",
        _spread(outcome.test_error, ".3g"),
        f"{1000 * outcome.step_seconds:.1f}",
    )


def _gradient_tables(study: Study, name: ProblemName) -> Iterator[str]:
    longest = max(study.plan.lengths[name])
    contestants = study.contestants(name, longest, "hidden")
    found = [(each.cell, runs) for each in contestants if (runs := study.finished(each))]
    if not found:
        return
    steps = len(found[0][1][0].gradients_at_start)
    lags = [lag for lag in _LAGS if lag < steps - 1]
    header = ("cell", "", *(f"lag {lag}" for lag in lags), f"lag {steps - 1}")
    rows = []
    for cell, runs in found:
        for trained in (False, True):
            middle = np.median(relative_gradients(runs, trained=trained), axis=0)
            figures = (f"{middle[lag]:.2g}" for lag in (*lags, steps - 1))
            rows.append((LABELS[cell], "trained" if trained else "at start", *figures))
    yield from (f"### {TITLES[name]}: how far a gradient reaches, length {longest}", "")
    yield "Gradient norm at a lag, divided by that at lag 0; the median over seeds."
    yield ""
    yield from _table(header, rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def _spread(spread: Spread, form: str) -> str:
    middle, low, high = (
        format(value, form) for value in (spread.median, spread.lowest, spread.highest)
    )
    return middle if low == high else f"{middle} ({low} to {high})"
