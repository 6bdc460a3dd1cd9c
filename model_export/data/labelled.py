"""Sequences of numbers with one label each, for classification."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.checking import Layout, check, constant_columns
from model_export.data.column_report import ColumnReport, report_of
from model_export.data.frame import Column, Frame, ReadOptions
from model_export.data.read import read_frame
from model_export.data.repairs import Repairs
from model_export.data.roles import SeriesRoles, Wording, assign
from model_export.data.source import Source
from model_export.data.telling import described, notes_on, reports
from model_export.errors import DataError

_WORDING = Wording("to classify by", "--inputs", "--inputs")


@dataclass(frozen=True, slots=True)
class LabelRoles:
    """Names of columns; `inputs` None takes all columns of numbers that have no other role."""

    series: str = "series"
    label: str = "label"
    time: str | None = None
    inputs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LabelledSequences:
    """`sequences` of [N_i, F] float64 (NaN where missing); `targets` [n] int64 index `labels`.

    `names` [n] are the sequences' ids, in the order of their first rows. Labels are sorted, numbers
    by value.
    """

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
    return labelled_of(read_frame(data, options), roles or LabelRoles(), repairs or Repairs())


def labelled_of(frame: Frame, roles: LabelRoles, repairs: Repairs) -> LabelledSequences:
    """As `load_labelled`."""
    series, label = _role(frame, roles.series, "series"), _role(frame, roles.label, "label")
    label_of = _label_of_each(frame, series, label)
    labels = _labels(frame, label, set(label_of.values()))
    rest = replace(frame, columns=tuple(c for c in frame.columns if c is not label))
    given = assign(rest, SeriesRoles(roles.time, roles.series, roles.inputs), _WORDING)
    checked = check(rest, Layout(given.clock, given.series, given.used), repairs, min_rows=1)
    constant = constant_columns(rest, given.used, checked, repairs)
    kept = [at for at, column in enumerate(given.used) if column.name not in constant]
    if not kept:
        raise DataError(f"{frame.origin}: --constant drop leaves no input")
    names = tuple(run.name for run in checked.runs)
    return LabelledSequences(
        inputs=tuple(given.used[at].name for at in kept),
        labels=labels,
        names=names,
        sequences=tuple(run.values[:, kept] for run in checked.runs),
        targets=np.array([labels.index(label_of[name]) for name in names], np.int64),
        columns=_reports(frame, label, list(reports(rest, given, checked, constant))),
        source=described(frame.source, checked.changes),
        notes=(*frame.notes, *notes_on(given.time, given.clock, checked)),
    )


def _role(frame: Frame, name: str, role: str) -> Column:
    if name not in frame.names:
        names = ", ".join(frame.names[:20])
        raise DataError(f"{frame.origin}: no column {name!r}; --{role} names it, one of {names}")
    return frame.column(name)


def _label_of_each(frame: Frame, series: Column, label: Column) -> dict[str, str]:
    """Raises DataError at the first row whose label is missing, or another one than before."""
    rows = pl.DataFrame({"series": series.texts, "label": label.texts})
    for row in rows["label"].is_null().arg_true()[:1]:
        raise DataError(f"{frame.cell_at(row, label)}: no label")
    first = rows.select(pl.col("label").first().over("series")).to_series()
    for row in (rows["label"] != first).arg_true()[:1]:
        before = int((rows["series"] == rows["series"][row]).arg_true()[0])
        raise DataError(
            f"{frame.cell_at(row, label)}: {rows['label'][row]!r}, and series "
            f"{rows['series'][row]!r} is {first[row]!r} in {frame.place} {frame.lines[before]}; a "
            "sequence has one label"
        )
    return dict(zip(rows["series"], rows["label"], strict=True))


def _labels(frame: Frame, label: Column, found: set[str]) -> tuple[str, ...]:
    if len(found) < 2:
        raise DataError(
            f"{frame.origin}, column {label.name!r}: all sequences are {found.pop()!r}; two labels "
            "are needed"
        )
    return tuple(sorted(found, key=float if label.numeric else str))


def _reports(frame: Frame, label: Column, others: list[ColumnReport]) -> tuple[ColumnReport, ...]:
    """In the order of the file."""
    by_name = {
        one.name: replace(one, role="input") if one.role == "target" else one for one in others
    }
    by_name[label.name] = report_of(label, "label", done="used", why="named")
    return tuple(by_name[name] for name in frame.names)
