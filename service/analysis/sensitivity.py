"""Which earlier inputs and states an output depends on, through everything: one backward sweep."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from service.analysis.activations import Float64
from service.analysis.cell import CANDIDATE, RESET, UPDATE, Cell
from service.analysis.keep import keep, write
from service.analysis.recorded import LAYER_INPUT, Recorded, require_carried
from service.errors import InvalidInput
from service.records import record

LEAST = 1e-9
"""Of the gradient's size at the beginning, below which older steps are not looked at."""


@record
class Sensitivity:
    """∂output/∂x_s [n, lanes · I] for what the first layer was given at the n steps from `begin` to
    `step`, and for every layer ∂output/∂h before each of these steps, [n, U] each.

    `reaches_start` says that `begin` is the first step there is; else `depth` was reached, or the
    gradient had vanished.
    """

    step: int
    begin: int
    inputs: Float64
    states: tuple[Float64, ...]
    reaches_start: bool


def sensitivity(
    slices: Iterable[Sequence[Recorded]],
    cells: Sequence[Cell],
    step: int,
    gradients: Sequence[NDArray[np.floating]],
    *,
    depth: int,
    least: float = LEAST,
) -> Sensitivity:
    """Backpropagation through time over recorded gates, from `gradients`: ∂output/∂h of each layer
    [U] after `step`.

    Each slice has all layers for the same steps, the first layer first, and each layer is given the
    hidden state of the one below as it is. Slices come newest first, each ending where the one
    before begins; no more are taken once `depth` steps are done, or less than `least` of the
    gradient is left. Steps after `step` are ignored. One step is J in the notation of
    docs/architecture.md:

        ∂h/∂h₋ = diag(k) + diag(w) D + diag((n − h₋) · f′) U_z
        D = diag(n′) U_n (diag(r) + diag(h₋ · r′) U_r)                     reset "before"
        D = diag(n′) (diag(r) U_n + diag((U_n h₋ + c) · r′) U_r)           reset "after"

    with the derivatives of the layer's own activations, 0 where its clip bites or where the gate
    was set from outside.

    Raises InvalidInput for a step that was not recorded and a depth of no step, where a layer lacks
    a gate or hands nothing on, and where a layer cannot have been given the one below.
    """
    if depth < 1:
        raise InvalidInput.at(("depth",), "at least one step has to be looked at", "query")
    flowing = [gradient.astype(np.float64) for gradient in gradients]
    _check(cells, flowing)
    start, begin, is_over = _size(flowing), step + 1, False
    inputs: list[Float64] = []
    states: list[list[Float64]] = []
    for layers in _ending_at(slices, step):
        cut = [_last(one, depth - (step + 1 - begin)) for one in layers]
        to_input, to_states = _swept(cut, cells, flowing)
        taken, is_over = _taken(to_states, least * start)
        inputs.append(to_input[::-1][:taken])
        states.append([one[::-1][:taken] for one in to_states])
        flowing = [one[-taken] for one in to_states]
        begin = cut[0].end - taken
        is_over = is_over or step + 1 - begin >= depth
        if is_over or begin > layers[0].begin:
            break
    if begin > step:
        raise InvalidInput.at(("step",), f"there are no gates of step {step}", "query")
    by_layer = tuple(np.concatenate(one)[::-1] for one in zip(*states, strict=True))
    return Sensitivity(step, begin, np.concatenate(inputs)[::-1], by_layer, not is_over)


def is_stack(layers: Sequence[Recorded], tolerance: float = 1e-5) -> bool:
    """Whether each layer was given the hidden state of the one below as it is, at these steps.

    Other operators between two layers may happen to change nothing at a few steps.
    """
    for below, above in pairwise(layers):
        hidden, given = below.tensor("hidden"), above.tensor(LAYER_INPUT)
        if hidden.shape != given.shape:
            return False
        if not np.allclose(hidden, given, rtol=tolerance, atol=tolerance, equal_nan=True):
            return False
    return True


def _check(cells: Sequence[Cell], gradients: Sequence[Float64]) -> None:
    for cell, gradient in zip(cells, gradients, strict=True):
        if gradient.shape != (cell.width,):
            raise ValueError(f"layer {cell.index}: gradient {gradient.shape}, not ({cell.width},)")
    for below, above in pairwise(cells):
        if below.width != above.input_width:
            message = (
                f"layer {above.index} takes {above.input_width} numbers and layer {below.index} "
                f"has {below.width} units, so other operators stand between them; ask for the "
                "influence by perturbation"
            )
            raise InvalidInput.at(("method",), message, "query")


def _ending_at(slices: Iterable[Sequence[Recorded]], step: int) -> Iterable[list[Recorded]]:
    end = step + 1
    for layers in slices:
        cut = [one.until(end) for one in layers]
        if not cut[0].steps:
            continue
        if cut[0].end != end:
            raise InvalidInput.at(("step",), f"step {end - 1} was not recorded", "query")
        yield cut
        end = cut[0].begin


def _last(recorded: Recorded, steps: int) -> Recorded:
    """At most so many of the last steps."""
    dropped = max(0, recorded.steps - steps)
    cut = {name: values[dropped:] for name, values in recorded.tensors.items()}
    return Recorded(recorded.index, cut, recorded.begin + dropped, recorded.carried)


def _swept(
    layers: Sequence[Recorded], cells: Sequence[Cell], flowing: Sequence[Float64]
) -> tuple[Float64, list[Float64]]:
    """The gradients of a slice: of the first layer's input, and of each layer's state before."""
    from_above = np.zeros((layers[0].steps, cells[-1].width))
    states = []
    # Layer by layer: what a layer needs of the one above at a step does not depend on itself.
    for recorded, cell, gradient in zip(layers[::-1], cells[::-1], flowing[::-1], strict=True):
        from_above, before = _Sweep(recorded, cell).run(from_above, gradient)
        states.append(before)
    return from_above, states[::-1]


class _Sweep:
    """Backwards through one layer, for one slice; rows that are NaN stay NaN from there back."""

    def __init__(self, recorded: Recorded, cell: Cell) -> None:
        require_carried(recorded)
        self._cell, self._steps = cell, recorded.steps
        before, reset = recorded.tensor("before"), recorded.tensor("reset")
        self._keep, self._reset = keep(recorded, cell), reset
        self._to_candidate = (
            write(recorded, cell)
            * cell.candidate_slope(recorded.tensor("candidate_pre"))
            * (1 - recorded.mask("candidate"))
        )
        self._to_update = (
            (recorded.tensor("candidate") - before)
            * cell.gate_slope(recorded.tensor("update_pre"))
            * (1 - recorded.mask("update"))
            * (-1 if cell.keeps else 1)
        )
        is_after = cell.reset == "after"
        self._to_reset = (
            (cell.whole_history(before) if is_after else before)
            * cell.gate_slope(recorded.tensor("reset_pre"))
            * (1 - recorded.mask("reset"))
        )
        self._back = self._back_after if is_after else self._back_before
        self._U = np.concatenate([cell.U[RESET], cell.U[UPDATE], cell.U[CANDIDATE]])

    def run(self, from_above: Float64, gradient: Float64) -> tuple[Float64, Float64]:
        """∂output/∂(layer's input) [T, lanes · I] and ∂output/∂(state before) [T, U], from that of
        the hidden state after the last step, [U], and what the layer above adds, [T, U]."""
        lanes, H = self._cell.lanes, self._cell.U.shape[-1]
        summed = np.empty((self._steps, 3, lanes, H))
        states = np.empty((self._steps, lanes * H))
        for t in reversed(range(self._steps)):
            whole = gradient + from_above[t]
            gates, through = self._back(t, whole)
            summed[t] = gates
            gradient = states[t] = whole * self._keep[t] + through.reshape(-1)
        return self._to_input(summed), states

    def _back_after(self, t: int, whole: Float64) -> tuple[Float64, Float64]:
        """∂output/∂(what each gate's activation is applied to) [3, lanes, H], and what goes on to
        the state before through them, [lanes, H]."""
        candidate = whole * self._to_candidate[t]
        reset, update = candidate * self._to_reset[t], whole * self._to_update[t]
        recalled = candidate * self._reset[t]
        through = self._rows(reset, update, recalled) @ self._U
        return self._gates(reset, update, candidate), through

    def _back_before(self, t: int, whole: Float64) -> tuple[Float64, Float64]:
        """The same where the reset gate acts on the state itself."""
        candidate, update = whole * self._to_candidate[t], whole * self._to_update[t]
        recalled = self._rows(candidate) @ self._cell.U[CANDIDATE]
        reset = recalled.reshape(-1) * self._to_reset[t]
        gates = self._rows(reset, update) @ self._U[: 2 * recalled.shape[-1]]
        through = gates + recalled * self._reset[t].reshape(recalled.shape)
        return self._gates(reset, update, candidate), through

    def _rows(self, *gates: Float64) -> Float64:
        """[lanes, n · H]"""
        return np.concatenate([gate.reshape(self._cell.lanes, -1) for gate in gates], axis=1)

    def _gates(self, *gates: Float64) -> Float64:
        return np.stack([gate.reshape(self._cell.lanes, -1) for gate in gates])

    def _to_input(self, summed: Float64) -> Float64:
        W = self._cell.W
        rows = summed.transpose(0, 2, 1, 3).reshape(-1, W.shape[0] * W.shape[1])
        return (rows @ W.reshape(-1, W.shape[-1])).reshape(self._steps, -1)


def _taken(states: Sequence[Float64], least: float) -> tuple[int, bool]:
    """How many of the last steps count, and whether the gradient has vanished before them."""
    sizes = np.sqrt(sum((one**2).sum(axis=1) for one in states))[::-1]
    unknown = np.flatnonzero(np.isnan(sizes))
    known = int(unknown[0]) if len(unknown) else len(sizes)
    vanished = np.flatnonzero(sizes[:known] <= least)
    return (int(vanished[0]) + 1, True) if len(vanished) else (known, False)


def _size(gradients: Sequence[Float64]) -> float:
    return float(np.sqrt(sum((one**2).sum() for one in gradients)))
