"""What a bundle says about itself: `manifest.json`.

Letters used for shapes, here and everywhere: B batch, T time steps, F input features,
O outputs, S the flat state, H_l the hidden size of layer l, G = Σ lanes_l · H_l its units.
"""

import re
from functools import cached_property
from math import prod
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from service.bundle.signatures import InputSignature, OutputSignature

Reset = Literal["before", "after"]
"""Where the reset gate acts: on h before the product with U_n, or on U_n h + c_n after it."""

MANIFEST_FILE = "manifest.json"
STEP_FILE = "step.onnx"
SEQUENCE_FILE = "sequence.onnx"
INITIAL_FILE = "initial.onnx"
"""The state of a session that has seen nothing, from its constants; only where there are any."""
INSPECT_FILE = "inspect.onnx"
CELLS_FILE = "cells.npz"
WEIGHTS_FILE = "weights.safetensors"
"""What training goes on from; the service never reads it."""
GOLDEN_FILE = "golden.npz"
SAMPLE_FILE = "sample.npz"
"""A long stretch of held-out inputs to look at; only of models that were trained here."""
REPORT_FILE = "report.html"
STEPS_SEEN = "steps seen"
"""The segment that counts the steps of a session as far as anybody asks."""

GRU_GATES = ("reset", "update", "candidate")
HIDDEN = "hidden"
"""What every layer shows beside its gates."""

SequenceGraph = Literal["outputs and states", "states", "outputs"]
"""What `sequence.onnx` gives. With `outputs` alone it takes no state: it is the whole model."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


def constant_input(name: str) -> str:
    """What a constant is called among the inputs of the graph of initial states."""
    return f"constant/{name}"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Activation(_Record):
    """An activation as the ONNX GRU operator names it, with its parameters where it has some."""

    name: str
    alpha: float | None = None
    beta: float | None = None


class Segment(_Record):
    """One piece of a session's flat state, numbers of `shape` in C order.

    `gru` is what a cell hands on, [lanes, hidden_size]. `carried` is what other operators need of
    the past: frames of a convolution, a cache that the model passes on. `constant` is what a
    session was given at its beginning. `initial` is the numbers of a session that has seen nothing,
    or where they come from.
    """

    name: str
    kind: Literal["gru", "carried", "constant"]
    shape: tuple[int, ...] = Field(min_length=1)
    initial: Literal["zeros", "constants"] | tuple[float, ...] = "zeros"

    @cached_property
    def size(self) -> int:
        return prod(self.shape)

    @model_validator(mode="after")
    def _one_number_each(self) -> "Segment":
        if isinstance(self.initial, tuple) and len(self.initial) != self.size:
            raise ValueError(f"{len(self.initial)} initial numbers for {self.size}")
        return self


class Layer(_Record):
    """One recurrent layer: `lanes` independent rows of `hidden_size` units in every session.

    Gates are columns `offset` to `offset` + lanes · hidden_size of every gate tensor. A layer
    without a `segment` has its hidden state in what the model itself passes on.
    """

    name: str = ""
    segment: str | None = None
    offset: int = Field(ge=0)
    hidden_size: int = Field(gt=0)
    lanes: int = Field(default=1, gt=0)
    gates: tuple[str, ...] = GRU_GATES
    reset: Reset
    gate_activation: Activation = Activation(name="Sigmoid")
    candidate_activation: Activation = Activation(name="Tanh")
    clip: float | None = None

    @property
    def width(self) -> int:
        """Units of all lanes."""
        return self.lanes * self.hidden_size

    @property
    def span(self) -> slice:
        """This layer's part of every gate tensor."""
        return slice(self.offset, self.offset + self.width)


class Constant(_Record):
    """What a session is given at its beginning, numbers of `shape`; a segment bears its name.

    `least` and `largest` are those of whole numbers: what the model's own type holds, and float32
    exactly.
    """

    name: str
    shape: tuple[int, ...]
    integers: bool = False
    least: int = -(2**24)
    largest: int = 2**24


class Tolerance(_Record):
    """How far a machine may be from float64, relative to the scale of each column.

    `step` is for one step from the right state. `run` is for a free run over the golden inputs,
    where float32 drifts; it was measured when the version was made. The scale is a column's largest
    golden number, and at least `floor`.
    """

    step: float = Field(default=1e-5, gt=0)
    run: float = Field(default=1e-5, gt=0)
    floor: float = Field(default=0.0, ge=0)


class Score(_Record):
    """One figure on held-out data, beside what simple models reach.

    `better` says which way is up. Only `headline` scores decide whether a model wins. `seeds` are
    the figures of all runs, where there were several; `model` is that of the one published.
    """

    metric: str
    unit: str
    model: float
    baselines: dict[str, float]
    better: Literal["lower", "higher"] = "lower"
    headline: bool = True
    seeds: tuple[float, ...] = ()

    @property
    def beats_baselines(self) -> bool:
        return all(self.is_better(self.model, score) for score in self.baselines.values())

    @property
    def best_baseline(self) -> str | None:
        """The name of the strongest, None where there is none."""
        pick = min if self.better == "lower" else max
        return pick(self.baselines, key=self.baselines.__getitem__, default=None)

    def is_better(self, one: float, other: float) -> bool:
        """Whether the first figure beats the second."""
        return one < other if self.better == "lower" else one > other


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
    """The whole of `manifest.json`; `files` maps each file's name to its SHA-256.

    `sessions` is false for a model that needs whole sequences, and `reason` says why; it has no
    step graph, no state and no layers. `answers` says whether an output belongs to every step, or
    to the last one of what came. The first `ready_at` − 1 steps of a session have no answer yet;
    an answer comes `delay` steps late where the model looks so far ahead. `window` is the number
    of inputs that a session's answer depends on, where it is not all of them. Whole sequences have
    `steps`, where there is a number, and at least `fewest_steps`. `input_ranges` are the least and
    the largest value of each input that the model was trained on; none where nobody knows.
    """

    format: Literal[2] = 2
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")
    version: int = Field(gt=0)
    task: str
    opset: int
    input: InputSignature
    output: OutputSignature
    input_ranges: tuple[tuple[float, float], ...] = ()
    answers: Literal["each step", "last step"] = "each step"
    sessions: bool = True
    reason: str | None = None
    window: int | None = Field(default=None, gt=0)
    ready_at: int = Field(default=1, gt=0)
    delay: int = Field(default=0, ge=0)
    steps: int | None = Field(default=None, gt=0)
    fewest_steps: int = Field(default=1, gt=0)
    sequence: SequenceGraph | None = "outputs and states"
    constants: tuple[Constant, ...] = ()
    state: tuple[Segment, ...] = ()
    layers: tuple[Layer, ...] = ()
    tolerance: Tolerance = Tolerance()
    scores: tuple[Score, ...] = ()
    provenance: Provenance | None = None
    quantization: Quantization | None = None
    files: dict[str, str]

    @cached_property
    def state_size(self) -> int:
        """S, the numbers of a session's state."""
        return sum(segment.size for segment in self.state)

    @cached_property
    def gate_size(self) -> int:
        """G, the units of all layers."""
        return sum(layer.width for layer in self.layers)

    @cached_property
    def gate_names(self) -> tuple[str, ...]:
        """The gates of all layers, in their order."""
        return tuple(dict.fromkeys(name for layer in self.layers for name in layer.gates))

    @cached_property
    def shown_names(self) -> tuple[str, ...]:
        """What can be shown of every layer: its gates, and the hidden state that came out."""
        return (*self.gate_names, HIDDEN)

    @cached_property
    def hidden_in_state(self) -> bool:
        """Whether the first G numbers of the state are the hidden states of all layers."""
        kept = [layer.segment for layer in self.layers]
        return kept == [segment.name for segment in self.state[: len(kept)]]

    @cached_property
    def spans(self) -> dict[str, slice]:
        """Each segment's part of the state, by name."""
        spans, offset = {}, 0
        for segment in self.state:
            spans[segment.name] = slice(offset, offset + segment.size)
            offset += segment.size
        return spans

    @cached_property
    def steps_seen(self) -> int | None:
        """Where the state counts the steps of a session, if it must be known."""
        span = self.spans.get(STEPS_SEEN)
        return None if span is None else span.start

    @property
    def initial_graph(self) -> bool:
        """Whether a session's constants decide how its state begins."""
        return bool(self.constants)

    @cached_property
    def required_files(self) -> tuple[str, ...]:
        graphs = {
            STEP_FILE: self.sessions,
            SEQUENCE_FILE: self.sequence is not None,
            INITIAL_FILE: self.initial_graph,
        }
        return (*(name for name, has in graphs.items() if has), GOLDEN_FILE)

    @model_validator(mode="before")
    @classmethod
    def _from_format_1(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("format") == 1:
            return _as_format_2(data)
        return data

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
            expected += layer.width
        return self

    @field_validator("output")
    @classmethod
    def _outputs_come_whole(cls, output: OutputSignature) -> OutputSignature:
        if output.says_of_inputs:
            raise ValueError("`missing` and `known_ahead` are said of inputs")
        return output

    @model_validator(mode="after")
    def _ranges_are_of_the_inputs(self) -> "Manifest":
        if self.input_ranges and len(self.input_ranges) != len(self.input.columns):
            raise ValueError("`input_ranges` has a range for each input, or none")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> "Manifest":
        names = [segment.name for segment in self.state]
        if len(set(names)) < len(names):
            raise ValueError("two segments of the state have one name")
        kept = [layer.segment for layer in self.layers if layer.segment is not None]
        given = [constant.name for constant in self.constants]
        missing = {*kept, *given} - set(names)
        if missing:
            raise ValueError(f"the state has no segment {sorted(missing)[0]!r}")
        if self.sessions == (self.reason is not None):
            raise ValueError("`reason` says why there are no sessions, and nothing else")
        if self.sessions and not (self.layers or self.window):
            raise ValueError("a model with sessions has a layer, or a window")
        if not self.sessions and (self.state or self.sequence != "outputs"):
            raise ValueError("a model without sessions has no state, and a sequence graph")
        return self


def is_laid_out_alike(one: Manifest, other: Manifest) -> bool:
    """Whether a state of one version can be one of the other: the same pieces, under any name."""
    shapes = [
        (
            [(segment.kind, segment.shape) for segment in manifest.state],
            [(layer.offset, layer.hidden_size, layer.lanes) for layer in manifest.layers],
            manifest.constants,
            manifest.window,
        )
        for manifest in (one, other)
    ]
    return shapes[0] == shapes[1]


def _as_format_2(data: dict[str, Any]) -> dict[str, Any]:
    """Format 1: every segment a GRU layer that begins with zeros, one reset variant for all.

    What is not as format 1 has it is left to the validation.
    """
    rest = {key: value for key, value in data.items() if key not in ("reset", "layers")}
    layers = data.get("layers")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        return {**rest, "format": 2, "layers": layers}
    names = [f"layer {index}" for index in range(len(layers))]
    rounded = data.get("quantization")
    allowed = rounded.get("tolerance", 1e-5) if isinstance(rounded, dict) else 1e-5
    return {
        **rest,
        "format": 2,
        "tolerance": {"step": allowed, "run": allowed, "floor": 1.0},
        "state": [
            {"name": name, "kind": "gru", "shape": [1, layer.get("hidden_size", 0)]}
            for name, layer in zip(names, layers, strict=True)
        ],
        "layers": [
            {**layer, "name": name, "segment": name, "reset": data.get("reset")}
            for name, layer in zip(names, layers, strict=True)
        ],
    }
