"""Piano rolls, or any sequences of many labels at once, divided into three parts by their maker."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from model_export.data.source import Source, digest, read_bytes
from model_export.errors import DataError, one_line

Roll = NDArray[np.float32]

_PARTS = ("train", "valid", "test")
_KEYS = 88
_LOWEST_NOTE = 21
"""A0, the lowest key of a piano, as MIDI counts notes; C0 is 12."""
_NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True, slots=True)
class Rolls:
    """Each part is a tuple of [T, L] float32, 1 where a label holds, else 0."""

    names: tuple[str, ...]
    train: tuple[Roll, ...]
    validation: tuple[Roll, ...]
    test: tuple[Roll, ...]
    source: Source


def load_rolls(data: str) -> Rolls:
    """A `.mat` file with the cell arrays traindata, validdata and testdata of [T, L] each, or
    a `.npz` file with train, valid and test [N, L], all sequences of the part one behind the other,
    and train_lengths, valid_lengths and test_lengths.

    88 labels are the keys of a piano, A0 to C8; others are named "label 0" and so on. Raises
    DataError for other contents, and for values other than 0 and 1.
    """
    path = Path(data)
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{data}: rolls are read from .mat or .npz files, not {path.suffix!r}")
    content = read_bytes(path)
    parts = reader(content, data)
    width = _width(parts, data)
    train, validation, test = (
        tuple(_checked(roll, f"{data}, {part}[{at}]", width) for at, roll in enumerate(parts[part]))
        for part in _PARTS
    )
    return Rolls(_names(width), train, validation, test, Source(path.name, digest(content)))


def _from_mat(content: bytes, data: str) -> dict[str, list[NDArray[Any]]]:
    try:
        arrays = loadmat(io.BytesIO(content))
    except Exception as error:  # SciPy raises whatever the damage of a file leads to.
        raise DataError(f"{data} cannot be read as a MATLAB file: {one_line(error)}") from error
    return {part: _cells(arrays, f"{part}data", data) for part in _PARTS}


def _cells(arrays: dict[str, Any], name: str, data: str) -> list[NDArray[Any]]:
    if name not in arrays:
        there = ", ".join(sorted(key for key in arrays if not key.startswith("_")))
        raise DataError(f"{data} has no variable {name!r}; there are {there or 'none'}")
    if arrays[name].dtype != object:
        raise DataError(f"{data}: {name!r} is no cell array")
    return list(arrays[name].ravel())


def _from_npz(content: bytes, data: str) -> dict[str, list[NDArray[Any]]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{data} cannot be read as .npz: {one_line(error)}") from error
    return {part: _cut(arrays, part, data) for part in _PARTS}


def _cut(arrays: dict[str, NDArray[Any]], part: str, data: str) -> list[NDArray[Any]]:
    for name in (part, f"{part}_lengths"):
        if name not in arrays:
            raise DataError(f"{data} has no array {name!r}; there are {', '.join(sorted(arrays))}")
    rows, lengths = arrays[part], arrays[f"{part}_lengths"]
    whole = lengths.ndim == 1 and np.issubdtype(lengths.dtype, np.integer)
    if rows.ndim != 2 or not whole or (lengths < 0).any() or lengths.sum() != len(rows):
        raise DataError(
            f"{data}: {part!r} is [N, L], and {part + '_lengths'!r} whole numbers that add up to "
            f"N; they are {list(rows.shape)} and {list(lengths.shape)}"
        )
    return np.split(rows, np.cumsum(lengths)[:-1])


def _width(parts: dict[str, list[NDArray[Any]]], data: str) -> int:
    for part, rolls in parts.items():
        if not rolls:
            raise DataError(f"{data}: {part!r} has no sequences")
    first = parts[_PARTS[0]][0]
    return int(first.shape[-1]) if first.ndim else 0


def _checked(roll: NDArray[Any], where: str, width: int) -> Roll:
    if roll.ndim != 2 or roll.shape[1] != width or not roll.size:
        raise DataError(f"{where}: [T, {width}] is needed, with T > 0, not {list(roll.shape)}")
    if roll.dtype.kind not in "biuf":
        raise DataError(f"{where} holds {roll.dtype}, not numbers")
    for step, label in np.argwhere((roll != 0) & (roll != 1))[:1]:
        raise DataError(
            f"{where}, step {step}, {_names(width)[label]}: {roll[step, label]:g} is neither "
            "0 nor 1"
        )
    return roll.astype(np.float32)


def _names(width: int) -> tuple[str, ...]:
    if width != _KEYS:
        return tuple(f"label {at}" for at in range(width))
    notes = range(_LOWEST_NOTE, _LOWEST_NOTE + _KEYS)
    return tuple(f"{_NOTES[note % 12]}{note // 12 - 1}" for note in notes)


_READERS: dict[str, Callable[[bytes, str], dict[str, list[NDArray[Any]]]]] = {
    ".mat": _from_mat,
    ".npz": _from_npz,
}
