"""Steps in curves of growth."""

import pytest

from benchmarks.growth.curve import Curve

AXIS = (1.0, 10.0, 100.0, 1000.0, 10000.0)


def curve(*figures: float) -> Curve:
    return Curve("sessions", "p50, µs", list(zip(AXIS, figures, strict=False)))


@pytest.mark.parametrize(
    "figures",
    [
        (100, 101, 99, 100, 102),
        (1, 10, 100, 1000, 10000),
        (100, 100, 110, 1000, 10000),
        (100, 60, 50, 49, 90),
        (100, 900),
        (100,),
    ],
)
def test_growth_that_bends_is_no_step(figures: tuple[float, ...]) -> None:
    assert curve(*figures).steps() == []


def test_a_jump_beyond_the_trend_is_a_step() -> None:
    (found,) = curve(100, 100, 100, 250, 250).steps()
    assert found == "p50, µs: 100 at 100 -> 250 at 1000 along sessions is 2.5 times off the trend"


def test_a_fall_is_a_step_too() -> None:
    (found,) = curve(250, 250, 100, 100, 100).steps()
    assert "250 at 10 -> 100 at 100" in found


def test_a_single_point_off_the_trend_is_named() -> None:
    assert curve(100, 100, 900, 100, 100).steps()


def test_the_description_names_its_steps() -> None:
    described = curve(100, 100, 100, 250, 250).described()
    assert described["points"][3] == [1000.0, 250]
    assert len(described["steps"]) == 1
