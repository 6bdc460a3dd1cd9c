"""The way of a layer's state in two dimensions."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.trajectory import Projection as Trajectory
from service.bundle.manifest import HIDDEN
from service.operations.traces import Projection
from service.records import record
from service.traces.asking import Working
from service.traces.run import Run
from service.traces.statistics import statistics_of
from service.traces.tensors import check_layer, recorded_slices


@record
class Projected:
    """`points` [n, 2] after every `steps_per_point`-th step from `begin` on."""

    trajectory: Trajectory
    begin: int
    steps_per_point: int
    points: NDArray[np.float64]


def projection(run: Run, asked: Projection) -> Working[Projected]:
    """Raises InvalidInput."""
    check_layer(run, asked.layer)
    counted = yield from statistics_of(run, asked.layer)
    trajectory = Trajectory.of(counted.covariances)
    every = -(-(run.end - run.begin) // asked.points)
    points = []
    for one in recorded_slices(run, asked.layer):
        first = -(one.begin - run.begin) % every
        points.append(trajectory.points(one.tensors[HIDDEN][first::every]))
        yield
    return Projected(trajectory, run.begin, every, np.concatenate(points))
