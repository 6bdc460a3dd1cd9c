"""Points in time as files write them."""

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

from model_export.errors import DataError, one_line

_CLOCK = (
    r"(?:(?:[T ]|,\s)\s*(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?"
    r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>Z|UTC|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?$"
)
_YEAR_FIRST = r"^(?P<year>[0-9]{4})[-/.](?P<month>[0-9]{1,2})(?:[-/.](?P<day>[0-9]{1,2}))?" + _CLOCK
_YEAR_LAST = r"^(?P<a>[0-9]{1,2})(?P<mark>[-/.])(?P<b>[0-9]{1,2})[-/.](?P<year>[0-9]{4})" + _CLOCK
_LOOKS_LIKE = (re.compile(_YEAR_FIRST), re.compile(_YEAR_LAST))
_FRACTION = re.compile(r"^[0-9]{4}[.][0-9]+$")
"""A number, though it could be a year and a month."""

_BEYOND_MICROSECONDS = r":[0-9]{2}[.,][0-9]{6}([0-9]+)"
_ONE_FORM = "write all times of the column in one form"
TOO_FINE = (
    "and another time differ by less than the microseconds that are kept; write a count of "
    "nanoseconds in their place"
)

_ZONES = ("UTC", "GMT", "Z")
"""Names in the place of %Z that say how far from UTC a clock is: not at all."""

Order = Literal["day first", "month first"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a column of times cannot be read, and the row of the first cell that shows it."""

    row: int
    text: str


@dataclass(frozen=True, slots=True)
class Times:
    """`values` [N] Datetime in microseconds, null where a cell is no time.

    `alike` counts the cells that are a time in one of the forms, whichever that of the column is.
    With a `fault` the values are not to be used.
    """

    values: pl.Series
    alike: int
    fault: Fault | None = None


def looks_like_time(cell: str) -> bool:
    """A date with or without a time of day."""
    bare = cell.strip()
    return any(form.match(bare) for form in _LOOKS_LIKE) and not _FRACTION.match(bare)


def by_format(cells: pl.Series, time_format: str) -> pl.Series:
    """Datetime [N], null where the format does not fit. Raises DataError for no format."""
    chrono = time_format.replace(".%f", "%.f")
    if "%H" in chrono and "%M" not in chrono:  # polars wants both, or neither
        cells, chrono = cells + "|00", chrono + "|%M"
    try:
        parsed = cells.str.to_datetime(chrono, strict=False, time_unit="us")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"--time-format {time_format!r}: {one_line(error)}") from error
    if isinstance(parsed.dtype, pl.Datetime) and parsed.dtype.time_zone:
        parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return parsed


def fault_of_format(cells: pl.Series, times: pl.Series, time_format: str) -> Fault | None:
    """What keeps `times`, of cells by their format, from being used."""
    return _of_named_zones(cells, times, time_format) or too_fine(cells, times)


def _of_named_zones(cells: pl.Series, times: pl.Series, time_format: str) -> Fault | None:
    """%Z fits any name, and moves no time."""
    if "%Z" not in time_format:
        return None
    left = times.is_not_null()
    for zone in _ZONES:
        left &= by_format(cells, time_format.replace("%Z", zone)).is_null()
    for row in left.arg_true()[:1]:
        return Fault(
            row,
            f"{cells[row]!r} names a time zone, and names other than UTC, GMT and Z do not say how "
            "far from UTC its clock is; write an offset such as +01:00, and %z in --time-format",
        )
    return None


def parse_times(cells: pl.Series, time_format: str | None) -> Times:
    """By `time_format` where it fits most cells, else dates as ISO 8601 and as people write them.

    Days and months are told apart by the column: a "13/01/2020" anywhere, or points ("01.02.2020",
    the day first). `fault` says where both readings stay possible, where dates of one column are
    written in different forms, and where microseconds do not tell times apart. Offsets from UTC are
    added up; the clock of a place without its offset is taken as it is.
    """
    if time_format is not None:
        given = by_format(cells, time_format)
        if 2 * given.count() > cells.count():
            return Times(given, given.count(), fault_of_format(cells, given, time_format))
    dates = cells.set(cells.str.contains(_FRACTION.pattern).fill_null(value=False), None)
    first, last = _parts(dates, _YEAR_FIRST), _parts(dates, _YEAR_LAST)
    alike = _dates_among(first, last)
    parts = first if first["year"].count() else _named(last, _order_of(last) or "day first")
    values = _assembled(parts)
    fault = _of_two_forms(cells, first, last) or _of_two_orders(cells, last) or _half_zoned(parts)
    return Times(values, alike, fault or too_fine(cells, values))


def _parts(cells: pl.Series, pattern: str) -> pl.DataFrame:
    return cells.str.extract_groups(pattern).struct.unnest()


def _dates_among(first: pl.DataFrame, last: pl.DataFrame) -> int:
    """Not the cells that only have the shape of a date: 12-34-5678."""
    month, day, a, b = (
        parts[name].cast(pl.Int32)
        for parts, name in ((first, "month"), (first, "day"), (last, "a"), (last, "b"))
    )
    in_front = month.is_between(1, 12) & day.fill_null(1).is_between(1, 31)
    behind = a.is_between(1, 31) & b.is_between(1, 31) & ((a <= 12) | (b <= 12))
    return len(in_front.arg_true()) + len(behind.arg_true())


def _of_two_forms(cells: pl.Series, first: pl.DataFrame, last: pl.DataFrame) -> Fault | None:
    """Where the year stands now in front and now behind, or the marks between days and months
    change."""
    in_front = pl.DataFrame({"year": first["year"], "mark": last["mark"]})
    forms = in_front.select(
        pl.when(pl.col("year").is_not_null()).then(pl.lit("year")).otherwise("mark")
    ).to_series()
    for form in forms.drop_nulls()[:1]:
        for row in (forms != form).arg_true()[:1]:
            one = cells[(forms == form).arg_true()[0]]
            return Fault(
                row, f"{cells[row]!r} is written in another form than {one!r}; {_ONE_FORM}"
            )
    return None


def _of_two_orders(cells: pl.Series, last: pl.DataFrame) -> Fault | None:
    """Where days and months could change places, or would have to from row to row."""
    order = _order_of(last)
    if order is None:
        return Fault(
            last["year"].is_not_null().arg_true()[0],
            "days and months cannot be told apart; --time-format %d/%m/%Y or %m/%d/%Y says which",
        )
    if order == "day first":
        for row in (last["b"].cast(pl.Int32) > 12).arg_true()[:1]:
            text = f"{cells[row]!r} is no date with the day in front, as the others are"
            return Fault(row, f"{text}; {_ONE_FORM}")
    return None


def _order_of(parts: pl.DataFrame) -> Order | None:
    """None where days and months could change places."""
    a, b = (parts[name].cast(pl.Int32) for name in "ab")
    if (a > 12).any() or (parts["mark"] == ".").any():
        return "day first"
    if (b > 12).any():
        return "month first"
    return "day first" if (a == b).all() else None


def _named(parts: pl.DataFrame, order: Order) -> pl.DataFrame:
    day, month = ("a", "b") if order == "day first" else ("b", "a")
    return parts.rename({day: "day", month: "month"})


def _assembled(parts: pl.DataFrame) -> pl.Series:
    hour = _number("hour") % 12 + 12 * (pl.col("half").str.to_lowercase() == "pm").cast(pl.Int64)
    clock = pl.when(pl.col("half").is_not_null()).then(hour).otherwise(_number("hour"))
    text = pl.format(
        "{}-{}-{} {}:{}:{}.{}",
        "year",
        "month",
        pl.col("day").fill_null("1"),
        clock.fill_null(0),
        pl.col("minute").fill_null("0"),
        pl.col("second").fill_null("0"),
        pl.col("fraction").fill_null("0").str.pad_end(9, "0"),
    )
    local = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
    return parts.select(local - _offset()).to_series()


def _number(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.Int64)


def _offset() -> pl.Expr:
    """From UTC; zero for "Z", and where no zone is given."""
    hours = pl.col("zone").str.extract(r"^[+-]([0-9]{2})").cast(pl.Int64).fill_null(0)
    minutes = pl.col("zone").str.extract(r"^[+-][0-9]{2}:?([0-9]{2})$").cast(pl.Int64).fill_null(0)
    sign = pl.when(pl.col("zone").str.starts_with("-")).then(-1).otherwise(1)
    return pl.duration(minutes=sign * (60 * hours + minutes))


def _half_zoned(parts: pl.DataFrame) -> Fault | None:
    zones, times = parts["zone"].count(), parts["year"].count()
    if not 0 < zones < times:
        return None
    row = (parts["year"].is_not_null() & parts["zone"].is_null()).arg_true()[0]
    return Fault(
        row,
        f"{zones} of {times} times name a time zone and the others do not; "
        "name it in all of them or in none",
    )


def too_fine(cells: pl.Series, values: pl.Series) -> Fault | None:
    """Where times in microseconds are the same, and what cells say beyond these is not."""
    beyond = cells.str.extract(_BEYOND_MICROSECONDS).str.strip_chars_end("0").fill_null("")
    if not (beyond != "").any():
        return None
    first = pl.DataFrame({"value": values, "beyond": beyond}).select(
        pl.col("beyond").first().over("value")
    )
    for row in (values.is_not_null() & (beyond != first.to_series())).arg_true()[:1]:
        return Fault(row, f"{cells[row]!r} {TOO_FINE}")
    return None
