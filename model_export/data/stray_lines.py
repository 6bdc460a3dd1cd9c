"""Lines of a file that are no rows: titles, units, the header again, notes at the end."""

from collections.abc import Callable, Sequence

import polars as pl

from model_export.data.column_types import without_missing
from model_export.data.numbers import looks_like_number
from model_export.data.times import looks_like_time
from model_export.errors import DataError

_HEAD = 20
"""Lines or rows that show how a table begins."""
_FEWEST = 3
"""Lines of a table below a title: the names and two rows."""
_LONGEST = 40


def title_of(text: str, delimiters: Sequence[str]) -> str | None:
    """The first line, where it and maybe more stand above a header of another width."""
    lines = [line for line in text[: 1 << 16].splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")][:_HEAD]
    for mark in delimiters:
        counts = [line.count(mark) for line in lines]
        start = next((at for at in range(len(lines)) if len(set(counts[at:])) == 1), 0)
        quoted = '"' in "".join(lines[:start])  # there the mark may be no delimiter
        if start and counts[-1] and len(lines) - start >= _FEWEST and not quoted:
            names, first = (line.split(mark) for line in lines[start : start + 2])
            if not any(map(_means_something, names)) and any(map(_means_something, first)):
                return short(lines[0].strip())
    return None


def is_note(cells: Sequence[str], width: int) -> bool:
    """Of a row that does not fit a table of `width` columns."""
    words = len(cells) == 1 and any(map(str.isalpha, cells[0])) and not _means_something(cells[0])
    return words and width > 1


def refuse_stray(cells: pl.DataFrame, where: Callable[[int], str]) -> None:
    """Raises DataError where a row has the names of the columns, and where the first one has words
    above numbers or times."""
    names = tuple(cells.columns)
    again = [row for row in (cells.to_series(0) == names[0]).arg_true() if cells.row(row) == names]
    if again:
        raise DataError(
            f"{where(again[0])}: the names of the columns again (such lines: {len(again)}); remove "
            "them"
        )
    if words := _words_above_numbers(cells.head(_HEAD)):
        raise DataError(
            f"{where(0)}: {', '.join(map(short, words))} above numbers look like units, or like "
            "names below a title; leave one line above the numbers, that of the names"
        )


def _words_above_numbers(head: pl.DataFrame) -> list[str]:
    """What the first row holds if it is words alone, and numbers or times stand below one."""
    columns = [without_missing(column).to_list() for column in head.iter_columns()]
    words = {at: column[0] for at, column in enumerate(columns) if column[0] is not None}
    if any(map(_means_something, words.values())):
        return []
    below = [[cell for cell in columns[at][1:] if cell is not None] for at in words]
    meant = any(len(cells) > 1 and all(map(_means_something, cells)) for cells in below)
    return list(words.values())[:3] if meant else []


def _means_something(cell: str) -> bool:
    return looks_like_number(cell) or looks_like_time(cell)


def short(text: str) -> str:
    """Quoted, and cut where it is long."""
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…")
