"""Series that come with the libraries, or from a formula."""

import numpy as np
import pytest

from model_export.data.built_in import NAMES, built_in, mackey_glass
from model_export.data.series import Repairs, load_series
from model_export.errors import DataError


def test_missing_weeks_of_co2_stay_missing() -> None:
    with pytest.raises(DataError, match=r"co2, row 7, column 'co2': missing value \(59 in all\)"):
        load_series("co2")
    table = load_series("co2", repairs=Repairs(missing="last"))
    assert table.series[0].values.shape == (2284, 1)
    assert np.isnan(table.series[0].values).sum() == 59
    assert table.step == "1 week"
    assert "statsmodels.datasets.co2" in table.source.description


def test_the_membrane_potential_is_half_a_millisecond_apart() -> None:
    table = load_series("membrane")
    assert (table.targets, table.step) == (("potential",), "0.5")
    assert table.series[0].values.shape == (12_000, 1)
    assert np.isfinite(table.series[0].values).all()


def test_mackey_glass_goes_up_and_down() -> None:
    table = load_series("mackey-glass")
    values = table.series[0].values[:, 0]
    assert len(values) == 6000
    assert 0.2 < values.min() < 0.6
    assert 1.2 < values.max() < 1.5


def test_mackey_glass_begins_as_its_equation_does() -> None:
    """While the delayed value is still the first one, x falls exponentially to ten times p."""
    p = 0.2 * 1.2 / (1 + 1.2**10)
    time = np.arange(1, 18)
    exact = 10 * p + (1.2 - 10 * p) * np.exp(-0.1 * time)
    np.testing.assert_allclose(mackey_glass(17), exact, rtol=0, atol=1e-9)


def test_mackey_glass_goes_on_as_its_equation_does() -> None:
    """The change between two neighbours is the slope, but for what a unit of time rounds off."""
    x = mackey_glass(400)
    delayed, now = x[100 - 17 : 300 - 17], x[100:300]
    slope = 0.2 * delayed / (1 + delayed**10) - 0.1 * now
    change = (x[101:301] - x[99:299]) / 2
    assert np.abs(change - slope).max() < 0.1 * np.abs(slope).max()


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("co2", "ee5afa98318c2069baa753b7b8a327b96b0217017cf94aa8407e914d3cbfaa35"),
        ("membrane", "ab795b429201a5bb575c6370d5e17090dfcfc317431aa9382f8e881366f43357"),
    ],
)
def test_records_are_those_that_scores_were_taken_on(name: str, digest: str) -> None:
    assert built_in(name).source.sha256 == digest


@pytest.mark.parametrize("name", NAMES)
def test_every_name_makes_a_frame(name: str) -> None:
    assert built_in(name).origin == name
