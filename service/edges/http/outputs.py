"""The outputs of time steps in an answer."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import Manifest


def render_outputs(outputs: NDArray[np.float32], manifest: Manifest) -> dict[str, Any]:
    """`outputs` [T, O], and what the model's kind says beside them of each step, such as the most
    likely tokens.

    A step that has no answer yet is null, and `ready_at` says which step has the first.
    """
    rendered: dict[str, Any] = {"outputs": np.ascontiguousarray(outputs)}
    missing: NDArray[np.bool_] = np.zeros(len(outputs), bool)
    if manifest.ready_at > 1:
        missing = np.asarray(np.isnan(outputs).any(axis=1))
    if missing.any():
        rows = zip(outputs, missing, strict=True)
        rendered["outputs"] = [None if none else row for row, none in rows]
        rendered["ready_at"] = manifest.ready_at
    given = manifest.output
    if given.beside is not None:
        rendered[given.beside] = [
            None if none else given.say(row, manifest.input)
            for row, none in zip(outputs, missing, strict=True)
        ]
    return rendered
