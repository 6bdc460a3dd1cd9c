"""What went in and what came out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.operations.traces import ShowInputs, ShowOutputs
from service.records import record
from service.traces.asking import Working, check_numbers, span_of
from service.traces.run import Run


@record
class Rows:
    """A row for each step from `begin` on, and the manifest of the model that they belong to."""

    begin: int
    rows: NDArray[Any]
    manifest: Manifest


def inputs(run: Run, asked: ShowInputs) -> Working[Rows]:
    """[n, F] or [n]. Raises InvalidInput, AskedTooMuch."""
    begin, end = span_of(run, asked.begin, asked.end)
    found = run.inputs[begin - run.begin : end - run.begin]
    check_numbers(found.size, "ask for fewer steps")
    yield
    return Rows(begin, found, run.manifest)


def outputs(run: Run, asked: ShowOutputs) -> Working[Rows]:
    """[n, O]. Raises InvalidInput, AskedTooMuch."""
    begin, end = span_of(run, asked.begin, asked.end)
    check_numbers((end - begin) * run.manifest.output.width, "ask for fewer steps")
    found = []
    for one in run.slices(begin, end):
        found.append(one.looked.output)
        yield
    return Rows(begin, np.concatenate(found), run.manifest)
