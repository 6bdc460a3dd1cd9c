"""The language of `--head`: what a model does that its weights do not say.

    head   := part { "," part }
    part   := kind [ ":" module ] [ "(" number ")" ]

    last, final, mean, max                        from all steps to one
    linear, batchnorm, layernorm, prelu           take the file's tensors, in its order or by name
    relu, tanh, sigmoid, softmax, leaky_relu(0.2) …
    dropout, flatten, identity                    do nothing here
    embedding, gru                                where the head begins at the input

`last,linear,tanh,linear:fc2,sigmoid` is a head on the last step. A head without `gru` follows the
last GRU; one with it begins at the input: `linear,relu,gru,layernorm,gru,last,linear`.
"""

import difflib
import re
from dataclasses import dataclass

from model_export.errors import ModelRefused

WITH_WEIGHTS = ("embedding", "gru", "linear", "batchnorm", "layernorm", "prelu")
POOLS = ("last", "final", "mean", "max")
NOTHING = ("dropout", "flatten", "identity")
ACTIVATIONS = {
    "relu": None,
    "relu6": None,
    "tanh": None,
    "sigmoid": None,
    "softmax": None,
    "log_softmax": None,
    "leaky_relu": 0.01,
    "gelu": None,
    "gelu_tanh": None,
    "elu": 1.0,
    "selu": None,
    "silu": None,
    "softplus": None,
    "hardsigmoid": None,
    "hardswish": None,
    "hardtanh": None,
}
"""Each with torch's default for its parameter."""

EPSILONS = {"batchnorm": 1e-5, "layernorm": 1e-5}
"""torch's defaults for what is added to a variance."""

_SPELLINGS = {
    "fc": "linear",
    "dense": "linear",
    "bn": "batchnorm",
    "batchnorm1d": "batchnorm",
    "batch_norm": "batchnorm",
    "layer_norm": "layernorm",
    "leakyrelu": "leaky_relu",
    "logsoftmax": "log_softmax",
    "swish": "silu",
}
_PART = re.compile(r"(?P<kind>\w+)(?::(?P<module>[^():\s]+))?(?:\((?P<value>[-+.\w]*)\))?")
_KINDS = (*POOLS, *WITH_WEIGHTS, *ACTIVATIONS, *NOTHING)
_MAX_PARTS = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a head; `value` is what stands in its brackets, or torch's default."""

    kind: str
    module: str | None = None
    value: float | None = None
    value_given: bool = False

    def __str__(self) -> str:
        """As `--head` has it."""
        module = "" if self.module is None else f":{self.module}"
        return f"{self.kind}{module}({self.value:g})" if self.value_given else self.kind + module


def parse_head(text: str) -> tuple[Part, ...]:
    """The parts of a head, without those that do nothing.

    Raises ModelRefused naming the part that is not understood.
    """
    words = [word.strip() for word in text.split(",")]
    if len(words) > _MAX_PARTS:
        raise ModelRefused(f"--head has {len(words)} parts; at most {_MAX_PARTS} are read")
    parts = [_parse(word) for word in words] if text.strip() else []
    _refuse_impossible(parts)
    return tuple(part for part in parts if part.kind not in NOTHING)


def _parse(word: str) -> Part:
    found = _PART.fullmatch(word)
    kind = found["kind"].lower() if found is not None else word
    kind = _SPELLINGS.get(kind, kind)
    if found is None or kind not in _KINDS:
        near = difflib.get_close_matches(kind, _KINDS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_KINDS)}"
        raise ModelRefused(f"--head: {word!r} is not understood; {hint}")
    if found["module"] is not None and kind not in WITH_WEIGHTS:
        raise ModelRefused(f"--head: {kind} has no weights, so {word!r} cannot name a module")
    default = EPSILONS.get(kind, ACTIVATIONS.get(kind))
    if found["value"] is None:
        return Part(kind, found["module"], default)
    return Part(kind, found["module"], _number(word, found["value"], default), value_given=True)


def _number(word: str, text: str, default: float | None) -> float:
    if default is None:
        raise ModelRefused(f"--head: {word!r} takes no number in brackets")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < 1e6:
        raise ModelRefused(f"--head: {word!r} needs a number from 0 on in its brackets")
    return value


def _refuse_impossible(parts: list[Part]) -> None:
    """What follows a single step cannot be about many, and the other way round."""
    pooled: Part | None = None
    before: Part | None = None
    for part in parts:
        if pooled is not None and part.kind in (*POOLS, "gru"):
            raise ModelRefused(f"--head: {part} needs every step, and {pooled} left only one")
        if part.kind == "final" and before is not None and before.kind != "gru":
            raise ModelRefused(f"--head: final is the GRU's own end, so {before} cannot precede it")
        if part.kind == "embedding" and before is not None:
            raise ModelRefused(f"--head: embedding takes token ids, so {before} cannot precede it")
        if part.kind == "flatten" and pooled is None:
            raise ModelRefused(
                "--head: flatten over every step makes a width that grows with time; "
                "put last, mean or max before it"
            )
        if part.kind in POOLS:
            pooled = part
        if part.kind not in NOTHING:
            before = part
