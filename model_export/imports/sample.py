"""Inputs that a model knows, from the file of `--sample`."""

from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from model_export.errors import ModelRefused, one_line


def read_sample(file: Path) -> NDArray[Any]:
    """[T, F] float32 from `.npy`, or from `.csv` with a header; [T] int64 where `.npy` has tokens.

    Raises ModelRefused for anything else.
    """
    try:
        if file.suffix == ".npy":
            # NumPy leaves a file open that it cannot read.
            found = np.load(BytesIO(file.read_bytes()), allow_pickle=False)
        else:
            found = np.loadtxt(file, delimiter=",", skiprows=1, ndmin=2, dtype=np.float64)
    except (EOFError, OSError, ValueError, BadZipFile) as error:
        raise ModelRefused(f"{file}: {one_line(error)}") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "iuf":
        raise ModelRefused(f"{file}: expected one array of numbers")
    if found.dtype.kind in "iu":
        return found.astype(np.int64)
    with np.errstate(over="ignore"):
        numbers = found.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ModelRefused(f"{file}: expected finite numbers that fit float32")
    return numbers
