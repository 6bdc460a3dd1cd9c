"""The backward sweep against finite differences of the equations, the oracle, and torch."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from service.analysis.cell import Cell
from service.analysis.recorded import Recorded
from service.analysis.sensitivity import is_stack, sensitivity
from service.bundle.manifest import Reset
from service.errors import InvalidInput
from tests.oracle import Layer as OracleLayer
from tests.unit.analysis.layers import Array, made_cell, ran, sliced, waiting

SMOOTH_GATES = ("ScaledTanh", "Sigmoid", "Softsign", "Tanh")
SMOOTH = (*SMOOTH_GATES, "Affine", "Softplus")
"""Without a corner, at which a difference is no derivative."""

Touch = dict[tuple[int, str, int], tuple[float, float]]


def run_stack(
    cells: Sequence[Cell], x: Array, before: Sequence[Array], touch: Sequence[Touch]
) -> list[dict[str, Array]]:
    layers: list[dict[str, Array]] = []
    for cell, h, touched in zip(cells, before, touch, strict=True):
        layers.append(ran(cell, layers[-1]["hidden"] if layers else x, h, touched))
    return layers


def differences(f: Callable[[Array], float], at: Array) -> Array:
    """∂f/∂at by central differences."""
    found = np.zeros_like(at)
    for place in np.ndindex(*at.shape):
        moved = [at.copy(), at.copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        found[place] = (f(moved[0]) - f(moved[1])) / 2e-5
    return found


def by_slices(layers: Sequence[Recorded], size: int) -> list[list[Recorded]]:
    """Newest first."""
    return [list(one) for one in zip(*(sliced(each, size) for each in layers), strict=True)][::-1]


def stack(
    seed: int,
    gates: Sequence[str],
    candidates: Sequence[str],
    *,
    lanes: int = 1,
    reset: Reset = "after",
    keeps: bool = False,
    clip: float = math.inf,
) -> list[Cell]:
    """Layers of 2, 3, … units in each lane."""
    return [
        made_cell(
            seed + n,
            H=2 + n,
            inputs=max(2, 1 + n),
            gate=gate,
            candidate=candidate,
            reset=reset,
            keeps=keeps,
            clip=clip,
            lanes=lanes,
            index=n,
            spread=0.6,
        )
        for n, (gate, candidate) in enumerate(zip(gates, candidates, strict=True))
    ]


def assert_is_the_gradient(
    cells: Sequence[Cell], steps: int, size: int, seed: int, touch: Sequence[Touch] | None = None
) -> None:
    random = np.random.default_rng(seed)
    touch = [{} for _ in cells] if touch is None else touch
    x = random.normal(size=(steps, cells[0].input_width))
    before = [random.normal(size=cell.width) / 2 for cell in cells]
    # An output that looks at every layer.
    weights = [random.normal(size=cell.width) for cell in cells]

    def output(x: Array, before: Sequence[Array]) -> float:
        ends = run_stack(cells, x, before, touch)
        return float(sum(v @ end["hidden"][-1] for v, end in zip(weights, ends, strict=True)))

    def moved_state(n: int, h: Array) -> float:
        return output(x, [*before[:n], h, *before[n + 1 :]])

    tensors = run_stack(cells, x, before, touch)
    layers = [Recorded(n, one, begin=30) for n, one in enumerate(tensors)]
    slices = by_slices(layers, size)
    found = sensitivity(slices, cells, 29 + steps, weights, depth=steps, least=0)
    assert (found.step, found.begin) == (29 + steps, 30)
    assert_near(found.inputs, differences(lambda moved: output(moved, before), x))
    for n, states in enumerate(found.states):
        assert states.shape == (steps, cells[n].width)
        assert_near(states[0], differences(partial(moved_state, n), before[n]))


def assert_near(found: Array, differences: Array) -> None:
    """As near as differences of such a size are to derivatives."""
    scale = max(1.0, float(np.abs(differences).max()))
    np.testing.assert_allclose(found, differences, atol=1e-7 * scale)


@st.composite
def stacks(draw: st.DrawFn) -> list[Cell]:
    """1 to 3 layers. Gates that have no bounds are left out: the gradient explodes."""
    activations = draw(
        st.lists(
            st.tuples(st.sampled_from(SMOOTH_GATES), st.sampled_from(SMOOTH)),
            min_size=1,
            max_size=3,
        )
    )
    gates, candidates = zip(*activations, strict=True)
    return stack(
        draw(st.integers(0, 2**31)),
        gates,
        candidates,
        lanes=draw(st.integers(1, 2)),
        reset=draw(st.sampled_from(["before", "after"])),
        keeps=draw(st.booleans()),
    )


@settings(max_examples=40)
@given(stacks(), st.integers(1, 6), st.integers(1, 7), st.integers(0, 2**31))
def test_is_the_gradient(cells: list[Cell], steps: int, size: int, seed: int) -> None:
    assert_is_the_gradient(cells, steps, size, seed)


@pytest.mark.parametrize(
    ("reset", "gate"), list(product(["before", "after"], ["HardSigmoid", "LeakyRelu"]))
)
def test_where_the_clip_bites_nothing_passes(reset: Reset, gate: str) -> None:
    cells = stack(5, [gate, "Sigmoid"], ["Elu", "Tanh"], reset=reset, clip=0.4)
    tensors = run_stack(cells, np.ones((6, 2)), [np.ones(2), np.ones(3)], [{}, {}])
    for name in ("reset_pre", "update_pre", "candidate_pre"):
        assert any((np.abs(one[name]) == 0.4).any() for one in tensors)
    assert_is_the_gradient(cells, 6, 4, 1)


@pytest.mark.parametrize("reset", ["before", "after"])
@pytest.mark.parametrize("gate", ["reset", "update", "candidate"])
def test_nothing_passes_through_a_gate_that_is_set(reset: Reset, gate: str) -> None:
    cells = stack(5, ["Sigmoid", "Sigmoid"], ["Tanh", "Tanh"], reset=reset)
    touch: Touch = {(2, gate, 1): (1.0, 0.3), (3, gate, 0): (0.4, 0.0)}
    assert_is_the_gradient(cells, 5, 2, 1, [touch, touch])


@pytest.mark.parametrize("reset", ["before", "after"])
def test_the_oracle_says_the_same(reset: Reset) -> None:
    cell = made_cell(3, H=4, reset=reset)
    letters = {f"{n}_{g}": getattr(cell, n)[i] for n in "WUb" for i, g in enumerate("rzn")}
    layer = OracleLayer(**letters, c_n=cell.c, reset=reset)
    random = np.random.default_rng(0)
    x, h0, v = random.normal(size=(8, 2)), random.normal(size=4), random.normal(size=4)

    def output(x: Array) -> float:
        h = h0[np.newaxis]
        for row in x:
            *_, h = layer.step(row[np.newaxis], h)
        return float(v @ h[0])

    found = sensitivity([[Recorded(0, ran(cell, x, h0))]], [cell], 7, [v], depth=8)
    np.testing.assert_allclose(found.inputs, differences(output, x), atol=1e-9)


def test_torch_says_the_same() -> None:
    torch.manual_seed(0)
    gru = nn.GRU(2, 4, num_layers=3).double()
    weights = {name: one.detach().numpy() for name, one in gru.named_parameters()}
    cells = []
    for n in range(3):
        W, U, b, c = (
            np.stack(np.split(weights[f"{name}_l{n}"], 3))
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        both = b + np.array([1, 1, 0])[:, np.newaxis] * c
        cells.append(Cell(n, W, U, both, c[2], reset="after", keeps=True))
    x = torch.randn(9, 2, dtype=torch.float64, requires_grad=True)
    before = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    outputs, _ = gru(x, before)
    v = torch.randn(4, dtype=torch.float64)
    (outputs[7] @ v).backward()
    tensors = run_stack(cells, x.detach().numpy(), list(before.detach().numpy()), [{}, {}, {}])
    np.testing.assert_allclose(tensors[-1]["hidden"], outputs.detach().numpy(), atol=1e-12)
    layers = [Recorded(n, one) for n, one in enumerate(tensors)]
    ends = [np.zeros(4), np.zeros(4), v.numpy()]
    found = sensitivity(by_slices(layers, 5), cells, 7, ends, depth=100, least=0)
    assert x.grad is not None
    assert before.grad is not None
    assert found.reaches_start
    np.testing.assert_allclose(found.inputs, x.grad.numpy()[:8], atol=1e-12)
    for n, states in enumerate(found.states):
        np.testing.assert_allclose(states[0], before.grad.numpy()[n], atol=1e-12)


def one_layer(steps: int, *, begin: int = 0) -> tuple[Cell, Recorded]:
    cell = made_cell(0)
    x = np.random.default_rng(0).normal(size=(steps, 2))
    return cell, Recorded(0, ran(cell, x, np.zeros(3)), begin)


@pytest.mark.parametrize("size", [1, 4, 60])
def test_ends_at_the_depth(size: int) -> None:
    cell, recorded = one_layer(60, begin=10)
    slices = by_slices([recorded], size)
    whole = sensitivity(slices, [cell], 50, [np.ones(3)], depth=1000, least=0)
    found = sensitivity(slices, [cell], 50, [np.ones(3)], depth=7, least=0)
    assert (whole.begin, whole.reaches_start) == (10, True)
    assert (found.begin, found.reaches_start) == (44, False)
    np.testing.assert_array_equal(found.inputs, whole.inputs[-7:])
    np.testing.assert_array_equal(found.states[0], whole.states[0][-7:])


@pytest.mark.parametrize("size", [1, 4, 300])
def test_ends_where_the_gradient_has_vanished(size: int) -> None:
    cell, recorded = one_layer(300)
    found = sensitivity(by_slices([recorded], size), [cell], 299, [np.ones(3)], depth=300)
    sizes = np.linalg.norm(found.states[0], axis=1) / math.sqrt(3)
    assert 100 < found.begin < 290
    assert not found.reaches_start
    assert sizes[0] <= 1e-9 < sizes[1:].min()


@pytest.mark.parametrize("size", [1, 4, 30])
def test_steps_without_gates_are_before_the_start(size: int) -> None:
    cell, recorded = one_layer(30)
    slices = by_slices([waiting(recorded, 20)], size)
    found = sensitivity(slices, [cell], 29, [np.ones(3)], depth=30, least=0)
    assert (found.begin, found.reaches_start) == (20, True)
    assert not np.isnan(found.inputs).any()
    with pytest.raises(InvalidInput, match="there are no gates of step 12"):
        sensitivity(slices, [cell], 12, [np.ones(3)], depth=30)


def test_an_output_that_depends_on_nothing() -> None:
    cell, recorded = one_layer(5)
    found = sensitivity([[recorded]], [cell], 4, [np.zeros(3)], depth=5)
    assert found.inputs.tolist() == [[0, 0]]


def test_what_cannot_be_swept_is_refused() -> None:
    cell, recorded = one_layer(5)
    other = made_cell(0, index=1, inputs=7)
    with pytest.raises(InvalidInput, match="layer 1 takes 7 numbers and layer 0 has 3 units"):
        sensitivity([[recorded, recorded]], [cell, other], 4, [np.ones(3)] * 2, depth=5)
    with pytest.raises(InvalidInput, match="step 5 was not recorded"):
        sensitivity([[recorded]], [cell], 5, [np.ones(3)], depth=5)
    with pytest.raises(InvalidInput, match="depth: at least one step"):
        sensitivity([[recorded]], [cell], 4, [np.ones(3)], depth=0)
    window = Recorded(0, recorded.tensors, carried=False)
    with pytest.raises(InvalidInput, match="layer 0 runs over its window anew"):
        sensitivity([[window]], [cell], 4, [np.ones(3)], depth=5)
    lacking = {name: one for name, one in recorded.tensors.items() if name != "reset_pre"}
    with pytest.raises(InvalidInput, match="layer 0 has no reset_pre"):
        sensitivity([[Recorded(0, lacking)]], [cell], 4, [np.ones(3)], depth=5)
    with pytest.raises(ValueError, match="gradient"):
        sensitivity([[recorded]], [cell], 4, [np.ones(2)], depth=5)


def test_a_stack_is_told_from_what_has_operators_between() -> None:
    cells = stack(0, ["Sigmoid", "Sigmoid"], ["Tanh", "Tanh"], lanes=2)
    tensors = run_stack(cells, np.ones((4, 4)), [np.zeros(4), np.zeros(6)], [{}, {}])
    layers = [Recorded(n, one) for n, one in enumerate(tensors)]
    assert is_stack(layers)
    assert is_stack([waiting(one, 2) for one in layers])
    assert is_stack(layers[:1])
    scaled = tensors[1] | {"layer_input": tensors[1]["layer_input"] * 1.01}
    assert not is_stack([layers[0], Recorded(1, scaled)])
    wider = tensors[1] | {"layer_input": np.ones((4, 5))}
    assert not is_stack([layers[0], Recorded(1, wider)])
