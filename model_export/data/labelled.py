"""Sequences of numbers with one label each, for classification."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.column_report import ColumnReport
from model_export.data.frame import ReadOptions
from model_export.data.series import Repairs
from model_export.data.source import Source


@dataclass(frozen=True, slots=True)
class LabelRoles:
    """Names of columns; `inputs` None takes all columns of numbers that have no other role."""

    series: str = "series"
    label: str = "label"
    time: str | None = None
    inputs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LabelledSequences:
    """`sequences` of [N_i, F] float64 (NaN where missing); `targets` [n] int64 index `labels`."""

    inputs: tuple[str, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    sequences: tuple[NDArray[np.float64], ...]
    targets: NDArray[np.int64]
    columns: tuple[ColumnReport, ...]
    source: Source
    notes: tuple[str, ...] = ()


def load_labelled(
    data: str,
    options: ReadOptions | None = None,
    roles: LabelRoles | None = None,
    repairs: Repairs | None = None,
) -> LabelledSequences:
    """Raises DataError where a sequence has two labels or none, or a check of series fails."""
    raise NotImplementedError
