"""Which code makes a run: those of an older one are not mixed with new ones."""

import inspect
from functools import cache
from hashlib import sha256

import torch

from model_export.compare import (
    adding,
    cells,
    copying,
    measures,
    problem,
    problems,
    series,
    training,
)
from model_export.model import layer, operator, recurrence

_MODULES = (
    *(adding, cells, copying, measures, problem, problems, series, training),
    *(layer, operator, recurrence),
)
"""All that decide what comes of a run."""


@cache
def code_digest() -> str:
    """Of the source of these modules, and of PyTorch's version."""
    sources = map(inspect.getsource, _MODULES)
    return sha256("\n".join([torch.__version__, *sources]).encode()).hexdigest()[:16]
