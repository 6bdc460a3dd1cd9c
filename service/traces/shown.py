"""What went in and what came out."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.operations.traces import ShowInputs, ShowOutputs
from service.traces.asking import Working, check_numbers, span_of
from service.traces.run import Run

Part = tuple[int, NDArray[Any]]
"""A first step, and a row for each step from it on."""


def inputs(run: Run, asked: ShowInputs) -> Working[Part]:
    """[n, F] or [n]. Raises InvalidInput, AskedTooMuch."""
    begin, end = span_of(run, asked.begin, asked.end)
    found = run.inputs[begin - run.begin : end - run.begin]
    check_numbers(found.size, "ask for fewer steps")
    yield
    return begin, found


def outputs(run: Run, asked: ShowOutputs) -> Working[Part]:
    """[n, O]. Raises InvalidInput, AskedTooMuch."""
    begin, end = span_of(run, asked.begin, asked.end)
    check_numbers((end - begin) * run.manifest.output.width, "ask for fewer steps")
    found = []
    for one in run.slices(begin, end):
        found.append(one.looked.output)
        yield
    return begin, np.concatenate(found)
