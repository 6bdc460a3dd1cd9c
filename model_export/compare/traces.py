"""What the gates of a trained GRU do, found by computation.

A unit is always chosen on the validation part and measured on the test part: the best of many units
looks good on the part that it was chosen on even where there is nothing to find.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.compare.cells import Recurrent
from model_export.compare.frozen import error_when_frozen
from model_export.compare.problem import Part
from model_export.compare.problems import problem_of
from model_export.compare.runs import RunSpec
from model_export.compare.series import SEASON, Series
from model_export.compare.training import held_out_error
from model_export.model.gates import layer_gates
from model_export.model.layer import GRULayer

Array = NDArray[np.float64]

SEQUENCES = 256
"""Held-out sequences that gates are looked at on."""


@dataclass(frozen=True, slots=True)
class Gates:
    """[T, B, H] each: the gates, and the hidden state after each step."""

    reset: Array
    update: Array
    candidate: Array
    hidden: Array


@dataclass(frozen=True, slots=True)
class GateErrors:
    """Test errors: as trained, and with one gate of every unit held at its mean."""

    trained: float
    reset_frozen: float
    update_frozen: float


@dataclass(frozen=True, slots=True)
class AtMarkers:
    """Mean of a gate at marked steps and at the others."""

    marked: float
    elsewhere: float


@dataclass(frozen=True, slots=True)
class AddingTrace:
    """What a GRU does with the adding problem, on test sequences.

    `following_unit` follows the running sum of the marked numbers best, with `correlation` over
    all sequences and steps; `explained` is the share of that sum's variance which all units
    together explain in a linear regression. `opening_unit` is the one whose update gate opens
    most at a marked step. `most_kept` is the mean share of its state that `keeping_unit`, the
    best at that, keeps from one marker to the next. `gates`, `inputs` [T, 2], `running_sum` [T]
    and `decoded` [T], what the regression makes of all units, are those of one sequence.
    """

    run: RunSpec
    following_unit: int
    correlation: float
    explained: float
    opening_unit: int
    opening_update: AtMarkers
    mean_update: AtMarkers
    mean_reset: AtMarkers
    opening_units: int
    keeping_unit: int
    most_kept: float
    errors: GateErrors
    inputs: Array
    running_sum: Array
    decoded: Array
    gates: Gates


@dataclass(frozen=True, slots=True)
class ResetTrace:
    """What the reset gate of a GRU goes by on the series, on its test part.

    `season_unit` is the unit whose reset gate follows the season best: `season_explained` is the
    share of its variance that the yearly wave and its first overtone explain, `lowest_week` and
    `highest_week` the weeks after the series' first change, of 52, where that wave is lowest and
    highest. `step_unit` is the unit whose reset gate follows the size of the last weekly change
    best, with `step_correlation`; `reset_at_big` and `reset_elsewhere` are its means at the tenth
    of steps with the biggest changes and at the others.
    """

    run: RunSpec
    season_unit: int
    season_explained: float
    lowest_week: int
    highest_week: int
    lowest_reset: float
    highest_reset: float
    step_unit: int
    step_correlation: float
    reset_at_big: float
    reset_elsewhere: float
    errors: GateErrors
    changes: Array
    gates: Gates


@torch.no_grad()
def gates_over(network: Recurrent, inputs: torch.Tensor) -> Gates:
    """The gates of a GRU over inputs [T, B, I], from a state of zeros."""
    layer = network.layer
    assert isinstance(layer, GRULayer)
    start = network.initial_state(inputs.shape[1])
    hidden, _ = network.advance(inputs, start)
    before = torch.cat([start.unsqueeze(0), hidden[:-1]])
    reset, update, candidate = layer_gates(layer, inputs, before)
    return Gates(*(gate.double().numpy() for gate in (reset, update, candidate, hidden)))


def trace_adding(network: Recurrent, run: RunSpec) -> AddingTrace:
    """Of a GRU that was trained on the adding problem, at a length of 3 or more."""
    seen, seen_sum, seen_gates = _adding_part(network, run, "validation")
    inputs, running_sum, gates = _adding_part(network, run, "test")
    following = int(np.argmax(np.abs(_correlations(seen_gates.hidden, seen_sum))))
    opening = int(np.argmax(_opening(seen_gates.update, seen)))
    keeping = int(np.argmax(_kept_between(seen_gates.update, seen)))
    weights, *_ = np.linalg.lstsq(_with_one(seen_gates.hidden), seen_sum.ravel(), rcond=None)
    decoded = (_with_one(gates.hidden) @ weights).reshape(running_sum.shape)
    return AddingTrace(
        run=run,
        following_unit=following,
        correlation=float(_correlations(gates.hidden, running_sum)[following]),
        explained=float(1 - (running_sum - decoded).var() / running_sum.var()),
        opening_unit=opening,
        opening_update=_at_markers(gates.update[..., [opening]], inputs),
        mean_update=_at_markers(gates.update, inputs),
        mean_reset=_at_markers(gates.reset, inputs),
        opening_units=int((_opening(gates.update, inputs) > 0).sum()),
        keeping_unit=keeping,
        most_kept=float(_kept_between(gates.update, inputs)[keeping]),
        errors=_gate_errors(network, run),
        inputs=inputs[:, 0],
        running_sum=running_sum[:, 0],
        decoded=decoded[:, 0],
        gates=Gates(*(gate[:, :1] for gate in _parts(gates))),
    )


def trace_resets(network: Recurrent, run: RunSpec) -> ResetTrace:
    """Of a GRU that was trained on the weekly series."""
    series = Series(run.length)
    early, late = _answering_steps(series, "validation"), _answering_steps(series, "test")
    gates = gates_over(network, series.held_out("test").inputs)
    changes = series.changes.double().numpy()
    reset = gates.reset[:, 0]
    season_unit = int(np.argmax(_season_fit(reset[early], early)[0]))
    step_unit = int(np.argmax(np.abs(_correlations(reset[early], np.abs(changes[early])))))
    explained, wave = _season_fit(reset[late], late)
    sizes = np.abs(changes[late])
    big = sizes >= np.quantile(sizes, 0.9)
    return ResetTrace(
        run=run,
        season_unit=season_unit,
        season_explained=float(explained[season_unit]),
        lowest_week=int(np.argmin(wave[:, season_unit])),
        highest_week=int(np.argmax(wave[:, season_unit])),
        lowest_reset=float(wave[:, season_unit].min()),
        highest_reset=float(wave[:, season_unit].max()),
        step_unit=step_unit,
        step_correlation=float(_correlations(reset[late], sizes)[step_unit]),
        reset_at_big=float(reset[late][big, step_unit].mean()),
        reset_elsewhere=float(reset[late][~big, step_unit].mean()),
        errors=_gate_errors(network, run),
        changes=changes[late],
        gates=Gates(*(gate[late] for gate in _parts(gates))),
    )


def _answering_steps(series: Series, part: Part) -> NDArray[np.int64]:
    """Step t reads change t and answers change t + 1; these are the steps within a part."""
    start, end = series.span(part)
    return np.arange(start, end - 1)


def _parts(gates: Gates) -> tuple[Array, Array, Array, Array]:
    return gates.reset, gates.update, gates.candidate, gates.hidden


def _adding_part(network: Recurrent, run: RunSpec, part: Part) -> tuple[Array, Array, Gates]:
    """Inputs [T, B, 2], the running sum of marked numbers [T, B], and the gates."""
    inputs = problem_of(run.problem, run.length).held_out(part).inputs[:, :SEQUENCES]
    array = inputs.double().numpy()
    return array, array.prod(-1).cumsum(0), gates_over(network, inputs)


def _correlations(units: Array, target: Array) -> Array:
    """[H]: of each of units [..., H] with target [...]; 0 for a unit that never moves."""
    centred = units - units.mean(tuple(range(target.ndim)))
    other = target - target.mean()
    flat = centred.reshape(-1, units.shape[-1])
    size = np.sqrt(np.square(flat).sum(0) * np.square(other).sum())
    product = flat.T @ other.ravel()
    correlations: Array = np.divide(product, size, out=np.zeros_like(product), where=size > 0)
    return correlations


def _with_one(units: Array) -> Array:
    flat = units.reshape(-1, units.shape[-1])
    return np.column_stack([flat, np.ones(len(flat))])


def _at_markers(gate: Array, inputs: Array) -> AtMarkers:
    """Of a gate [T, B, U] on inputs [T, B, 2]."""
    marked = inputs[..., 1] > 0
    return AtMarkers(float(gate[marked].mean()), float(gate[~marked].mean()))


def _opening(update: Array, inputs: Array) -> Array:
    """[H]: how much more each unit writes at a marked step than at the others."""
    marked = inputs[..., 1] > 0
    opening: Array = update[marked].mean(0) - update[~marked].mean(0)
    return opening


def _kept_between(update: Array, inputs: Array) -> Array:
    """[H]: mean over sequences of the product of 1 − update over the steps between the markers."""
    marked = inputs[..., 1] > 0
    between = (marked.cumsum(0) == 1) & ~marked
    kept: Array = np.where(between[..., None], 1 - update, 1.0).prod(0).mean(0)
    return kept


def _gate_errors(network: Recurrent, run: RunSpec) -> GateErrors:
    problem = problem_of(run.problem, run.length)
    return GateErrors(
        held_out_error(network, problem, "test"),
        error_when_frozen(network, problem, "reset"),
        error_when_frozen(network, problem, "update"),
    )


def _season_fit(reset: Array, weeks: NDArray[np.int64]) -> tuple[Array, Array]:
    """Share of variance explained [H], and the fitted wave over a year [52, H]."""
    weights, *_ = np.linalg.lstsq(_waves(weeks), reset, rcond=None)
    residual = reset - _waves(weeks) @ weights
    spread = reset.var(0)
    left = np.divide(residual.var(0), spread, out=np.ones_like(spread), where=spread > 0)
    return 1 - left, _waves(np.arange(SEASON)) @ weights


def _waves(weeks: NDArray[np.int64]) -> Array:
    """[N, 5]: one, and sine and cosine of one and of two periods in a year of 365.25 / 7 weeks."""
    angle = 2 * np.pi * weeks[:, None] / (365.25 / 7)
    return np.column_stack(
        [np.ones(len(weeks)), np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)]
    )
