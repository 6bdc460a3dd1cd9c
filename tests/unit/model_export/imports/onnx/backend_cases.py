"""ONNX's own tests of the GRU operator: models, inputs, and what a backend must answer.

Those of the installed onnx are made anew by its `onnx.backend.test`. `recorded/onnx_1_19` are the
vectors that the wheel of onnx 1.19.0 ships in `onnx/backend/test/data/node`, as they are (Copyright
ONNX Project Contributors, Apache-2.0); later wheels ship none.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

RECORDED = Path(__file__).parent / "recorded" / "onnx_1_19"


@dataclass(frozen=True, slots=True)
class Case:
    """`inputs` and `outputs` by name; X is [steps, batch, I], or [batch, steps, I] in layout 1."""

    name: str
    model: onnx.ModelProto
    inputs: dict[str, NDArray[Any]]
    outputs: dict[str, NDArray[Any]]

    @property
    def is_batch_first(self) -> bool:
        (node,) = self.model.graph.node
        return any(one.name == "layout" and one.i == 1 for one in node.attribute)

    def with_stored_weights(self) -> onnx.ModelProto:
        """The model with all inputs but X in the file, as exporters write them."""
        model = _copied(self.model)
        stored = [one for one in model.graph.input if one.name != "X"]
        for one in stored:
            model.graph.initializer.append(numpy_helper.from_array(self.inputs[one.name], one.name))
            model.graph.input.remove(one)
        return model

    def opened(self, model: onnx.ModelProto) -> onnx.ModelProto:
        """A model of this case with any batch and any time."""
        model = _copied(model)
        names = ("batch", "time") if self.is_batch_first else ("time", "batch")
        places = {"X": dict(enumerate(names))}
        places["Y"] = {0: names[0], 1: names[1]} if self.is_batch_first else {0: "time", 2: "batch"}
        places["Y_h"] = {0: "batch"} if self.is_batch_first else {1: "batch"}
        for value in (*model.graph.input, *model.graph.output):
            for axis, name in places.get(value.name, {}).items():
                value.type.tensor_type.shape.dim[axis].dim_param = name
        return model


def _copied(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def recorded() -> Iterator[Case]:
    for folder in sorted(RECORDED.iterdir()):
        model = onnx.load(folder / "model.onnx")
        given, answered = (
            [
                numpy_helper.to_array(onnx.load_tensor(file))
                for file in sorted((folder / "test_data_set_0").glob(f"{what}_*.pb"))
            ]
            for what in ("input", "output")
        )
        yield _case(f"1.19 {folder.name}", model, given, answered)


def generated() -> Iterator[Case]:
    with warnings.catch_warnings():
        # To collect those of one operator it makes those of all others, which warn of much.
        warnings.simplefilter("ignore")
        found = import_module("onnx.backend.test.case.node").collect_testcases("GRU")
    for one in found:
        assert one.model is not None
        for given, answered in one.data_sets or ():
            yield _case(one.name, one.model, given, answered)


def _case(
    name: str,
    model: onnx.ModelProto,
    given: Sequence[NDArray[Any]],
    answered: Sequence[NDArray[Any]],
) -> Case:
    inputs = [one.name for one in model.graph.input]
    outputs = [one.name for one in model.graph.output]
    return Case(
        name,
        model,
        dict(zip(inputs, map(np.asarray, given), strict=True)),
        dict(zip(outputs, map(np.asarray, answered), strict=True)),
    )
