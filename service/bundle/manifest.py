"""What a bundle says about itself: `manifest.json`.

Letters used for shapes, here and everywhere: B batch, T time steps, F input features,
O outputs, S = Σ H_l the flat state, H_l the hidden size of layer l.
"""

import re
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Reset = Literal["before", "after"]
"""Where the reset gate acts: on h before the product with U_n, or on U_n h + c_n after it."""

MANIFEST_FILE = "manifest.json"
STEP_FILE = "step.onnx"
SEQUENCE_FILE = "sequence.onnx"
GOLDEN_FILE = "golden.npz"
REPORT_FILE = "report.html"
REQUIRED_FILES = (STEP_FILE, SEQUENCE_FILE, GOLDEN_FILE)
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Values(_Record):
    """Real numbers in the caller's own units, [B, T, width]."""

    kind: Literal["values"] = "values"
    names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...]

    @property
    def width(self) -> int:
        return len(self.names)

    @model_validator(mode="after")
    def _one_unit_each(self) -> "Values":
        if len(self.units) != len(self.names):
            raise ValueError(f"{len(self.names)} names but {len(self.units)} units")
        return self


class Tokens(_Record):
    """Integer ids below `size`, [B, T]; `vocabulary[id]` is the text of a token, where known."""

    kind: Literal["tokens"] = "tokens"
    size: int = Field(gt=0)
    vocabulary: tuple[str, ...] | None = None

    @property
    def width(self) -> int:
        return 1

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token ids by text; empty without a vocabulary."""
        return {text: token for token, text in enumerate(self.vocabulary or ())}

    @model_validator(mode="after")
    def _one_text_each(self) -> "Tokens":
        if self.vocabulary is not None and len(set(self.vocabulary)) != self.size:
            raise ValueError(f"the vocabulary needs {self.size} different entries")
        return self


class Probabilities(_Record):
    """Probabilities of the next token, [B, T, width], each row summing to 1."""

    kind: Literal["probabilities"] = "probabilities"
    width: int = Field(gt=0)


InputSignature = Annotated[Values | Tokens, Field(discriminator="kind")]
OutputSignature = Annotated[Values | Probabilities, Field(discriminator="kind")]


class Activation(_Record):
    """An activation as the ONNX GRU operator names it, with its parameters where it has some."""

    name: str
    alpha: float | None = None
    beta: float | None = None


class Layer(_Record):
    """One GRU layer's slice of the flat state: `state[offset : offset + hidden_size]`."""

    offset: int = Field(ge=0)
    hidden_size: int = Field(gt=0)

    @property
    def span(self) -> slice:
        return slice(self.offset, self.offset + self.hidden_size)


class Score(_Record):
    """One figure on held-out data, beside what trivial predictors reach. Lower is better."""

    metric: str
    unit: str
    model: float
    baselines: dict[str, float]

    @property
    def beats_baselines(self) -> bool:
        return all(self.model < score for score in self.baselines.values())


class Provenance(_Record):
    """Where a model came from: enough to train it again."""

    created_at: str
    data: str
    data_sha256: str
    held_out: str
    seed: int
    versions: dict[str, str]
    hyperparameters: dict[str, Any]


class Quantization(_Record):
    """How a version's weights were rounded, and what that cost.

    `tolerance` is the largest deviation |found − expected| / max(1, |expected|) allowed between
    the step graph, the sequence graph and what PyTorch answered with the unrounded weights. The
    differences are the largest absolute ones over the golden sequences, the step graph's state
    fed back: of outputs in their own units, of states. `scores_before` are the source's.
    """

    bits: Literal[8]
    block_size: int = Field(gt=0)
    source: str
    tolerance: float = Field(gt=0)
    output_difference: float = Field(ge=0)
    state_difference: float = Field(ge=0)
    scores_before: tuple[Score, ...] = ()


class Manifest(_Record):
    """The whole of `manifest.json`; `files` maps each file's name to its SHA-256."""

    format: Literal[1] = 1
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    version: int = Field(gt=0)
    task: str
    reset: Reset
    opset: int
    input: InputSignature
    output: OutputSignature
    layers: tuple[Layer, ...] = Field(min_length=1)
    scores: tuple[Score, ...] = ()
    provenance: Provenance | None = None
    quantization: Quantization | None = None
    files: dict[str, str]

    @cached_property
    def state_size(self) -> int:
        return sum(layer.hidden_size for layer in self.layers)

    @field_validator("files")
    @classmethod
    def _files_are_in_the_folder(cls, files: dict[str, str]) -> dict[str, str]:
        # A bundle from elsewhere must not make the service read what is not its own.
        for name in files:
            if _FILE_NAME.fullmatch(name) is None:
                raise ValueError(
                    f"{name[:200]!r} is no plain file name; a bundle's files lie in its own folder"
                )
        return files

    @model_validator(mode="after")
    def _layers_are_contiguous(self) -> "Manifest":
        expected = 0
        for index, layer in enumerate(self.layers):
            if layer.offset != expected:
                raise ValueError(f"layers[{index}].offset is {layer.offset}, expected {expected}")
            expected += layer.hidden_size
        return self


def layers_of(hidden_sizes: tuple[int, ...]) -> tuple[Layer, ...]:
    """The layers table of stacked GRU layers, each slice behind the other."""
    return tuple(
        Layer(offset=end - size, hidden_size=size)
        for end, size in zip(accumulate(hidden_sizes), hidden_sizes, strict=True)
    )
