"""Scores of anomalies and alarms, on small series."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.figures.anomalies import (
    APART,
    LONG,
    PROBATION,
    SHORT,
    alarms,
    all_flagged,
    anomaly_scores,
    detection,
)


def usual_errors(steps: int, seed: int = 0) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).normal(size=steps))


@pytest.mark.parametrize("at", [PROBATION, 500, LONG, LONG + 1000])
def test_the_score_is_the_distance_of_recent_errors_from_usual_ones(at: int) -> None:
    errors = usual_errors(LONG + 2000)
    usual = errors[max(0, at + 1 - LONG) : at + 1]
    recent = errors[at + 1 - SHORT : at + 1]
    expected = (recent.mean() - usual.mean()) / usual.std()
    assert anomaly_scores(errors)[at] == pytest.approx(expected, rel=1e-6)


@given(st.integers(PROBATION, 990), st.floats(1, 1e4), st.integers(0, 5))
@settings(max_examples=30)
def test_nothing_is_known_of_later_errors(at: int, factor: float, seed: int) -> None:
    errors = usual_errors(1000, seed)
    changed = errors.copy()
    changed[at + 1 :] *= factor
    np.testing.assert_array_equal(
        anomaly_scores(errors)[: at + 1], anomaly_scores(changed)[: at + 1]
    )


def test_large_errors_stand_out_and_the_probation_has_no_score() -> None:
    errors = usual_errors(2000)
    errors[100:110] *= 50
    errors[1500:1510] *= 10
    scores = anomaly_scores(errors)
    assert not scores[:PROBATION].any()
    assert 1500 <= scores.argmax() <= 1510 + SHORT


def test_a_forecast_that_is_never_wrong_raises_no_alarm() -> None:
    assert not anomaly_scores(np.zeros(1000)).any()


def test_steps_close_together_are_one_alarm() -> None:
    scores = np.zeros(1000)
    scores[[10, 11, 11 + APART, 12 + 2 * APART, 900]] = 5
    assert alarms(scores, 4).tolist() == [10, 12 + 2 * APART, 900]
    assert alarms(scores, 5).tolist() == []


def test_windows_say_when_they_are_flagged_and_alarms_outside_are_false() -> None:
    scores = np.zeros(1000)
    scores[[100, 300, 305, 700]] = [3, 5, 6, 4]
    found = detection(scores, [(290, 310), (600, 650), (690, 700)], 2)
    assert found.flagged_after == (10, None, 10)
    assert found.false_alarms == 1
    assert detection(scores, [(290, 310)], 4.5).false_alarms == 0


def test_all_windows_are_flagged_at_the_weakest_of_their_highest_scores() -> None:
    scores = np.zeros(1000)
    scores[[100, 300, 500, 700]] = [3, 5, 3.5, 4]
    found = all_flagged(scores, [(290, 310), (690, 710)])
    assert found.flagged_after == (10, 10)
    assert found.threshold == pytest.approx(4)
    assert found.false_alarms == 0
    assert all_flagged(scores, [(90, 110)]).false_alarms == 3
