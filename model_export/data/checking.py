"""Rows of a frame become series, checked one after the other."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.clock import Clock
from model_export.data.counted import counted
from model_export.data.frame import Column, Frame
from model_export.data.names import names_of, notes_on_merged
from model_export.data.outliers import Bounds
from model_export.data.repairs import (
    MIN_ROWS,
    Places,
    Repairs,
    Run,
    in_order,
    without_duplicates,
    without_gaps,
)
from model_export.data.spacing import Step, find_step
from model_export.errors import DataError


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a frame that matter: `used` become the values, in this order.

    `min_rows` are those that a series needs. `fills` are the values of `--missing` that a message
    may advise; `keep` says whether `--short keep` is another one.
    """

    clock: Clock | None
    series: Column | None
    used: tuple[Column, ...]
    min_rows: int = MIN_ROWS
    fills: tuple[str, ...] = ("last", "forecast")
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """`found` says for each column of the values what was found in it, "" where nothing was.

    `changes` say what was changed in the rows, `notes` what was found about ids.
    `constant` names the columns to be left out, which have one value, or none, in all series.
    """

    runs: tuple[Run, ...]
    step: Step | None
    found: tuple[str, ...]
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    constant: frozenset[str]


BoundsOf = Callable[[list[Run]], list[Bounds]]
"""The bounds of each of some runs, by those of their rows that are for training."""


def check(
    frame: Frame,
    layout: Layout,
    repairs: Repairs,
    bounds_of: BoundsOf,
) -> Checked:
    """Every series in order, at a regular step, with its missing cells as NaN.

    The order of time comes first, then duplicates, gaps, outliers, missing cells and constant
    columns. Outliers come so late because only regular rows can be divided, and the training part
    alone says what is far from all others. Raises DataError for what `repairs` refuses.
    """
    places = places_of(frame, layout)
    counts: Counter[str] = Counter()
    ids = None if layout.series is None else names_of(frame, layout.series, "id of a series")
    runs = _runs(frame, layout, ids)
    runs = _each(runs, counts, "sorted", lambda r: in_order(r, repairs.order, places))
    runs = _each(
        runs, counts, "surplus", lambda r: without_duplicates(r, repairs.duplicates, places)
    )
    runs = _long_enough(runs, counts, layout, repairs, places)
    step = _step(runs, layout)
    runs = _each(runs, counts, "gaps", lambda r: without_gaps(r, step, repairs.gaps, places))
    runs, found = _without_outliers(runs, counts, bounds_of(runs), repairs, places)
    if repairs.missing == "refuse":
        _refuse_missing(runs, layout, places)
    constant = _constant_columns(runs, layout, repairs, places)
    counts["constant"] = len(constant)
    still = _still(runs)
    told = tuple("; ".join(filter(None, texts)) for texts in zip(found, still, strict=True))
    notes = () if ids is None else tuple(_notes_on_ids(frame, layout, ids))
    return Checked(tuple(runs), step, told, _changes(counts, repairs), notes, constant)


def places_of(frame: Frame, layout: Layout) -> Places:
    """How messages on the runs of a frame name their places."""
    time = str if layout.clock is None else layout.clock.text
    return Places(frame.origin, frame.place, time, several=layout.series is not None)


def _runs(frame: Frame, layout: Layout, names: pl.Series | None) -> list[Run]:
    """One for each id, in the order of their first rows."""
    values = np.column_stack([column.values.cast(pl.Float64).to_numpy() for column in layout.used])
    ticks = None if layout.clock is None else layout.clock.ticks
    whole = Run("", values, ticks, frame.lines)
    if names is None:
        return [whole]
    codes = names.rank("dense").to_numpy()
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    groups.sort(key=lambda rows: int(rows[0]))
    return [replace(whole.picked(rows), name=names[int(rows[0])]) for rows in groups]


def _notes_on_ids(frame: Frame, layout: Layout, ids: pl.Series) -> Iterator[str]:
    assert layout.series is not None
    yield from notes_on_merged(layout.series, ids, "series")
    if layout.clock is not None:
        return
    begins = (ids != ids.shift()).fill_null(value=True).arg_true()
    again = begins.filter(~ids.gather(begins).is_first_distinct())
    if len(again):
        row = int(again[0])
        before = int((ids == ids[row]).arg_true()[0])
        yield (
            "rows of one series that stand apart in the file are one sequence all the same (such "
            f"series: {ids.gather(again).n_unique()}): {ids[row]!r} begins in {frame.place} "
            f"{frame.lines[before]} and goes on in {frame.place} {frame.lines[row]}"
        )


def _long_enough(
    runs: list[Run], counts: Counter[str], layout: Layout, repairs: Repairs, places: Places
) -> list[Run]:
    short = [run for run in runs if len(run.lines) < layout.min_rows]
    if repairs.short == "keep" or not short:
        return runs
    if repairs.short == "refuse" or len(short) == len(runs):
        some = f" ({len(short)} of {len(runs)} series have fewer)" if len(runs) > 1 else ""
        drop = "; --short drop leaves them out" if len(short) < len(runs) else ""
        keep = "; --short keep takes them as they are" if layout.keep else ""
        raise DataError(
            f"{places.at(short[0], 0)}: the series has {counted(len(short[0].lines), 'row')}, at "
            f"least {layout.min_rows} are needed{some}{drop}{keep}"
        )
    counts["short"] = len(short)
    return [run for run in runs if len(run.lines) >= layout.min_rows]


def _each(
    runs: list[Run], counts: Counter[str], what: str, repair: Callable[[Run], tuple[Run, int]]
) -> list[Run]:
    repaired = []
    for run in runs:
        result, count = repair(run)
        counts[what] += count
        repaired.append(result)
    return repaired


def _without_outliers(
    runs: list[Run],
    counts: Counter[str],
    bounds: list[Bounds],
    repairs: Repairs,
    places: Places,
) -> tuple[list[Run], tuple[str, ...]]:
    masks = [one.beyond(run.values) for run, one in zip(runs, bounds, strict=True)]
    found = tuple(
        _outliers_found(runs, masks, bounds, column, places)
        for column in range(runs[0].values.shape[1])
    )
    if repairs.outliers == "keep":
        return runs, found
    counts["outliers"] = sum(int(mask.sum()) for mask in masks)
    bare = [
        replace(run, values=np.where(mask, np.nan, run.values))
        for run, mask in zip(runs, masks, strict=True)
    ]
    return bare, tuple(text and f"{text}; made missing" for text in found)


def _outliers_found(
    runs: list[Run],
    masks: list[NDArray[np.bool_]],
    bounds: list[Bounds],
    column: int,
    places: Places,
) -> str:
    """How many, and the one that is furthest from the middle of its series."""
    count = sum(int(mask[:, column].sum()) for mask in masks)
    if not count:
        return ""
    _, value, line = max(
        _worst(run, mask[:, column], one, column)
        for run, mask, one in zip(runs, masks, bounds, strict=True)
        if mask[:, column].any()
    )
    text = f"outliers: {count}, the worst {value:.6g} in {places.place} {line}"
    return "; ".join([text, *_codes_found(runs, bounds, column)])


def _codes_found(runs: list[Run], bounds: list[Bounds], column: int) -> Iterator[str]:
    """Each value that seems to stand for none, and how often."""
    codes = [
        run.values[one.codes(run.values)[:, column], column]
        for run, one in zip(runs, bounds, strict=True)
    ]
    values, counts = np.unique(np.concatenate(codes), return_counts=True)
    for value, count in zip(values, counts, strict=True):
        yield f"{value:.6g} ({counted(int(count), 'row')}) looks like a code for no value"


def _worst(
    run: Run, mask: NDArray[np.bool_], bounds: Bounds, column: int
) -> tuple[float, float, int]:
    distance = np.where(mask, bounds.distances(run.values)[:, column], -1.0)
    row = int(np.argmax(distance))
    return float(distance[row]), float(run.values[row, column]), int(run.lines[row])


def _step(runs: list[Run], layout: Layout) -> Step | None:
    if layout.clock is None:
        return None
    ticks = [run.ticks for run in runs if run.ticks is not None]
    return find_step(ticks, dates=layout.clock.dates)


def _refuse_missing(runs: list[Run], layout: Layout, places: Places) -> None:
    count = sum(int(np.isnan(run.values).sum()) for run in runs)
    if not count:
        return
    run = next(run for run in runs if np.isnan(run.values).any())
    row, column = map(int, np.argwhere(np.isnan(run.values))[0])
    where = places.at(run, row) if run.lines[row] else f"{places.origin}, a row put into a gap"
    ways = " or ".join(f"--missing {fill}" for fill in layout.fills)
    raise DataError(
        f"{where}, column {layout.used[column].name!r}: missing value ({count} in all); {ways} "
        "trains with missing values"
    )


def _still(runs: list[Run]) -> Iterator[str]:
    """In how many of several series each column never changes."""
    spans = [np.fmax.reduce(run.values) - np.fmin.reduce(run.values) for run in runs]
    for count in (~(np.array(spans) > 0)).sum(axis=0):
        yield f"never changes in {count} of {len(runs)} series" if count and len(runs) > 1 else ""


def _changes(counts: Counter[str], repairs: Repairs) -> tuple[str, ...]:
    told = {
        "sorted": "rows that went back in time, sorted",
        "surplus": f"duplicate times, {repairs.duplicates} taken",
        "short": "series of too few rows left out",
        "gaps": "gaps in time, the rows taken as evenly spaced"
        if repairs.gaps == "keep"
        else "rows of missing values put into gaps",
        "outliers": "outliers made missing",
        "constant": "columns that never change, left out",
    }
    return tuple(f"{text}: {counts[what]}" for what, text in told.items() if counts[what])


def _constant_columns(
    runs: list[Run], layout: Layout, repairs: Repairs, places: Places
) -> frozenset[str]:
    """Raises DataError for the first of them unless they are to be dropped."""
    lowest = np.array([np.fmin.reduce(run.values) for run in runs])
    highest = np.array([np.fmax.reduce(run.values) for run in runs])
    never = ~(np.fmax.reduce(highest) > np.fmin.reduce(lowest))
    constant = [column for column, still in zip(layout.used, never, strict=True) if still]
    if constant and repairs.constant == "refuse":
        value = constant[0].values.drop_nulls()[0]
        raise DataError(
            f"{places.origin}, column {constant[0].name!r}: always {value:g} (such columns: "
            f"{len(constant)}); --constant drop leaves them out"
        )
    return frozenset(column.name for column in constant)
