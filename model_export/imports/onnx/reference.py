"""Holding an ONNX file against what the module it was exported from computed."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from model_export.errors import ExportError
from model_export.original import Original
from service.engine.golden import deviation

ALLOWED = 1e-4
"""Of the scale of a column: frameworks differ in float32, an exporter's fault is larger."""


def check_reference(original: Original, file: Path) -> None:
    """`file` is an .npz with all inputs, and one or more outputs, by their names in the model.

    Raises ExportError naming the output that differs.
    """
    try:
        with np.load(file, allow_pickle=False) as arrays:
            given = dict(arrays)
    except (OSError, ValueError, BadZipFile) as error:
        raise ExportError(f"{file} is not an archive of arrays: {error}") from None
    inputs = [one.name for one in original.model.graph.input]
    stored = {one.name for one in original.model.graph.initializer}
    missing = [name for name in inputs if name not in given and name not in stored]
    outputs = [one.name for one in original.model.graph.output if one.name in given]
    if missing or not outputs:
        lacks = repr(missing[0]) if missing else "every output"
        raise ExportError(f"{file} lacks {lacks}; it needs all inputs and an output by their names")
    answer = original.answer({name: given[name] for name in inputs if name in given})
    for name in outputs:
        off = deviation(np.asarray(answer[name]), given[name].astype(np.float64))
        if not off <= ALLOWED:
            raise ExportError(
                f"{original.file} does not compute what {file.name} says: {name!r} is off by "
                f"{off:.2g} of its scale; the exporter wrote another model, so export it again"
            )
