"""What is said of alarms: of rows that were not learnt from, and of no others."""

import numpy as np

from benchmarks.figures.machine_temperature import THRESHOLDS, Alarms


def test_only_rows_that_were_not_learnt_from_count() -> None:
    steps = 4032
    times = np.datetime64("2014-01-01T00:00", "m") + 5 * np.arange(steps)
    scores = np.zeros(steps)
    # A window that was learnt from, a false alarm, and a window that is told from 3.5 on.
    scores[[500, 2500, 3000]] = [9, 2.5, 3.5]
    alarms = Alarms(times, np.zeros(steps), 2016, ((490, 510), (2990, 3010)), {"model": scores})
    said = alarms.described()
    assert said["held_out_from"] == "2014-01-08T00:00"
    assert said["weeks"] == 1.0
    assert said["windows"] == [["2014-01-11T09:10", "2014-01-11T10:50"]]
    found = said["detectors"]["model"]
    assert [one["threshold"] for one in found] == [*THRESHOLDS, 3.5]
    assert [one["flagged_after"] for one in found[:3]] == [[10], [10], [None]]
    assert [one["false_alarms"] for one in found] == [1, 0, 0, 0, 0, 0]
    assert found[-1]["flagged_after"] == [10]
