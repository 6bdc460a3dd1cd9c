"""A simple model that has been fitted, and what was chosen for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Predict = TypeVar("Predict")


@dataclass(frozen=True, slots=True)
class Baseline(Generic[Predict]):
    """`predict` asks the model; its signature is that of its field (see each module).

    `name` is short and the same in every run: scores are kept under it. `chosen` says what the
    validation part chose, for example "on 48 rows, alpha 10"; empty where nothing was chosen.
    """

    name: str
    predict: Predict
    chosen: str = ""

    @property
    def description(self) -> str:
        """The name and what was chosen, for a report."""
        return f"{self.name} {self.chosen}".rstrip()


def best_of(
    name: str, candidates: Mapping[str, Predict], loss: Callable[[Predict], float]
) -> Baseline[Predict]:
    """The candidate, by what is said of its choice, with the lowest loss on the validation part."""
    chosen = min(candidates, key=lambda text: loss(candidates[text]))
    return Baseline(name, candidates[chosen], chosen)
