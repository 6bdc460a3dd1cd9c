"""A trace as a file: NPZ for arrays, CSV for tables."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.bundle.manifest import HIDDEN
from service.operations.traces import Export
from service.records import record
from service.traces.asking import Working, check_numbers, span_of, units_of
from service.traces.run import Run
from service.traces.tensors import check_layer, check_tensor, values


@record
class Exported:
    """`arrays`: `step` [T], `input` [T, F] or [T], `output` [T, O], and LAYER/TENSOR [T, U] each.
    `columns` names those of each array that has any."""

    arrays: Mapping[str, NDArray[Any]]
    columns: Mapping[str, Sequence[str]]


def export(run: Run, asked: Export) -> Working[Exported]:
    """Raises InvalidInput, AskedTooMuch."""
    begin, end = span_of(run, asked.begin, asked.end)
    layers = range(len(run.layers)) if asked.all_layers else [asked.layer]
    chosen = [
        (layer, tensor, units_of(run, layer, asked.units))
        for layer in layers
        for tensor in _tensors_of(run, layer, asked.tensors)
    ]
    manifest = run.manifest
    width = sum(len(units) for _, _, units in chosen) + manifest.output.width + 1
    check_numbers((end - begin) * width, "ask for fewer `tensors`, `units` or steps")
    arrays: dict[str, NDArray[Any]] = {
        "step": np.arange(begin, end),
        "input": run.inputs[begin - run.begin : end - run.begin],
        "output": np.concatenate([one.looked.output for one in run.slices(begin, end)]),
    }
    columns: dict[str, Sequence[str]] = {
        "input": [name for name, _ in manifest.input.columns],
        "output": list(map(str, range(manifest.output.width))),
    }
    yield
    for layer, tensor, units in chosen:
        name, parts = f"{layer}/{tensor}", []
        for _, found in values(run, layer, tensor, begin, end):
            parts.append(found[:, units])
            yield
        arrays[name], columns[name] = np.concatenate(parts), list(map(str, units))
    return Exported(arrays, columns)


def as_npz(exported: Exported) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **exported.arrays)
    return file.getvalue()


def as_csv(exported: Exported) -> bytes:
    """A row for each step: the step, its inputs, its outputs, and a column LAYER/TENSOR/UNIT for
    each number; empty where there is none."""
    columns: list[tuple[str, NDArray[Any]]] = []
    for name, array in exported.arrays.items():
        if array.ndim == 1:
            columns.append((name, array))
        else:
            names = exported.columns[name]
            columns += [(f"{name}/{one}", array[:, at]) for at, one in enumerate(names)]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([name for name, _ in columns])
    rows.writerows(zip(*(_written(array) for _, array in columns), strict=True))
    return text.getvalue().encode()


def _tensors_of(run: Run, layer: int, tensors: Sequence[str] | None) -> Sequence[str]:
    check_layer(run, layer)
    if tensors is None:
        return [*run.layers[layer].gates, HIDDEN]
    for tensor in tensors:
        check_tensor(run, layer, tensor)
    return tensors


def _written(array: NDArray[Any]) -> list[str]:
    """The shortest digits that read back as the same number."""
    missing = np.isnan(array)
    return ["" if none else str(one) for one, none in zip(array, missing, strict=True)]
