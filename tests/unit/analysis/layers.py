"""Layers with random weights, and what they do step by step: the equations, written anew."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.analysis.cell import Cell
from service.analysis.recorded import Recorded
from service.bundle.manifest import Activation, Reset

Array = NDArray[np.float64]

ACTIVATIONS: dict[str, tuple[Activation, Callable[[float], float]]] = {
    name: (Activation(name=name, alpha=alpha, beta=beta), function)
    for name, alpha, beta, function in (
        ("Relu", None, None, lambda a: max(a, 0.0)),
        ("Tanh", None, None, math.tanh),
        ("Sigmoid", None, None, lambda a: math.exp(min(a, 0)) / (1 + math.exp(-abs(a)))),
        ("Affine", 0.3, 0.4, lambda a: 0.3 * a + 0.4),
        ("LeakyRelu", 0.1, None, lambda a: a if a >= 0 else 0.1 * a),
        ("ThresholdedRelu", 0.2, None, lambda a: a if a > 0.2 else 0.0),
        ("ScaledTanh", 1.5, 0.7, lambda a: 1.5 * math.tanh(0.7 * a)),
        ("HardSigmoid", 0.25, 0.5, lambda a: min(1.0, max(0.0, 0.25 * a + 0.5))),
        ("Elu", 0.8, None, lambda a: a if a >= 0 else 0.8 * (math.exp(a) - 1)),
        ("Softsign", None, None, lambda a: a / (1 + abs(a))),
        ("Softplus", None, None, lambda a: math.log(1 + math.exp(a))),
    )
}
BOUNDED = ("HardSigmoid", "ScaledTanh", "Sigmoid", "Softsign", "Tanh")
KEEPING = ("HardSigmoid", "Sigmoid")
"""Gates between 0 and 1, which let no state grow."""


def made_cell(
    seed: int,
    *,
    H: int = 3,
    inputs: int = 2,
    reset: Reset = "after",
    keeps: bool = False,
    gate: str = "Sigmoid",
    candidate: str = "Tanh",
    clip: float = math.inf,
    lanes: int = 1,
    index: int = 0,
    spread: float = 0.8,
) -> Cell:
    random = np.random.default_rng(seed)
    shapes = ((3, H, inputs), (3, H, H), (3, H), H)
    W, U, b, c = (random.normal(0, spread, shape) for shape in shapes)
    return Cell(
        index=index,
        W=W,
        U=U,
        b=b,
        c=c if reset == "after" else np.zeros(H),
        reset=reset,
        keeps=keeps,
        gate_activation=ACTIVATIONS[gate][0],
        candidate_activation=ACTIVATIONS[candidate][0],
        clip=clip,
        lanes=lanes,
    )


@st.composite
def cells(draw: st.DrawFn, /, gates: Sequence[str] = tuple(sorted(ACTIVATIONS))) -> Cell:
    """Any layer of 1 to 6 units. What could grow without bounds is clipped."""
    gate, candidate = draw(st.sampled_from(gates)), draw(st.sampled_from(sorted(ACTIVATIONS)))
    is_bounded = gate in KEEPING and candidate in BOUNDED
    return made_cell(
        draw(st.integers(0, 2**32 - 1)),
        lanes=draw(st.integers(1, 2)),
        H=draw(st.integers(1, 3)),
        inputs=draw(st.integers(1, 3)),
        gate=gate,
        candidate=candidate,
        reset=draw(st.sampled_from(["before", "after"])),
        keeps=draw(st.booleans()),
        clip=draw(st.sampled_from([math.inf, 1.0])) if is_bounded else 1.0,
        spread=0.5,
    )


def ran(
    cell: Cell, x: Array, h: Array, touch: Mapping[tuple[int, str, int], tuple[float, float]] = {}
) -> dict[str, Array]:
    """Every tensor by name, for inputs x [T, lanes · I] from the state h [U]. `touch` gives a mask
    and a value for a step, a gate and a unit."""
    rows = []
    for t, x_t in enumerate(x):
        touched = {key[1:]: both for key, both in touch.items() if key[0] == t}
        rows.append(_step(cell, touched, x_t, h, is_touched=bool(touch)))
        h = rows[-1]["hidden"]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _step(
    cell: Cell, touch: Mapping[Any, Any], x: Array, h: Array, *, is_touched: bool
) -> dict[str, Array]:
    H, inputs = cell.W.shape[1:]
    found: dict[str, list[Array]] = {}
    for lane in range(cell.lanes):
        part = _lane(
            cell, lane, touch, x[lane * inputs : (lane + 1) * inputs], h[lane * H : (lane + 1) * H]
        )
        for name, values in part.items():
            found.setdefault(name, []).append(values)
    names = [name for name in found if is_touched or not name.endswith("_mask")]
    shown = {name: np.concatenate(found[name]) for name in names}
    return shown | {"layer_input": x, "before": h}


def _lane(cell: Cell, lane: int, touch: Mapping[Any, Any], x: Array, h: Array) -> dict[str, Array]:
    f, g = (ACTIVATIONS[one.name][1] for one in (cell.gate_activation, cell.candidate_activation))
    H = len(h)
    masks = {}

    def touched(name: str, gate: Array) -> Array:
        both = [touch.get((name, lane * H + u), (0.0, 0.0)) for u in range(H)]
        mask, value = np.array(both).T
        masks[f"{name}_mask"] = mask
        return np.asarray(mask * value + (1 - mask) * gate)

    def clipped(a: Array) -> Array:
        return np.asarray(np.minimum(np.maximum(a, -cell.clip), cell.clip))

    reset_pre = clipped(cell.W[0] @ x + cell.U[0] @ h + cell.b[0])
    update_pre = clipped(cell.W[1] @ x + cell.U[1] @ h + cell.b[1])
    r = touched("reset", np.array([f(a) for a in reset_pre]))
    z = np.array([f(a) for a in update_pre])
    z = touched("update", 1 - z if cell.keeps else z)
    given = cell.W[2] @ x + cell.b[2]
    history = cell.U[2] @ (r * h) if cell.reset == "before" else r * (cell.U[2] @ h + cell.c)
    candidate_pre = clipped(given + history)
    n = touched("candidate", np.array([g(a) for a in candidate_pre]))
    return {
        "reset": r,
        "update": z,
        "candidate": n,
        "hidden": (1 - z) * h + z * n,
        "reset_pre": reset_pre,
        "update_pre": update_pre,
        "candidate_pre": candidate_pre,
        "candidate_input": given,
        "candidate_history": history,
        **masks,
    }


def made_run(cell: Cell, steps: int, seed: int = 0, begin: int = 0) -> Recorded:
    """Of random inputs and a random state."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(steps, cell.input_width))
    return Recorded(cell.index, ran(cell, x, random.normal(size=cell.width) / 2), begin)


def sliced(recorded: Recorded, size: int) -> list[Recorded]:
    """Of `size` steps each, in their order."""
    return [
        Recorded(
            recorded.index,
            {name: values[at : at + size] for name, values in recorded.tensors.items()},
            recorded.begin + at,
            recorded.carried,
        )
        for at in range(0, recorded.steps, size)
    ]


def waiting(recorded: Recorded, steps: int) -> Recorded:
    """NaN at the first steps, as long as a window is not full."""
    blank = {}
    for name, values in recorded.tensors.items():
        blank[name] = values.copy()
        blank[name][:steps] = np.nan
    return Recorded(recorded.index, blank, recorded.begin, recorded.carried)


def pieces(values: NDArray[Any], size: int) -> Sequence[NDArray[Any]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
