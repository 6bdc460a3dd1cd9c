"""Sequences of numbers with one label each, for classification."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.checking import Layout, check
from model_export.data.column_report import ColumnReport, report_of
from model_export.data.frame import Column, Frame, ReadOptions
from model_export.data.names import names_of, notes_on_merged
from model_export.data.outliers import Bounds
from model_export.data.read import read_frame
from model_export.data.repairs import Repairs, Run
from model_export.data.roles import SeriesRoles, Wording, assign
from model_export.data.source import Source
from model_export.data.telling import described, notes_on, reports
from model_export.errors import DataError

_FEWEST_STEPS = 3
"""What a sequence has as a rule; fewer are most often what is left of one."""
_WORDING = Wording("to classify by", "--inputs", "--inputs")


@dataclass(frozen=True, slots=True)
class LabelRoles:
    """Names of columns; `inputs` None takes all columns of numbers that have no other role."""

    series: str = "series"
    label: str = "label"
    time: str | None = None
    inputs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Labelling:
    """`names` [n] are the sequences' ids, in the order of their first rows; `targets` [n] int64
    index `labels`, which are sorted, numbers by value.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    targets: NDArray[np.int64]


TrainingSequences = Callable[[Labelling], NDArray[np.int64]]
"""Indexes of the sequences that are for training."""


def all_sequences(labelling: Labelling) -> NDArray[np.int64]:
    """Of sequences that are not divided."""
    return np.arange(len(labelling.names))


@dataclass(frozen=True, slots=True, eq=False)
class LabelledSequences:
    """`sequences` of [N_i, F] float64, NaN where missing."""

    inputs: tuple[str, ...]
    labelling: Labelling
    sequences: tuple[NDArray[np.float64], ...]
    columns: tuple[ColumnReport, ...]
    source: Source
    notes: tuple[str, ...] = ()


def load_labelled(
    data: str,
    options: ReadOptions | None = None,
    roles: LabelRoles | None = None,
    repairs: Repairs | None = None,
    training: TrainingSequences = all_sequences,
) -> LabelledSequences:
    """Only the sequences for `training` say what is far from all others.

    Raises DataError where a sequence has two labels or none, or a check of series fails.
    """
    frame = read_frame(data, options)
    return labelled_of(frame, roles or LabelRoles(), repairs or Repairs(), training)


def labelled_of(
    frame: Frame, roles: LabelRoles, repairs: Repairs, training: TrainingSequences
) -> LabelledSequences:
    """As `load_labelled`."""
    series, label = frame.role(roles.series, "series"), frame.role(roles.label, "label")
    ids = names_of(frame, series, "id of a series")
    label_texts = names_of(frame, label, "label")
    label_of = _label_of_each(frame, label, ids, label_texts)
    labels = _labels(frame, label, label_texts)
    rest = replace(frame, columns=tuple(c for c in frame.columns if c is not label))
    given = assign(rest, SeriesRoles(roles.time, roles.series, roles.inputs), _WORDING)

    def labelling_of(runs: Sequence[Run]) -> Labelling:
        names = tuple(run.name for run in runs)
        targets = np.array([labels.index(label_of[name]) for name in names], np.int64)
        return Labelling(names, labels, targets)

    def bounds_of(runs: list[Run]) -> list[Bounds]:
        rows = [runs[index].values for index in training(labelling_of(runs))]
        return [Bounds.of(np.concatenate(rows))] * len(runs)

    layout = Layout(
        given.clock, given.series, given.used, _FEWEST_STEPS, fills=("last",), keep=True
    )
    checked = check(rest, layout, repairs, bounds_of)
    kept = [at for at, column in enumerate(given.used) if column.name not in checked.constant]
    if not kept:
        raise DataError(f"{frame.origin}: --constant drop leaves no input")
    return LabelledSequences(
        inputs=tuple(given.used[at].name for at in kept),
        labelling=labelling_of(checked.runs),
        sequences=tuple(run.values[:, kept] for run in checked.runs),
        columns=_reports(frame, label, list(reports(rest, given, checked))),
        source=described(frame.source, checked.changes),
        notes=(
            *frame.notes,
            *notes_on(given.time, given.clock, checked),
            *notes_on_merged(label, label_texts, "label"),
        ),
    )


def _label_of_each(
    frame: Frame, label: Column, ids: pl.Series, label_texts: pl.Series
) -> dict[str, str]:
    """Raises DataError at the first row whose label is another one than before."""
    rows = pl.DataFrame({"series": ids, "label": label_texts})
    first = rows.select(pl.col("label").first().over("series")).to_series()
    for row in (rows["label"] != first).arg_true()[:1]:
        before = int((rows["series"] == rows["series"][row]).arg_true()[0])
        raise DataError(
            f"{frame.cell_at(row, label)}: {rows['label'][row]!r}, and series "
            f"{rows['series'][row]!r} is {first[row]!r} in {frame.place} {frame.lines[before]}; a "
            "sequence has one label"
        )
    return dict(zip(rows["series"], rows["label"], strict=True))


def _labels(frame: Frame, label: Column, texts: pl.Series) -> tuple[str, ...]:
    """In the order of their values."""
    found = pl.DataFrame({"text": texts, "value": label.values})
    labels = tuple(found.unique("text").sort("value")["text"])
    if len(labels) < 2:
        raise DataError(
            f"{frame.origin}, column {label.name!r}: all sequences are {labels[0]!r}; two labels "
            "are needed"
        )
    return labels


def _reports(frame: Frame, label: Column, others: list[ColumnReport]) -> tuple[ColumnReport, ...]:
    """In the order of the file."""
    by_name = {
        one.name: replace(one, role="input") if one.role == "target" else one for one in others
    }
    by_name[label.name] = report_of(label, "label", done="used", why="named")
    return tuple(by_name[name] for name in frame.names)
