"""Whole sequences through a model that cannot step, or whose answers look ahead.

Nothing is padded here: a step that is not there would change the answers to those that are.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest
from service.engine.engine import Engine
from service.errors import InvalidInput, Place
from service.records import record


@record
class WholeRow:
    """inputs [T, F] float32 or [T] int64; `place` is where they are in the caller's request."""

    engine: Engine
    inputs: NDArray[Any]
    place: Place


def needs_whole(manifest: Manifest) -> bool:
    """Whether the answers to a sequence come from all of it at once."""
    return manifest.sequence == "outputs"


def compute_wholes(rows: Sequence[WholeRow]) -> list[NDArray[np.float32] | Exception]:
    """The outputs [T, O] of every row, or [1, O] of a model that answers the last step.

    Rows of one length share a run. An exception concerns its row alone.
    """
    outcomes: dict[int, NDArray[np.float32] | Exception] = {}
    by_length: defaultdict[int, list[int]] = defaultdict(list)
    for index, row in enumerate(rows):
        length = len(row.inputs)
        wanted, fewest = row.engine.manifest.steps, row.engine.manifest.fewest_steps
        if wanted not in (None, length):
            outcomes[index] = InvalidInput.at(
                row.place, f"{length} time steps; this model takes sequences of exactly {wanted}"
            )
        elif length < fewest:
            # ONNX Runtime's GRU kernel ends the process where no step is left to it.
            outcomes[index] = InvalidInput.at(
                row.place, f"{length} time steps; this model takes sequences of at least {fewest}"
            )
        else:
            by_length[length].append(index)
    for indexes in by_length.values():
        outcomes |= zip(indexes, _run([rows[index] for index in indexes]), strict=True)
    return [outcomes[index] for index in range(len(rows))]


def _run(rows: Sequence[WholeRow]) -> list[NDArray[np.float32] | Exception]:
    """Together; one by one where that fails, so that only the culprit does."""
    try:
        outputs = rows[0].engine.whole(np.stack([row.inputs for row in rows]))
    except Exception as error:  # whatever ONNX Runtime raises belongs to a row
        return [error] if len(rows) == 1 else [_run([row])[0] for row in rows]
    outputs = outputs.reshape(len(rows), -1, outputs.shape[-1])
    return [
        output
        if np.isfinite(output).all()
        else InvalidInput.at(
            row.place,
            "the model's arithmetic leaves the range of float32 here; send values of the size "
            "that it was trained on",
        )
        for row, output in zip(rows, outputs, strict=True)
    ]
