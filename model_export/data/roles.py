"""Which column of a frame is what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_export.data.clock import Clock, clock_of, refuse_split_time
from model_export.data.column_report import Role
from model_export.data.frame import Column, Frame
from model_export.data.identity import refuse_second_key, refuse_stacked
from model_export.errors import DataError

_TIME_NAMES = frozenset(
    {
        "date", "datetime", "day", "ds", "epoch", "hour", "minute", "month", "second", "time",
        "timestamp", "ts", "unix", "unixtime", "year",
    }
)  # fmt: skip
_FLOAT32 = float(np.finfo(np.float32).max)
_COUNTS = "rises by the same amount in every row"
_FEWEST_COUNTED = 8
"""Rows from which a column that rises by the same amount is taken for a count of rows."""


@dataclass(frozen=True, slots=True)
class SeriesRoles:
    """Names of columns.

    `time` orders the rows; None takes the only column of times, or else the only one that counts
    the rows, if there is one. `series` tells several series of one file apart. `targets` are
    forecast; None takes all columns of numbers that have no other role. `inputs` are measured with
    the targets and unknown ahead of now; `known` are known ahead, such as the calendar or a price.
    """

    time: str | None = None
    series: str | None = None
    targets: tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    known: tuple[str, ...] = ()

    def named(self) -> Iterator[tuple[str, Role]]:
        """Every column that is named, with its role."""
        if self.time is not None:
            yield self.time, "time"
        if self.series is not None:
            yield self.series, "series"
        yield from ((name, "target") for name in self.targets or ())
        yield from ((name, "known") for name in self.known)
        yield from ((name, "input") for name in self.inputs)


@dataclass(frozen=True, slots=True)
class Wording:
    """How messages call what the columns of values are for, and the options that name them."""

    purpose: str = "to forecast"
    option: str = "--targets"
    options: str = "--targets, --known or --inputs"


FORECAST = Wording()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a column has its role."""

    role: Role
    why: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """`reasons` holds every column of the frame by name."""

    time: Column | None
    clock: Clock | None
    series: Column | None
    targets: tuple[Column, ...]
    known: tuple[Column, ...]
    inputs: tuple[Column, ...]
    reasons: dict[str, Reason]

    @property
    def groups(self) -> tuple[tuple[Column, ...], ...]:
        """Targets, known, inputs."""
        return self.targets, self.known, self.inputs

    @property
    def used(self) -> tuple[Column, ...]:
        """Columns of the values, in their order."""
        return self.targets + self.known + self.inputs


def assign(frame: Frame, roles: SeriesRoles, wording: Wording = FORECAST) -> Assignment:
    """Roles for all columns.

    Raises DataError for a name that is no column or has two roles, a column that cannot have its
    role, a column that looks like times or like the id of several series and has no role, and where
    nothing is left to forecast.
    """
    reasons = _named(frame, roles)
    time = _time_column(frame, roles, reasons) or _counting_column(frame, roles, reasons)
    clock = None if time is None else clock_of(frame, time)
    series = None if roles.series is None else frame.role(roles.series, "series")
    for column in frame.columns:
        if column.name not in reasons:
            reasons[column.name] = _unnamed(frame, column, roles, wording, time)
    if clock is not None and time is not None:
        refuse_split_time(frame, clock, time, _left_out(frame, reasons))
    if series is not None and clock is not None:
        refuse_second_key(frame, clock, series, roles.named())
    if series is None:
        refuse_stacked(frame, clock, {n: r.role for n, r in reasons.items()}, roles.named())
    by_role = {
        role: tuple(c for c in _in_named_order(frame, roles) if reasons[c.name].role == role)
        for role in ("target", "known", "input")
    }
    _refuse_nothing(frame, by_role["target"], wording, reasons)
    for columns in by_role.values():
        for column in columns:
            _refuse_unusable(frame, column, wording)
    return Assignment(
        time, clock, series, by_role["target"], by_role["known"], by_role["input"], reasons
    )


def _named(frame: Frame, roles: SeriesRoles) -> dict[str, Reason]:
    reasons: dict[str, Reason] = {}
    for name, role in roles.named():
        frame.column(name)
        if name in reasons:
            raise DataError(
                f"{frame.origin}: column {name!r} cannot be {reasons[name].role} and {role}; name "
                "it once"
            )
        reasons[name] = Reason(role, "named")
    return reasons


def _left_out(frame: Frame, reasons: Mapping[str, Reason]) -> Iterator[Column]:
    return (column for column in frame.columns if reasons[column.name].role == "left out")


def _in_named_order(frame: Frame, roles: SeriesRoles) -> list[Column]:
    """Columns that were named come in the order of their naming."""
    named = [name for name, _ in roles.named()]
    rest = [name for name in frame.names if name not in set(named)]
    columns = {column.name: column for column in frame.columns}
    return [columns[name] for name in named + rest]


def _time_column(frame: Frame, roles: SeriesRoles, reasons: dict[str, Reason]) -> Column | None:
    if roles.time is not None:
        return frame.column(roles.time)
    free = [column for column in frame.columns if column.name not in reasons]
    for column in free:
        if column.nearly == "time" and column.fault:
            raise DataError(column.fault)
    times = [column for column in free if column.kind == "time"]
    if len(times) > 1:
        names = " or ".join(f"--time {column.name!r}" for column in times)
        raise DataError(f"{frame.origin} has {len(times)} columns of times; choose: {names}")
    if times:
        reasons[times[0].name] = Reason("time", "the only column of times")
    return times[0] if times else None


def _counting_column(frame: Frame, roles: SeriesRoles, reasons: dict[str, Reason]) -> Column | None:
    within = _within_series(frame, roles)
    free = [column for column in frame.columns if column.name not in reasons and column.numeric]
    rises = [(column, _counts_rows(column, within)) for column in free]
    counting = [c for c, rise in rises if rise > 0 or (rise < 0 and roles.targets is None)]
    if len(counting) != 1:
        return None
    reasons[counting[0].name] = Reason("time", f"{_COUNTS}: taken as the time")
    return counting[0]


def _unnamed(
    frame: Frame, column: Column, roles: SeriesRoles, wording: Wording, time: Column | None
) -> Reason:
    """A target, or left out. Raises DataError for a faulty column, and a part of the date."""
    by_default = roles.targets is None
    if column.numeric and column.name.lower() in _TIME_NAMES and (by_default or time is None):
        _refuse_unnamed_time(frame, column, wording, timed=time is not None)
    if column.kind == "text" and column.name.lower() in _TIME_NAMES and by_default and time is None:
        _refuse_unread_time(frame, column, wording)
    if by_default and column.fault:
        raise DataError(f"{column.fault}; or choose columns with {wording.option}")
    if not column.numeric:
        return Reason("left out", _why_not_numeric(column, wording))
    if not by_default:
        return Reason("left out", "not named")
    if _counts_rows(column, _within_series(frame, roles)):
        return Reason("left out", f"{_COUNTS}; {wording.option} takes it")
    return Reason("target", "a column of numbers")


def _refuse_unnamed_time(frame: Frame, column: Column, wording: Wording, *, timed: bool) -> None:
    looks = "a part of the date" if timed else f"the time (--time {column.name})"
    raise DataError(
        f"{frame.origin}: column {column.name!r} looks like {looks}; name it in {wording.options}"
    )


def _refuse_unread_time(frame: Frame, column: Column, wording: Wording) -> None:
    raise DataError(
        f"{_first_cell(frame, column)} is not read as a time; --time-format says how, or "
        f"{wording.option} names the columns to use"
    )


def _first_cell(frame: Frame, column: Column) -> str:
    """The first one that holds something, with its place."""
    row = int(column.cells.is_not_null().arg_true()[0])
    return f"{frame.cell_at(row, column)}: {column.texts[row]!r}"


def _why_not_numeric(column: Column, wording: Wording) -> str:
    if column.kind == "true or false":
        return f"true or false; taken as 1 and 0 when named in {wording.options}"
    if column.kind == "time":
        return "not the time that orders the rows"
    if column.numbers and not column.fault:
        return f"text; {column.numbers} of {column.cells.count()} cells are numbers"
    return "holds nothing" if column.kind == "empty" else column.fault or "text"


def _within_series(frame: Frame, roles: SeriesRoles) -> NDArray[np.bool_]:
    """[N - 1]: which neighbours belong to the same series."""
    if roles.series is None:
        return np.ones(len(frame.lines) - 1, np.bool_)
    series = frame.column(roles.series)
    ids = series.values if series.kind == "whole number" else series.cells
    return (ids == ids.shift()).fill_null(value=False).to_numpy()[1:]


def _counts_rows(column: Column, within: NDArray[np.bool_]) -> float:
    """By how much it rises from each row of a series to the next; 0 where that differs."""
    if len(column.values) < _FEWEST_COUNTED or column.values.null_count():
        return 0.0
    steps = np.diff(column.values.to_numpy())[within]
    same = len(steps) > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0.0)
    return float(steps[0]) if same else 0.0


def _refuse_nothing(
    frame: Frame, targets: tuple[Column, ...], wording: Wording, reasons: Mapping[str, Reason]
) -> None:
    if targets:
        return
    kinds = ", ".join(f"{column.name!r} ({column.kind})" for column in frame.columns[:10])
    spaces = len(frame.columns) == 1 and " " in frame.columns[0].name
    way_out = "; where spaces separate cells: --delimiter ' '" if spaces else ""
    for column in frame.columns:
        if reasons[column.name].why.startswith(_COUNTS):
            way_out = f"; column {column.name!r} {reasons[column.name].why}"
    raise DataError(
        f"{frame.origin} has no column of numbers {wording.purpose}; there are {kinds}{way_out}"
    )


def _refuse_unusable(frame: Frame, column: Column, wording: Wording) -> None:
    if column.fault:
        raise DataError(column.fault)
    if column.kind == "empty":
        raise DataError(f"{frame.origin}: column {column.name!r} holds no value")
    if column.kind in {"text", "time"}:
        raise DataError(f"{_first_cell(frame, column)} is {column.kind}, not a number")
    beyond = (column.values.abs() > _FLOAT32).arg_true()
    if len(beyond):
        row = beyond[0]
        raise DataError(
            f"{frame.cell_at(row, column)}: {column.texts[row]} is beyond float32, in which "
            "networks compute; use a larger unit"
        )
    large = (column.values.abs() >= 2**53).arg_true()
    if column.numeric and len(large) and column.texts[large[0]].lstrip("+-").isdigit():
        raise DataError(
            f"{frame.cell_at(large[0], column)}: {column.texts[large[0]]} has more digits than a "
            f"float64 holds; name an id with --series, or other columns with {wording.option}"
        )
