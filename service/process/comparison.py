"""Two versions of a model side by side, before one takes the other's place."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from service.batcher.compute import Row, compute
from service.bundle.folders import read_version
from service.bundle.signatures import InputSignature
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.errors import InvalidInput, Place
from service.repository.models import load_engine

INPUT_ARRAY = "input"
"""Of an `.npz` file: [T, F] or [B, T, F]; of a token model [T] or [B, T]."""


@dataclass(frozen=True, slots=True)
class Difference:
    """|present − other| of one output over all time steps of some inputs, in its own unit."""

    inputs: str
    output: str
    unit: str
    largest: float
    mean: float


def compare_versions(model: Path, present: int, other: int, data: Path | None) -> list[Difference]:
    """Both versions on the golden inputs of each, and on the data in a file, from the beginning.

    Raises BundleError where one of them cannot be served, InvalidInput where they do not take or
    give the same, or cannot take the data.
    """
    engines = [load_engine(read_version(model / str(one)), Provider()) for one in (present, other)]
    _check_alike(*engines)
    signature = engines[0].manifest.input
    runs = {f"golden vectors of {one.manifest.version}": _golden(one) for one in engines}
    if data is not None:
        runs[data.name] = _read_data(data, signature)
    return [
        difference
        for name, sequences in runs.items()
        for difference in _differences(name, engines, sequences)
    ]


def table_of(differences: list[Difference], present: int, other: int) -> str:
    """Columns of text, one row for each output and kind of input."""
    head = ("inputs", "output", "largest", "mean")
    rows = [
        (
            one.inputs,
            f"{one.output} ({one.unit})" if one.unit else one.output,
            f"{one.largest:.4g}",
            f"{one.mean:.4g}",
        )
        for one in differences
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    title = f"differences between the outputs of versions {present} and {other}"
    return "\n".join([title, *lines])


def _check_alike(present: Engine, other: Engine) -> None:
    for what in ("input", "output"):
        ours, theirs = (getattr(one.manifest, what) for one in (present, other))
        if ours != theirs:
            raise InvalidInput.at(
                (what,),
                f"versions {present.manifest.version} and {other.manifest.version} cannot be "
                f"compared: the {what} of one is {ours.described}, of the other {theirs.described}",
            )


def _golden(engine: Engine) -> list[NDArray[Any]]:
    return list(engine.bundle.golden()["input"])


def _differences(
    name: str, engines: list[Engine], sequences: list[NDArray[Any]]
) -> Iterator[Difference]:
    ours, theirs = (_outputs(engine, sequences) for engine in engines)
    apart = np.abs(ours - theirs)
    for output, unit, columns in engines[0].manifest.output.compared:
        some = apart[:, columns]
        yield Difference(name, output, unit, float(some.max()), float(some.mean()))


def _outputs(engine: Engine, sequences: list[NDArray[Any]]) -> NDArray[np.float64]:
    """[Σ T, O], every sequence from the beginning."""
    states = engine.initial_states(len(sequences))
    rows = [
        Row(engine, inputs, state, gates=False, place=("inputs", index))
        for index, (inputs, state) in enumerate(zip(sequences, states, strict=True))
    ]
    outputs = []
    for outcome in compute(rows):
        if isinstance(outcome, Exception):
            raise outcome
        outputs.append(outcome.outputs.astype(np.float64))
    return np.concatenate(outputs)


def _read_data(file: Path, signature: InputSignature) -> list[NDArray[Any]]:
    try:
        read = _read_arrays if file.suffix == ".npz" else _read_table
        return read(file, signature)
    except OSError as error:
        raise InvalidInput.at(
            (str(file),), f"cannot be read: {error.strerror or error}", "data"
        ) from None


def _read_arrays(file: Path, signature: InputSignature) -> list[NDArray[Any]]:
    try:
        with np.load(file) as arrays:
            found = arrays[INPUT_ARRAY]
    except KeyError:
        raise InvalidInput.at((file.name,), f"it has no array `{INPUT_ARRAY}`", "data") from None
    except (ValueError, TypeError, BadZipFile, EOFError) as error:
        raise InvalidInput.at((file.name,), f"not an .npz file: {error}", "data") from None
    axes = 1 + len(signature.features)
    if found.ndim not in (axes, axes + 1):
        raise InvalidInput.at(
            (file.name, INPUT_ARRAY),
            f"its shape is {list(found.shape)}, expected {axes} axes, or one more for a batch",
            "data",
        )
    sequences = found[np.newaxis] if found.ndim == axes else found
    if len(sequences) == 0:
        raise InvalidInput.at((file.name, INPUT_ARRAY), "it holds no sequence", "data")
    return [
        signature.decode(sequence, (file.name, INPUT_ARRAY, index))
        for index, sequence in enumerate(sequences)
    ]


def _read_table(file: Path, signature: InputSignature) -> list[NDArray[Any]]:
    """One sequence: a row for each time step, columns by the names of the model's inputs."""
    names = [name for name, _ in signature.columns]
    if not names:
        raise InvalidInput.at(
            (file.name,), f"a token model takes an .npz file with an array `{INPUT_ARRAY}`", "data"
        )
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.reader(stream)
            head = next(lines, [])
            missing = [name for name in names if name not in head]
            repeated = [name for name in names if head.count(name) > 1]
            if missing or repeated:
                fault = "it has no column" if missing else "it has more than one column"
                raise InvalidInput.at(
                    (file.name,), f"{fault} {', '.join(missing or repeated)}", "data"
                )
            numbered = [((file.name, f"line {lines.line_num}"), line) for line in lines]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput.at((file.name,), f"not a CSV file in UTF-8: {error}", "data") from None
    while numbered and not numbered[-1][1]:
        numbered.pop()  # an empty line at the end is no time step
    columns = [(name, head.index(name)) for name in names]
    rows = [
        _numbers(_whole(line, len(head), place), columns, signature, place)
        for place, line in numbered
    ]
    return [signature.decode(rows, (file.name,))]


def _whole(line: list[str], width: int, place: Place) -> list[str]:
    """A line as it is. Raises InvalidInput for one that was cut off, or has more than the head."""
    if len(line) != width:
        raise InvalidInput.at(place, f"it has {len(line)} cells, the head has {width}", "data")
    return line


def _numbers(
    cells: Sequence[str],
    columns: Sequence[tuple[str, int]],
    signature: InputSignature,
    place: Place,
) -> list[float | None]:
    """Of one line; an empty cell is a missing value, for a model that takes such."""
    numbers: list[float | None] = []
    for name, column in columns:
        cell = cells[column]
        if not cell and signature.takes_missing:
            numbers.append(None)
            continue
        try:
            numbers.append(float(cell))
        except ValueError:
            raise InvalidInput.at((*place, name), f"{cell!r} is not a number", "data") from None
    return numbers
