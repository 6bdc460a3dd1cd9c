"""The weights of a layer as a bundle has them."""

import math
from typing import Any

import numpy as np
import pytest

from service.analysis.cell import Cell
from service.bundle.manifest import Activation, Layer, Reset
from service.errors import BundleCorrupt
from tests.oracle import Layer as OracleLayer
from tests.oracle import run_layer
from tests.unit.analysis.layers import made_cell, ran

LAYER = Layer(
    offset=0,
    hidden_size=3,
    lanes=2,
    reset="before",
    gate_activation=Activation(name="HardSigmoid", alpha=0.2, beta=0.5),
    clip=2.5,
)


def arrays() -> dict[str, np.ndarray]:
    cell = made_cell(0, H=3, inputs=4, reset="before")
    weights = {"W": cell.W, "U": cell.U, "b": cell.b, "c": cell.c, "keeps": np.array(1)}
    return {f"5/{name}": one.astype(np.float32) for name, one in weights.items()}


def test_is_read() -> None:
    cell = Cell.read(arrays(), 5, LAYER)
    assert (cell.index, cell.keeps, cell.reset, cell.clip, cell.lanes) == (
        5,
        True,
        "before",
        2.5,
        2,
    )
    assert cell.gate_activation == LAYER.gate_activation
    assert (cell.width, cell.input_width) == (6, 8)
    np.testing.assert_array_equal(cell.W, arrays()["5/W"])
    assert cell.W.dtype == np.float64
    assert Cell.read(arrays(), 5, LAYER.model_copy(update={"clip": None})).clip == math.inf


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"5/U": np.zeros((3, 2, 2))}, "5/U has shape"),
        ({"5/c": np.zeros(4)}, "5/c has shape"),
        ({"5/W": np.zeros((3, 2, 4))}, "5/W has shape"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleCorrupt, match=message):
        Cell.read(arrays() | changed, 5, LAYER)


def test_what_is_missing_or_unknown_is_refused() -> None:
    with pytest.raises(BundleCorrupt, match="no 4/W"):
        Cell.read(arrays(), 4, LAYER)
    strange = LAYER.model_copy(update={"candidate_activation": Activation(name="Sin")})
    with pytest.raises(BundleCorrupt, match="'Sin'"):
        Cell.read(arrays(), 5, strange)


@pytest.mark.parametrize("reset", ["before", "after"])
def test_the_layers_of_these_tests_are_those_of_the_oracle(reset: Reset) -> None:
    cell = made_cell(3, H=4, reset=reset)
    letters = {f"{n}_{g}": getattr(cell, n)[i] for n in "WUb" for i, g in enumerate("rzn")}
    x = np.random.default_rng(0).normal(size=(7, 2))
    expected = run_layer(OracleLayer(**letters, c_n=cell.c, reset=reset), x[np.newaxis])
    found = ran(cell, x, np.zeros(4))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-12)


def test_clips_where_float32_does() -> None:
    # 0.1 is larger in float32, 0.3 too, 0.7 is smaller.
    for clip in (0.1, 0.3, 0.7):
        cell = made_cell(0, clip=clip)
        at = np.array([clip, float(np.float32(clip)), -clip, 0.99 * clip])
        assert (cell.candidate_slope(at) == 0).tolist() == [True, True, True, False]
        assert (cell.gate_slope(at) == 0).tolist() == [True, True, True, False]
