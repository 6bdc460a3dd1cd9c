"""Holding an ONNX file against what the module it was exported from computed."""

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused, one_line
from model_export.original import Original
from service.engine.golden import deviation

ALLOWED = 1e-4
"""Of the scale of a column: frameworks differ in float32, an exporter's fault is larger."""


def check_reference(original: Original, file: Path) -> None:
    """`file` is an .npz with all inputs, and one or more outputs, by their names in the model.

    Raises ModelRefused naming the output that differs.
    """
    given = _arrays(file)
    inputs = [one.name for one in original.model.graph.input]
    stored = {one.name for one in original.model.graph.initializer}
    missing = [name for name in inputs if name not in given and name not in stored]
    outputs = [one.name for one in original.model.graph.output if one.name in given]
    if missing or not outputs:
        lacks = repr(missing[0]) if missing else "every output"
        raise ModelRefused(
            f"{file} lacks {lacks}; it needs all inputs and an output by their names"
        )
    feed = {name: given[name] for name in inputs if name in given}
    try:
        answer = original.answer(feed)
    except Exception as error:  # of ONNX Runtime, for whatever does not fit
        raise ModelRefused(f"{file} does not fit {original.file}: {one_line(error)}") from None
    for name in outputs:
        found = np.asarray(answer[name])
        if found.shape != given[name].shape or given[name].dtype.kind not in "fiub":
            raise ModelRefused(
                f"{file}: {name!r} is {given[name].dtype} {list(given[name].shape)}, and "
                f"{original.file} answers {found.dtype} {list(found.shape)}"
            )
        off = deviation(found, given[name].astype(np.float64))
        if not off <= ALLOWED:
            raise ModelRefused(
                f"{original.file} does not compute what {file.name} says: {name!r} is off by "
                f"{off:.2g} of its scale; the exporter wrote another model, so export it again"
            )


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    try:
        # NumPy leaves a file open that it cannot read.
        with np.load(BytesIO(file.read_bytes()), allow_pickle=False) as arrays:
            return dict(arrays)
    except (EOFError, OSError, TypeError, ValueError, BadZipFile) as error:
        raise ModelRefused(f"{file} is not an archive of arrays: {one_line(error)}") from None
