"""What every task's recipe has."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model_export.errors import RecipeError
from service.bundle.manifest import Reset

Schedule = Literal["constant", "exponential", "cosine"]
Shares = tuple[float, float, float]

HiddenSize = Annotated[int, Field(ge=1, description="Width of each layer.")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="After each layer, while training.")]
Epochs = Annotated[int, Field(ge=1, description="At most so many; early stopping may end sooner.")]
Patience = Annotated[int, Field(ge=1, description="Epochs to wait for a better validation loss.")]
LearningRate = Annotated[float, Field(gt=0, description="Of AdamW, in the first epoch.")]
Decay = Annotated[float, Field(gt=0, le=1, description="Factor of the exponential schedule.")]
BatchSize = Annotated[int, Field(ge=1, description="Sequences, or windows, in a batch.")]
"""Options that tasks share and give defaults of their own."""


class Recipe(BaseModel):
    """Data, network and training. Equal recipes on equal data give equal weights.

    Its fields are the options of `train TASK`, whose help is their description, and the keys of a
    recipe file. None means: found from the data.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    task: str
    name: str = Field(description="What the model is served as.")
    data: str

    reset: Reset = Field("before", description="Where the reset gate acts.")
    hidden_size: HiddenSize = 64
    layers: int = Field(1, ge=1, description="Stacked GRU layers.")
    dropout: Dropout = 0.0
    epochs: Epochs = 10
    patience: Patience = 5
    learning_rate: LearningRate = 5e-3
    schedule: Schedule = Field(
        "exponential", description="How the learning rate falls from epoch to epoch."
    )
    decay: Decay = 0.9
    weight_decay: float = Field(0.0, ge=0, description="Of AdamW.")
    gradient_norm: float = Field(1.0, gt=0, description="Longer gradients are clipped to it.")
    batch_size: BatchSize = 32
    seed: int = Field(0, ge=0, description="Of the first run.")
    seeds: int = Field(
        1, ge=1, description="Runs, each from a seed of its own; the best validation loss wins."
    )
    threads: int = Field(
        1, ge=1, description="Of PyTorch; their number decides the last bits of a sum."
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="Where to train.")
    start: str | None = Field(
        None,
        alias="from",
        description="Go on from a published model, NAME or NAME/VERSION, on newer data.",
    )

    @property
    def hidden_sizes(self) -> tuple[int, ...]:
        return (self.hidden_size,) * self.layers

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and strings by the names of the options, fit for JSON."""
        return self.model_dump(mode="json", by_alias=True)

    def to_toml(self) -> str:
        """A recipe file. What is found from the data is left out."""
        # JSON's strings, numbers, booleans and lists are TOML's as well.
        lines = [
            f"{key.replace('_', '-')} = {json.dumps(value, ensure_ascii=False)}"
            for key, value in self.to_dict().items()
            if value is not None
        ]
        return "\n".join(lines) + "\n"

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Raises RecipeError naming the option that cannot be used."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if not first["loc"]:
                # Of several options together; the message names them.
                raise RecipeError(first["msg"].removeprefix("Value error, ")) from None
            option = str(first["loc"][0]).replace("_", "-")
            raise RecipeError(f"--{option}: {first['msg']}") from None


def read_recipe_file(file: Path) -> dict[str, Any]:
    """The values of a recipe file, by the names of the fields. Raises RecipeError."""
    try:
        found = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is not TOML: {error}") from error
    return {key.replace("-", "_"): value for key, value in found.items()}
