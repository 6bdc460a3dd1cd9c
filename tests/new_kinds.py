"""Models of every kind of signature, made of the small ones with random weights.

Their graphs are those of `weather` and `letters` with an operator more at an end, so that the
engine runs them as it runs what training publishes.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from service.bundle.signatures import (
    Classes,
    InputSignature,
    Labels,
    OutputSignature,
    Quantiles,
    Tokens,
    Values,
)

NOTES = ("C4", "E4", "G4")
CLASSES = ("calm", "storm", "rain")
ITEMS = tuple(f"item {index}" for index in range(10))
LEVELS = (0.1, 0.5, 0.9)

Change = Callable[[onnx.GraphProto], None]
Golden = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def make_new_kinds(repository: Path, folder: Path) -> Path:
    """A repository with `quantiles`, `exogenous`, `gaps`, `labels`, `classes` and `items`."""
    weather = repository / "weather"
    notes = Values(names=NOTES, units=("1",) * 3)
    # One target: temperature at three levels, as the model has three outputs.
    quantiles = Quantiles(names=("temperature",), units=("°C",), levels=LEVELS)
    ahead = Values(
        names=("temperature", "pressure", "humidity"),
        units=("°C", "hPa", "1"),
        # Not in the order of the inputs, so that a mistake would show.
        known_ahead=("humidity", "pressure"),
    )
    one = Values(names=("temperature", "more", "other"), units=("°C", "1", "1"))
    gaps = Values(names=("temperature", "pressure", "humidity"), units=("°C", "hPa", "1"))
    make_kind(weather, folder / "quantiles", ahead, quantiles)
    make_kind(weather, folder / "exogenous", ahead, one)
    missing = gaps.model_copy(update={"missing": True})
    make_kind(weather, folder / "gaps", missing, gaps, change=fill_missing)
    make_kind(
        repository / "weather",
        folder / "labels",
        notes,
        Labels(names=NOTES),
        change=_sigmoid,
        golden=_as_sigmoid,
    )
    kinds = Classes(names=CLASSES)
    make_kind(
        repository / "weather", folder / "classes", gaps, kinds, change=_softmax, golden=_as_softmax
    )
    items = Tokens(size=len(ITEMS), vocabulary=ITEMS, token="item")
    make_kind(repository / "letters", folder / "items", items, None)
    return folder


def make_kind(
    source: Path,
    target: Path,
    taken: InputSignature,
    given: OutputSignature | None,
    *,
    change: Change = lambda _: None,
    golden: Golden = lambda output: output,
) -> None:
    """A model with other signatures, its graphs and golden outputs changed; the outputs are as they
    were where `given` is None."""
    version = target / "1"
    copytree(source / "1", version)
    for name in ("step.onnx", "sequence.onnx", "inspect.onnx"):
        model = onnx.load(version / name)
        change(model.graph)
        onnx.save(model, version / name)
    with np.load(version / "golden.npz") as arrays:
        vectors: dict[str, Any] = dict(arrays)
    vectors["output"] = golden(vectors["output"].astype(np.float64))
    np.savez(version / "golden.npz", **vectors)
    manifest = json.loads((version / "manifest.json").read_text("utf-8"))
    manifest["name"] = target.name
    manifest["input"] = taken.model_dump(mode="json")
    if given is not None:
        manifest["output"] = given.model_dump(mode="json")
    manifest["files"] = {name: _sha256(version / name) for name in manifest["files"]}
    (version / "manifest.json").write_text(json.dumps(manifest), "utf-8")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def fill_missing(graph: onnx.GraphProto) -> None:
    """What is missing is what the model takes for its mean."""
    for node in graph.node:
        node.input[:] = ["input/filled" if name == "input" else name for name in node.input]
    mean = helper.make_tensor("input/mean", onnx.TensorProto.FLOAT, [3], [20.0, 1000.0, 0.5])
    graph.initializer.append(mean)
    graph.node.insert(0, helper.make_node("IsNaN", ["input"], ["input/missing"]))
    filled = helper.make_node("Where", ["input/missing", "input/mean", "input"], ["input/filled"])
    graph.node.insert(1, filled)


def _behind(operator: str, attributes: dict[str, Any] | None = None) -> Change:
    def change(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            node.output[:] = ["output/raw" if name == "output" else name for name in node.output]
            node.input[:] = ["output/raw" if name == "output" else name for name in node.input]
        graph.node.append(
            helper.make_node(operator, ["output/raw"], ["output"], **(attributes or {}))
        )

    return change


_sigmoid = _behind("Sigmoid")
_softmax = _behind("Softmax", {"axis": -1})


def _as_sigmoid(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-raw)))


def _as_softmax(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(raw - raw.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
