"""Keras files with what Keras itself answered, as `tests/variety/keras_models` writes them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model_export.float64.graph import Float64Graph
from model_export.imports.keras import read_keras
from model_export.original import Arrays, Original

TOLERANCE = 1e-5
"""Of the largest number in an output; Keras computes in float32."""


@dataclass(frozen=True, slots=True)
class Written:
    """A Keras file, inputs by the names of their layers, and Keras's outputs in order."""

    file: Path
    inputs: dict[str, NDArray[Any]]
    outputs: list[NDArray[np.float32]]


def written_in(folder: Path) -> list[Written]:
    """Every model of a folder, once for each format."""
    with np.load(folder / "answers.npz") as answers:
        arrays = dict(answers)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".keras", ".h5"))
    return [
        Written(
            file,
            {key.split("/")[2]: arrays[key] for key in arrays if _is(key, file.stem, "input")},
            [arrays[key] for key in arrays if _is(key, file.stem, "output")],
        )
        for file in files
    ]


def assert_reads_as_keras_answers(written: Written) -> Original:
    """The reading against Keras, and the ONNX model against the reading, inside as well."""
    original = read_keras(written.file)
    fed = inputs_of(original, written)
    read = original.answer(fed)
    for answer, expected in zip(read.values(), written.outputs, strict=True):
        assert_close(answer, expected)
    for answer, expected in zip(run(original, fed), read.values(), strict=True):
        assert_close(answer, expected)
    assert_same_inside(original, fed)
    return original


def assert_same_inside(original: Original, fed: dict[str, NDArray[Any]]) -> None:
    """What the original tells of its inside is what the model has under those names."""
    inside = original.inside(fed)
    model = Float64Graph(original.model.SerializeToString(), inside=True).run(fed)
    shared = inside.keys() & model.keys()
    assert shared
    for name in shared:
        assert_close(model[name].reshape(inside[name].shape), inside[name])


def inputs_of(original: Original, written: Written) -> dict[str, NDArray[Any]]:
    """The recorded inputs by their names in ONNX: the model's first is the sequence, `input`."""
    first, *others = written.inputs.items()
    fed = {"input": first[1], **dict(others)}
    assert {value.name for value in original.model.graph.input} == fed.keys()
    return fed


def run(original: Original, inputs: Arrays) -> list[NDArray[Any]]:
    """What ONNX Runtime answers."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = original.model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    answers: list[NDArray[Any]] = session.run(None, dict(inputs))
    return answers


def assert_close(found: NDArray[Any], expected: NDArray[Any]) -> None:
    """Equal in shape, and to `TOLERANCE` of the largest expected number."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


def _is(key: str, name: str, what: str) -> bool:
    return key.split("/")[:2] == [name, what]
