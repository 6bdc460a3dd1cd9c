"""How far two traces are apart, where they were given the same."""

import numpy as np
from numpy.typing import NDArray

from service.analysis.comparison import Compared, output_differences
from service.analysis.comparison import Comparison as Apart
from service.bundle.manifest import HIDDEN
from service.errors import InvalidInput
from service.operations.traces import Comparison
from service.records import record
from service.traces.asking import Working
from service.traces.run import Run
from service.traces.tensors import check_layer, recorded_slices

_STEPS = 1024


@record
class TracesCompared:
    """Over the last `steps` steps, which have the same inputs in both traces: from `begin` on in
    one and from `other_begin` on in the other. `outputs` [steps] is the largest |difference| of
    the outputs of each step."""

    begin: int
    other_begin: int
    steps: int
    compared: Compared
    outputs: NDArray[np.float64]


def comparison(run: Run, other: Run, asked: Comparison) -> Working[TracesCompared]:
    """Raises InvalidInput where the two are of different models, or have no inputs in common."""
    _check_alike(run, other)
    check_layer(run, asked.layer)
    steps = _same_inputs(run, other)
    if not steps:
        raise InvalidInput.at(
            ("with",),
            "the two traces do not end with the same inputs; give both the same inputs from some "
            "step on, and their difference can be followed from there",
            "query",
        )
    begin, other_begin = run.end - steps, other.end - steps
    before, other_before = (
        _rows(one, asked.layer, at, at + 1, "before")[0]
        for one, at in ((run, begin), (other, other_begin))
    )
    apart, outputs = Apart(before, other_before, asked.threshold), []
    for first in range(0, steps, _STEPS):
        last = min(first + _STEPS, steps)
        ours, theirs = (
            _rows(one, asked.layer, at + first, at + last, HIDDEN)
            for one, at in ((run, begin), (other, other_begin))
        )
        apart.add(ours, theirs)
        differences = output_differences(
            _outputs(run, begin + first, begin + last),
            _outputs(other, other_begin + first, other_begin + last),
        )
        outputs.append(differences.max(axis=1))
        yield
    return TracesCompared(begin, other_begin, steps, apart.result(), np.concatenate(outputs))


def _check_alike(run: Run, other: Run) -> None:
    ours, theirs = run.manifest, other.manifest
    if (ours.name, ours.version) != (theirs.name, theirs.version):
        raise InvalidInput.at(
            ("with",),
            f"it is of version {theirs.version} of model {theirs.name!r}, this one of version "
            f"{ours.version} of {ours.name!r}; compare two traces of one version",
            "query",
        )


def _same_inputs(run: Run, other: Run) -> int:
    """How many of the last steps were given the same."""
    shorter = min(len(run.inputs), len(other.inputs))
    ours, theirs = run.inputs[len(run.inputs) - shorter :], other.inputs[-shorter:]
    same = ours == theirs
    if ours.dtype.kind == "f":
        same |= np.isnan(ours) & np.isnan(theirs)
    same = same.reshape(shorter, -1).all(axis=1)
    different = np.flatnonzero(~same)
    return shorter - (int(different[-1]) + 1 if len(different) else 0)


def _rows(run: Run, layer: int, begin: int, end: int, tensor: str) -> NDArray[np.floating]:
    return np.concatenate([one.tensors[tensor] for one in recorded_slices(run, layer, begin, end)])


def _outputs(run: Run, begin: int, end: int) -> NDArray[np.float32]:
    return np.concatenate([one.looked.output for one in run.slices(begin, end)])
