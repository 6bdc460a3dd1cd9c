"""Small models with random weights, ready for the real export (`model_export.package.publish`)."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model_export.model.config import (
    Front,
    Head,
    LabelsHead,
    NetworkConfig,
    QuantilesHead,
    ResidualHead,
    SoftmaxHead,
    TokensFront,
    ValuesFront,
)
from model_export.model.network import Network
from model_export.trained import Curve, TrainedModel
from service.bundle.manifest import Provenance, Reset
from service.bundle.signatures import (
    Classes,
    InputSignature,
    Labels,
    OutputSignature,
    Probabilities,
    Quantiles,
    Tokens,
    Values,
)

VOCABULARY = tuple("abcdefgh .")
VALUE_NAMES = ("temperature", "pressure", "humidity")
PROVENANCE = Provenance(
    created_at="2026-01-01T00:00:00Z",
    data="random",
    data_sha256="0" * 64,
    held_out="nothing",
    seed=0,
    versions={},
    hyperparameters={},
)


def values_model(
    name: str, *, reset: Reset = "before", hidden_sizes: tuple[int, ...] = (6,), seed: int = 0
) -> TrainedModel:
    """Three features in units of their own."""
    torch.manual_seed(seed)
    config = NetworkConfig(
        front=ValuesFront(mean=(20.0, 1000.0, 0.5), scale=(5.0, 10.0, 0.2)),
        head=ResidualHead(scale=(1.0, 2.0, 0.1)),
        hidden_sizes=hidden_sizes,
        reset=reset,
    )
    sample = np.random.default_rng(seed).normal((20, 1000, 0.5), (5, 10, 0.2), (64, 3))
    signature = Values(names=VALUE_NAMES, units=("°C", "hPa", "1"))
    return TrainedModel(
        network=Network(config),
        name=name,
        task="forecast",
        input=signature,
        output=signature,
        scores=(),
        baselines=(),
        provenance=PROVENANCE,
        curve=Curve("loss", (1.0, 0.5), (1.1, 0.6)),
        samples={"": sample.astype(np.float32)},
    )


def tokens_model(
    name: str, *, reset: Reset = "before", hidden_sizes: tuple[int, ...] = (6,), seed: int = 0
) -> TrainedModel:
    """A character model over `VOCABULARY`."""
    torch.manual_seed(seed)
    size = len(VOCABULARY)
    config = NetworkConfig(
        front=TokensFront(size=size, embedding=4),
        head=SoftmaxHead(width=size),
        hidden_sizes=hidden_sizes,
        reset=reset,
    )
    return TrainedModel(
        network=Network(config),
        name=name,
        task="characters",
        input=Tokens(size=size, vocabulary=VOCABULARY),
        output=Probabilities(width=size),
        scores=(),
        baselines=(),
        provenance=PROVENANCE,
        curve=Curve("loss", (1.0, 0.5), (1.1, 0.6)),
        samples={"": np.random.default_rng(seed).integers(0, size, 64)},
    )


def kind_of_model(
    name: str,
    front: Front,
    head: Head,
    given: InputSignature,
    answered: OutputSignature,
    *,
    reset: Reset = "before",
    hidden_sizes: tuple[int, ...] = (4,),
) -> TrainedModel:
    """Any kind of network with random weights; a number in ten is missing where some may be."""
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    if isinstance(front, TokensFront):
        sample = random.integers(0, front.size, 64)
    else:
        sample = random.normal(front.mean, front.scale, (64, front.width)).astype(np.float32)
        if front.fill is not None:
            sample[random.random(sample.shape) < 0.1] = np.nan
    return TrainedModel(
        network=Network(NetworkConfig(front, head, hidden_sizes, reset)),
        name=name,
        task="forecast",
        input=given,
        output=answered,
        scores=(),
        baselines=(),
        provenance=PROVENANCE,
        curve=Curve("loss", (1.0, 0.5), (1.1, 0.6)),
        samples={"": sample},
    )


def models_of_every_kind() -> list[TrainedModel]:
    """What training publishes besides `served_models`."""
    mean, scale = (20.0, 1000.0, 0.5), (5.0, 10.0, 0.25)
    front = ValuesFront(mean, scale)
    values = Values(names=VALUE_NAMES, units=("°C", "hPa", "1"))
    gaps = values.model_copy(update={"missing": True})
    two = Values(names=VALUE_NAMES[:2], units=("°C", "hPa"))
    levels = (0.1, 0.5, 0.9)
    quantiles = Quantiles(names=two.names, units=two.units, levels=levels)
    steps = (1.0, 2.0)
    notes = Values(names=("C4", "E4", "G4"), units=("", "", ""))
    rolls = ValuesFront((0.0,) * 3, (1.0,) * 3)
    return [
        kind_of_model(
            "last", replace(front, fill="last"), ResidualHead(steps), gaps, two, hidden_sizes=(4, 3)
        ),
        kind_of_model(
            "expected",
            replace(front, fill="forecast"),
            QuantilesHead(steps, levels),
            gaps,
            quantiles,
            reset="after",
        ),
        kind_of_model("quantiles", front, QuantilesHead(steps, levels), values, quantiles),
        kind_of_model("labels", rolls, LabelsHead(3), notes, Labels(names=notes.names)),
        kind_of_model(
            "classes",
            replace(front, fill="last"),
            SoftmaxHead(2),
            gaps,
            Classes(names=("calm", "storm")),
            reset="after",
        ),
        kind_of_model(
            "classes-of-items",
            TokensFront(10, 4),
            SoftmaxHead(3),
            Tokens(size=10, vocabulary=tuple(f"item {one}" for one in range(10)), token="item"),
            Classes(names=tuple("abc")),
        ),
    ]


def plain_report(file: Path, *_: object) -> None:
    """In place of `package.write_report` where nobody looks at it: drawing takes half a second."""
    file.write_text("a report", "utf-8")


def served_models() -> list[TrainedModel]:
    """What the `repository` fixture holds: both tasks and reset variants, one and three layers."""
    return [
        values_model("weather", reset="before", hidden_sizes=(6,)),
        values_model("weather-deep", reset="after", hidden_sizes=(6, 4, 5)),
        tokens_model("letters", reset="after", hidden_sizes=(6,)),
        tokens_model("letters-deep", reset="before", hidden_sizes=(6, 4, 5)),
    ]


def complementary_models() -> list[TrainedModel]:
    """The other four combinations of task, reset variant and depth."""
    return [
        values_model("values-after", reset="after", hidden_sizes=(5,), seed=1),
        values_model("values-deep-before", reset="before", hidden_sizes=(3, 7, 2), seed=1),
        tokens_model("tokens-before", reset="before", hidden_sizes=(5,), seed=1),
        tokens_model("tokens-deep-after", reset="after", hidden_sizes=(3, 7, 2), seed=1),
    ]
