"""The problems by name."""

from collections.abc import Mapping
from typing import Protocol

from model_export.compare.adding import Adding
from model_export.compare.copying import Copying
from model_export.compare.problem import Problem, ProblemName
from model_export.compare.series import Series


class _Made(Protocol):
    def __call__(self, length: int) -> Problem: ...


_PROBLEMS: Mapping[ProblemName, _Made] = {"adding": Adding, "copy": Copying, "co2": Series}


def problem_of(name: ProblemName, length: int) -> Problem:
    """Raises TrainingError where it is too short or too long to be posed."""
    return _PROBLEMS[name](length)
