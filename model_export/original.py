"""A model that was trained elsewhere, as every importer hands it over."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
"""Tensors by the name they have in the ONNX model."""


@dataclass(frozen=True, slots=True)
class Original:
    """What an importer read: the model in ONNX, and the original itself to compare with.

    `model` runs over whole sequences and has its recurrent layers as GRU nodes. `answer` gives
    every output of `model` for all its inputs, as the original computes it: an ONNX file in ONNX
    Runtime, anything else by a float64 reading of the file that shares no code with the way to
    ONNX. `inside` gives, likewise, what values inside `model` are in the original, by their names
    there: asked where the two differ, to tell where they part. `notes` are sentences for the user
    about what was left out or taken for granted.
    """

    model: onnx.ModelProto
    answer: Callable[[Arrays], Arrays]
    inside: Callable[[Arrays], Arrays]
    file: Path
    framework: str
    notes: tuple[str, ...] = ()
