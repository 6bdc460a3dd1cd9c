"""What the cells are compared on, without saying which problem it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from model_export.errors import TrainingError

Part = Literal["validation", "test"]
ProblemName = Literal["adding", "copy", "co2"]

_SEEDS: Mapping[Part, int] = {"validation": 1_000_001, "test": 1_000_002}
SEQUENCES: Mapping[Part, int] = {"validation": 256, "test": 1024}


class Batch(NamedTuple):
    """inputs [T, B, I] float32, and what the last A steps should answer, targets [A, B]."""

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True, slots=True)
class Traits:
    """What is known of a problem before anything is trained.

    A network has solved it once its error on the validation part is below `solved_below`; None
    where there is no such line, as on a real series. `baselines` are the errors of answers that
    need no training.
    """

    name: ProblemName
    length: int
    input_size: int
    output_size: int
    error_name: str
    solved_below: float | None
    baselines: Mapping[str, float]


class Problem(Protocol):
    """Sequences with answers; `traits.length` is what grows."""

    @property
    def traits(self) -> Traits: ...

    def batch(self, size: int, generator: torch.Generator) -> Batch:
        """Sequences to train on, anew at each call."""
        ...

    def held_out(self, part: Part) -> Batch:
        """The same sequences at each call, and for every network."""
        ...

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """What training lowers, for each answer: [A, B] of outputs [A, B, O]; 0 where unknown."""
        ...

    def error(self, outputs: Tensor, targets: Tensor) -> float:
        """What is reported, of outputs [A, B, O]."""
        ...


def drawn(batch: Callable[[int, torch.Generator], Batch], part: Part) -> Batch:
    """The held-out sequences of a problem that makes its own."""
    return batch(SEQUENCES[part], torch.Generator().manual_seed(_SEEDS[part]))


def refuse_length(problem: ProblemName, length: int, least: int, most: int | None = None) -> None:
    """Raises TrainingError for a length outside [least, most]."""
    if length < least or (most is not None and length > most):
        bounds = f"at least {least}" if most is None else f"from {least} to {most}"
        raise TrainingError(f"--lengths: {problem} takes {bounds} steps, not {length}")
