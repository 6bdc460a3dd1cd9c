"""Everything that decides what a training run yields."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from service.bundle.manifest import Reset

TaskName = Literal["characters", "forecast"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Task, data and hyperparameters. Equal recipes on equal data give equal weights.

    `data` is a file or the name of built-in data. `learning_rate` is multiplied by `decay` after
    every epoch. Training stops `patience` epochs after the best validation loss. None in the
    forecast's `season`, `level_shift` or `columns` means: found from the data.
    """

    task: TaskName
    data: str
    name: str
    reset: Reset = "before"
    hidden_size: int = 128
    layers: int = 1
    embedding: int = 32
    dropout: float = 0.0
    epochs: int = 10
    patience: int = 5
    learning_rate: float = 5e-3
    decay: float = 0.9
    gradient_norm: float = 1.0
    batch_size: int = 32
    time_steps: int = 64
    seed: int = 0
    columns: tuple[str, ...] | None = None
    units: tuple[str, ...] = ("",)
    season: int | None = None
    fill: Literal["interpolate"] | None = None
    level_shift: float | None = None

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,) * self.layers

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings, fit for JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }


def recipe_from_dict(recorded: dict[str, Any]) -> Recipe:
    """The recipe that `Recipe.to_dict` was taken from. Raises TypeError where it is of another."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in recorded.items()
    }
    return Recipe(**values)


_DEFAULTS: dict[TaskName, dict[str, Any]] = {
    "characters": {"hidden_size": 256, "epochs": 8, "patience": 3, "decay": 0.7, "batch_size": 64},
    "forecast": {
        "hidden_size": 32,
        "layers": 2,
        "epochs": 30,
        "patience": 8,
        "decay": 0.95,
        "time_steps": 128,
    },
}

_BUILT_IN: dict[str, dict[str, Any]] = {"co2": {"season": 52, "units": ("ppm",)}}


def recipe_for(task: TaskName, data: str, name: str, **options: object) -> Recipe:
    """The defaults of the task and of built-in data, with every option not None put on top."""
    given = {key: value for key, value in options.items() if value is not None}
    return replace(
        Recipe(task=task, data=data, name=name),
        **(_DEFAULTS[task] | _BUILT_IN.get(data, {}) | given),
    )
