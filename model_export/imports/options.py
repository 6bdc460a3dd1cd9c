"""What a user says about a model that its file does not."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from numpy.typing import NDArray

from model_export.rewrite.roles import Hints


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Each field but `hints` is an option of every import command with the same name.

    `names` and `units` are those of the input columns, `output_names` and `output_units` those of
    the output columns; `vocabulary` is a file with the texts of tokens. `sample` [T, F] or [T] are
    inputs of the size that the model knows; without them it is compared on random ones. `delay`
    allows answers that come so many steps late. `session` says whether sessions run on and on, or
    on their last `window` inputs; by default what the file proves equal to itself.
    """

    name: str
    task: str = "imported"
    hints: Hints = field(default_factory=Hints)
    names: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    output_names: tuple[str, ...] = ()
    output_units: tuple[str, ...] = ()
    vocabulary: Path | None = None
    sample: NDArray[Any] | None = None
    delay: int = 0
    session: Literal["carry", "window"] | None = None
    window: int | None = None
    created_at: str = ""
