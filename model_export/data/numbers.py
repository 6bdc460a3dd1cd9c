"""Numbers as people write them: which mark is the decimal one, and which groups thousands."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import polars as pl

from model_export.data.frame import ReadOptions
from model_export.errors import DataError

_SIGN = r"[-+\u2212]?"
_SPACES = r"[ \u00a0\u2009\u202f]"
_APOSTROPHES = r"['\u2019]"
_GROUPS = {",": ",", ".": r"\.", " ": _SPACES, "'": _APOSTROPHES}
_DIGITS = r"(?:\d(?:[\d.,'\u2019]|" + _SPACES + r")*|[.,]\d+)"
_EXPONENT = r"(?:[eE][-+]?\d+)?"
_ANY_NUMBER = f"^{_SIGN}{_DIGITS}{_EXPONENT}$"
_CURRENCY = r"(?:[^\w\s.,()\-]\s?|[A-Z]{3}\s)?"
_UNIT = r"(?:\s?[^\w\s()]{1,2}|\s[A-Za-zµΩ°%/²³]{1,6})?"
_MARKS = f"[.,'\u2019]|{_SPACES}"
_OTHER_MARKS = rf"[,'\u2019]|{_SPACES}|\..*\."
_DECORATED = (
    rf"^(?:0[xX][0-9a-fA-F]+|\(?{_CURRENCY}{_SIGN}\s?{_CURRENCY}{_DIGITS}(?:[dD][-+]?\d+)?"
    rf"{_EXPONENT}(?:\s?(?:±|\+/?-)\s?{_DIGITS})?{_UNIT}\)?)$"
)
_LOOKS_LIKE = re.compile(_ANY_NUMBER)


@dataclass(frozen=True, slots=True)
class Marks:
    """How the numbers of one file are written; `thousands` is None where nothing groups digits."""

    decimal: str = "."
    thousands: str | None = None

    def __str__(self) -> str:
        """In words, for messages."""
        groups = f" and {self.thousands!r} between thousands" if self.thousands else ""
        return f"{self.decimal!r} as the decimal mark{groups}"


_PLAIN = Marks()
_ALL = (
    _PLAIN,
    Marks(".", ","),
    Marks(".", " "),
    Marks(".", "'"),
    Marks(",", None),
    Marks(",", "."),
    Marks(",", " "),
    Marks(",", "'"),
)


def looks_like_number(cell: str) -> bool:
    """In any way of writing numbers."""
    return _LOOKS_LIKE.match(cell.strip()) is not None


def marked_otherwise(cell: str) -> bool:
    """Of a cell that is not a number with the marks of its file: whether it is one with others."""
    latin = all(sign.isascii() for sign in cell if sign.isdigit())
    return latin and looks_like_number(cell) and re.search(_MARKS, cell.strip()) is not None


def all_decorated(cells: pl.Series) -> bool:
    """Whether every cell is a number in another form: with a currency, %, a unit, or in hex."""
    return bool(cells.str.contains(_DECORATED).all())


def number_columns(cells: pl.DataFrame, marks: Marks) -> Iterator[pl.Series]:
    """Every column by `numbers`; plain ones, which most are, all at once."""
    if marks != _PLAIN or not cells.width:
        yield from (numbers(column, marks) for column in cells.iter_columns())
        return
    read = cells.select(pl.all().cast(pl.Float64, strict=False))
    finite = read.select(pl.all().is_finite().all()).row(0)
    for column, values, plain in zip(
        cells.iter_columns(), read.iter_columns(), finite, strict=True
    ):
        whole = plain and values.null_count() == column.null_count()
        yield values if whole else numbers(column, marks)


def numbers(cells: pl.Series, marks: Marks) -> pl.Series:
    """Float64 [N], null where a cell is no finite number written with these marks."""
    if marks == _PLAIN:
        plain = cells.cast(pl.Float64, strict=False)
        if plain.null_count() == cells.null_count() and plain.is_finite().all():
            return plain
    cell = pl.col("cell")
    found = pl.when(cell.str.contains(_pattern(marks))).then(_plain(cell, marks))
    number = found.cast(pl.Float64, strict=False)
    frame = cells.alias("cell").to_frame().select(number)
    return frame.select(pl.when(cell.is_finite()).then(cell)).to_series().alias(cells.name)


def find_marks(
    cells: pl.DataFrame, delimiter: str, where: Callable[[int], str], options: ReadOptions
) -> Marks:
    """The marks that make numbers of the most cells of the whole file.

    `where` names the place of a row. Raises DataError where two ways of reading do so and disagree
    ("1,234"), with the option that decides.
    """
    candidates = _allowed(options)
    chosen = options.decimal is not None or options.thousands is not None
    unclear = _unclear_columns(cells, points=delimiter == ";" or chosen)
    if not unclear.width:
        return candidates[0]
    if cells.width == 1 and options.thousands is None:
        candidates = [marks for marks in candidates if marks.thousands != " "]
    best = _most_read(unclear, candidates)
    _refuse_ambiguous(unclear, best, where)
    return best[0]


def _allowed(options: ReadOptions) -> list[Marks]:
    decimal, thousands = options.decimal, options.thousands
    if decimal is not None and decimal not in {".", ","}:
        raise DataError(f"--decimal is '.' or ',', not {decimal!r}")
    if thousands is not None and thousands not in _GROUPS:
        raise DataError(f"--thousands is one of , . ' and space, not {thousands!r}")
    if decimal is not None and decimal == thousands:
        raise DataError(f"--decimal and --thousands are both {decimal!r}")
    allowed = [
        marks
        for marks in _ALL
        if decimal in {None, marks.decimal} and thousands in {None, marks.thousands}
    ]
    return allowed or [Marks(decimal or ".", thousands)]


def _unclear_columns(cells: pl.DataFrame, *, points: bool) -> pl.DataFrame:
    """Columns of numbers with marks, if any mark may mean something else than a decimal point.

    `points` says that points may: then a column of numbers with points is unclear too.
    """
    read = cells.select(pl.all().cast(pl.Float64, strict=False)).null_count().row(0)
    failing = cells.select(
        name
        for name, nulls, empty in zip(cells.columns, read, cells.null_count().row(0), strict=True)
        if nulls > empty
    )
    if not points and not _with_any(failing, _OTHER_MARKS).width:
        return cells.select([])
    return _with_any(cells, _MARKS)


def _with_any(cells: pl.DataFrame, marks: str) -> pl.DataFrame:
    """The columns with a number that holds one of the marks."""
    if not cells.width:
        return cells
    found = cells.select(
        (pl.all().str.contains(marks) & pl.all().str.contains(_ANY_NUMBER)).any()
    ).row(0)
    return cells.select(name for name, any_ in zip(cells.columns, found, strict=True) if any_)


def _most_read(cells: pl.DataFrame, candidates: list[Marks]) -> list[Marks]:
    counts = [
        sum(cells.select(pl.all().str.contains(_pattern(marks)).sum()).row(0))
        for marks in candidates
    ]
    return [m for m, count in zip(candidates, counts, strict=True) if count == max(counts)]


def _refuse_ambiguous(cells: pl.DataFrame, best: list[Marks], where: Callable[[int], str]) -> None:
    for other in best[1:]:
        for column in cells.iter_columns():
            one, two = numbers(column, best[0]), numbers(column, other)
            for row in (one != two).arg_true()[:1]:
                raise DataError(
                    f"{where(row)}, column {column.name!r}: {column[row]!r} may be "
                    f"{one[row]:.10g} (--decimal {best[0].decimal}) or {two[row]:.10g} "
                    f"(--decimal {other.decimal})"
                )


def _pattern(marks: Marks) -> str:
    decimal = re.escape(marks.decimal)
    whole = r"\d+"
    if marks.thousands:
        whole = rf"(?:[1-9]\d{{0,2}}(?:{_GROUPS[marks.thousands]}\d{{3}})+|\d+)"
    return rf"^{_SIGN}(?:{whole}(?:{decimal}\d*)?|{decimal}\d+){_EXPONENT}$"


def _plain(cell: pl.Expr, marks: Marks) -> pl.Expr:
    if marks.thousands:
        cell = cell.str.replace_all(_GROUPS[marks.thousands], "")
    if marks.decimal != ".":
        cell = cell.str.replace(marks.decimal, ".", literal=True)
    return cell.str.replace("\u2212", "-", literal=True)
