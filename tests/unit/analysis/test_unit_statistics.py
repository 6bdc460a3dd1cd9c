"""All statistics in one go are those of each by itself, whatever the slices."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.analysis.cell import Cell
from service.analysis.recorded import Recorded
from service.analysis.triage import Thresholds
from service.analysis.unit_statistics import Statistics, UnitStatistics
from tests.unit.analysis.layers import cells, made_cell, made_run, sliced, waiting


def counted(cell: Cell, slices: list[Recorded]) -> UnitStatistics:
    statistics = Statistics(cell)
    for one in slices:
        statistics.add(one)
    return statistics.result()


def assert_same(found: Any, expected: Any) -> None:  # noqa: ANN401
    """Every number in records, mappings and arrays."""
    if dataclasses.is_dataclass(found):
        for field in dataclasses.fields(found):
            assert_same(getattr(found, field.name), getattr(expected, field.name))
    elif isinstance(found, Mapping):
        assert found.keys() == expected.keys()
        for name, one in found.items():
            assert_same(one, expected[name])
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@given(cells(gates=("Sigmoid", "HardSigmoid")), st.integers(2, 40), st.integers(1, 40))
def test_slices_make_no_difference(cell: Cell, steps: int, size: int) -> None:
    recorded = waiting(made_run(cell, steps), steps // 4)
    found, expected = counted(cell, sliced(recorded, size)), counted(cell, [recorded])
    for one in (found, expected):
        # Which of two units comes first that correlate as strongly is a matter of rounding.
        one.triage.pairs.sort(axis=0)
    assert_same(found, expected)


def test_each_is_of_its_tensor() -> None:
    cell = made_cell(0)
    recorded = made_run(cell, 60, begin=5)
    found = counted(cell, sliced(recorded, 7))
    assert found.steps == found.memory.steps == 60
    for name in ("reset", "update", "candidate", "hidden"):
        values = recorded.tensors[name]
        np.testing.assert_allclose(found.summaries[name].mean, values.mean(axis=0))
        np.testing.assert_array_equal(found.summaries[name].peak, 5 + values.argmax(axis=0))
    for name in ("reset", "update"):
        below = (recorded.tensors[name] < 0.1).mean(axis=0)
        np.testing.assert_allclose(found.saturation[name].below, below)
    np.testing.assert_allclose(
        found.covariances.matrix, np.cov(recorded.tensors["hidden"], rowvar=False, ddof=0)
    )


def test_thresholds_are_those_given() -> None:
    cell = made_cell(0)
    lax = Thresholds(frozen_std=10, redundant=0)
    statistics = Statistics(cell, lax, low=0.99, high=0.01)
    statistics.add(made_run(cell, 20))
    found = statistics.result()
    assert found.triage.frozen.all()
    assert len(found.triage.pairs) == 3
    assert found.saturation["reset"].below.min() > 0.9
    assert found.saturation["update"].above == pytest.approx(1)
