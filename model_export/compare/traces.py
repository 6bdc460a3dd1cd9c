"""What the gates of a trained GRU do, found by computation.

A unit is always chosen on the validation part and measured on the test part: the best of many units
looks good on the part that it was chosen on even where there is nothing to find.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.compare.cells import Recurrent
from model_export.compare.problem import Part
from model_export.compare.problems import problem_of
from model_export.compare.runs import RunSpec
from model_export.compare.series import SEASON, Series
from model_export.model.gates import layer_gates
from model_export.model.layer import GRULayer

Array = NDArray[np.float64]

_SEQUENCES = 256


@dataclass(frozen=True, slots=True)
class Gates:
    """[T, B, H] each: the gates, and the hidden state after each step."""

    reset: Array
    update: Array
    candidate: Array
    hidden: Array


@dataclass(frozen=True, slots=True)
class AddingTrace:
    """What a GRU does with the adding problem, on test sequences.

    `unit` is the hidden unit that follows the running sum of the marked numbers best, with
    `correlation` over all sequences and steps; `explained` is the share of that sum's variance
    which all units together give in a linear regression. Updates and resets are means, of `unit`
    and over all units, at marked steps and at the others; `kept` is the mean share of its state
    that `unit` keeps from one marker to the next.
    """

    run: RunSpec
    unit: int
    correlation: float
    explained: float
    update_marked: float
    update_elsewhere: float
    all_update_marked: float
    all_update_elsewhere: float
    reset_marked: float
    reset_elsewhere: float
    kept: float
    opening_units: int
    inputs: Array
    running_sum: Array
    gates: Gates


@dataclass(frozen=True, slots=True)
class ResetTrace:
    """What the reset gate of a GRU goes by on the series, on its test part.

    `season_unit` is the unit whose reset gate follows the season best: `season_explained` is the
    share of its variance that the yearly wave and its first overtone explain, `lowest_week` and
    `highest_week` the weeks after the series' first, of 52, where that wave is lowest and highest.
    `step_unit` is the unit whose reset gate follows the size of the last weekly change best, with
    `step_correlation`; `reset_at_big` and `reset_elsewhere` are its means at the tenth of steps
    with the biggest changes and at the others.
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
    """Of a GRU that was trained on the adding problem."""
    _, sum_before, gates_before = _adding_part(network, run, "validation")
    inputs, running_sum, gates = _adding_part(network, run, "test")
    unit = int(np.argmax(np.abs(_correlations(gates_before.hidden, sum_before))))
    marked = inputs[..., 1] > 0
    opens = gates.update[marked].mean(0) - gates.update[~marked].mean(0)
    return AddingTrace(
        run=run,
        unit=unit,
        correlation=float(_correlations(gates.hidden, running_sum)[unit]),
        explained=_explained_elsewhere(gates_before.hidden, sum_before, gates.hidden, running_sum),
        update_marked=float(gates.update[marked][:, unit].mean()),
        update_elsewhere=float(gates.update[~marked][:, unit].mean()),
        all_update_marked=float(gates.update[marked].mean()),
        all_update_elsewhere=float(gates.update[~marked].mean()),
        reset_marked=float(gates.reset[marked][:, unit].mean()),
        reset_elsewhere=float(gates.reset[~marked][:, unit].mean()),
        kept=_kept_between(gates.update[..., unit], marked),
        opening_units=int((opens > 0).sum()),
        inputs=inputs[:, 0],
        running_sum=running_sum[:, 0],
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
    inputs = problem_of(run.problem, run.length).held_out(part).inputs[:, :_SEQUENCES]
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


def _explained_elsewhere(units: Array, target: Array, new_units: Array, new_target: Array) -> float:
    """R² on new sequences of the linear regression of target on all units."""
    weights, *_ = np.linalg.lstsq(_with_one(units), target.ravel(), rcond=None)
    residual = new_target.ravel() - _with_one(new_units) @ weights
    return float(1 - residual.var() / new_target.var())


def _with_one(units: Array) -> Array:
    flat = units.reshape(-1, units.shape[-1])
    return np.column_stack([flat, np.ones(len(flat))])


def _kept_between(update: Array, marked: NDArray[np.bool_]) -> float:
    """Mean over sequences of the product of 1 − update between the markers, of [T, B] each."""
    past_first = marked.cumsum(0) == 1
    between = past_first & ~marked
    return float(np.where(between, 1 - update, 1.0).prod(0).mean())


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
