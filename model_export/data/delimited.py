"""Text with delimiters becomes rows of cells; nothing is known here of what the cells mean."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.counted import counted
from model_export.data.frame import ReadOptions
from model_export.data.numbers import looks_like_number
from model_export.data.stray_lines import is_note, short, title_of
from model_export.data.times import looks_like_time
from model_export.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
ONE_COLUMN = "\x1f"
"""The delimiter of a file of one column: a character that no text holds."""
_TAB = {"\\t": "\t", "tab": "\t"}
"""As a shell's user writes it."""
_CHUNK = 20_000
_SCORED_ROWS = 1000
_FIELD_LIMIT = 1 << 27
_HEAD = 1 << 22
"""Characters that surely hold the first row."""

Record = tuple[int, list[str]]
"""The line where a row begins, and its cells."""


@dataclass(frozen=True, slots=True)
class Rows:
    """`cells` has a String column for each name, without white space around, null where empty.

    `lines` [N] is where each row begins in the file.
    """

    cells: pl.DataFrame
    lines: NDArray[np.int64]
    delimiter: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Body:
    """What follows the leading comments and the line `sep=;` that Excel writes.

    `skipped` counts lines before it; `comment` is the last of the leading comments, which is in
    `comment_line`.
    """

    origin: str
    text: str
    skipped: int
    delimiter: str | None
    comment: str | None
    comment_line: int


@dataclass(frozen=True, slots=True)
class _Header:
    """`line` is None where the names are made up; `rows` is how many records it takes."""

    names: tuple[str, ...]
    line: int | None
    rows: int


def read_rows(text: str, origin: str, options: ReadOptions) -> Rows:
    """The rows below the header; blank lines and comments (`#`) are left out, the latter noted.

    Raises DataError, with the line, for ragged rows, an open quote, no header or no rows, and names
    that repeat.
    """
    body = _body_of(text, origin)
    given = _given_delimiter(options) or body.delimiter
    _refuse_title(body, (given,) if given else DELIMITERS, options)
    delimiter = given or _found_delimiter(body, options)
    header = _header_of(body, delimiter, options)
    notes = list(_notes_on_head(body, header))
    read = _quoted if '"' in body.text or delimiter == " " else _unquoted
    cells, lines = _without_tail(*read(body, delimiter, header, notes), notes)
    if not len(cells):
        raise DataError(f"{origin} has {_what_there_is(header)} and no rows")
    cells.columns = list(header.names)
    return Rows(cells, lines, delimiter, tuple(notes))


def _body_of(text: str, origin: str) -> _Body:
    delimiter, comment, comment_line, skipped, start = None, None, 0, 0, 0
    for line in io.StringIO(text, newline=""):
        declared = line.strip().lower()
        if skipped == 0 and declared.startswith("sep=") and len(declared) == 5:
            delimiter = declared[-1]
        elif line.lstrip().startswith("#"):
            comment, comment_line = line.strip(), skipped + 1
        elif line.strip():
            break
        skipped += 1
        start += len(line)
    return _Body(origin, text[start:], skipped, delimiter, comment, comment_line)


def _records(body: _Body, delimiter: str) -> Iterator[Record]:
    """All records, blank lines included; raises DataError where a quote stays open."""
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(
        io.StringIO(body.text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    line = body.skipped + 1
    try:
        for cells in reader:
            yield line, cells
            line = body.skipped + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{body.origin}, line {line}: a quote is not closed, or something follows it in its "
            'cell; a quote inside of quotes is written twice ("")'
        ) from error


def _given_delimiter(options: ReadOptions) -> str | None:
    given = options.delimiter
    if given is None:
        return None
    delimiter = _TAB.get(given, given)
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n':
        raise DataError(f"--delimiter is one character that separates cells, not {given!r}")
    return delimiter


def _refuse_title(body: _Body, delimiters: tuple[str, ...], options: ReadOptions) -> None:
    title = None if options.header is not None else title_of(body.text, delimiters)
    if title is not None:
        raise DataError(
            f"{body.origin}, line {body.skipped + 1}: {title} looks like a title above the table; "
            "remove what stands above the names of the columns, or begin it with #"
        )


def _found_delimiter(body: _Body, options: ReadOptions) -> str:
    """The one that cuts the whole file into rows as wide as the first, and into most numbers."""
    others = {options.decimal, options.thousands} if '"' not in body.text else set()
    candidates = [m for m in DELIMITERS if m not in others and _first_width(body, m) > 1]
    if len(candidates) < 2:
        return candidates[0] if candidates else ONE_COLUMN
    return max(candidates, key=lambda mark: _fitness(body, mark))


def _first_width(body: _Body, delimiter: str) -> int:
    """0 where the first record cannot be read with this delimiter."""
    try:
        return len(_first(body, delimiter)[1])
    except DataError:
        return 0


def _first(body: _Body, delimiter: str) -> Record:
    head = replace(body, text=body.text[:_HEAD])
    for record in _records(head, delimiter):
        if record[1]:
            return record
    raise DataError(f"{body.origin} is empty")


def _fitness(body: _Body, delimiter: str) -> tuple[float, float, int]:
    """Share of rows as wide as the first, share of cells that mean something, width."""
    width = _first_width(body, delimiter)
    rows = fitting = 0
    scored: list[str] = []
    try:
        for _, cells in _records(body, delimiter):
            rows, fitting = rows + bool(cells), fitting + (len(cells) == width)
            if 1 < rows <= _SCORED_ROWS:
                scored += cells
    except DataError:
        return -1.0, 0.0, width
    meaning = sum(not cell or looks_like_number(cell) or looks_like_time(cell) for cell in scored)
    return fitting / rows, meaning / max(len(scored), 1), width


def _header_of(body: _Body, delimiter: str, options: ReadOptions) -> _Header:
    line, cells = _first(body, delimiter)
    evidence = next((c for c in cells if looks_like_number(c) or looks_like_time(c)), None)
    if options.header is False:
        return _Header(tuple(f"column {at + 1}" for at in range(len(cells))), None, 0)
    commented = _commented_names(body, delimiter, len(cells))
    if options.header is None and evidence is not None and commented:
        return _Header(_names(commented, body.origin, body.comment_line), body.comment_line, 0)
    if options.header is None and evidence is not None:
        raise DataError(
            f"{body.origin}, line {line}: the first row looks like data ({evidence!r}), not like "
            "names of columns; --no-header reads it as data, --header as names"
        )
    return _Header(_names(cells, body.origin, line), line, 1)


def _notes_on_head(body: _Body, header: _Header) -> Iterator[str]:
    commented = header.line is not None and not header.rows
    if commented:
        yield f"the names of the columns are those of the comment in line {header.line}"
    if body.skipped > commented:
        yield f"lines before the table, left out: {body.skipped - commented}"


def _commented_names(body: _Body, delimiter: str, width: int) -> list[str] | None:
    """The names where the last comment is as wide as the table: `# time, value`."""
    if body.comment is None or width < 2:
        return None
    cells = next(csv.reader([body.comment.lstrip("# ")], delimiter=delimiter))
    return cells if len(cells) == width else None


def _names(cells: list[str], origin: str, line: int) -> tuple[str, ...]:
    given = [" ".join(cell.split()) for cell in cells]
    names = [name or f"column {at}" for at, name in enumerate(given, 1)]
    seen: dict[str, int] = {}
    for at, name in enumerate(names, 1):
        if name in seen:
            raise DataError(
                f"{origin}, line {line}: columns {seen[name]} and {at} are both named {name!r}; "
                "rename one of them"
            )
        seen[name] = at
    return tuple(names)


def _quoted(
    body: _Body, delimiter: str, header: _Header, notes: list[str]
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """In chunks, for Python's strings take ten times the room of polars'."""
    records = _table(islice(_records(body, delimiter), header.rows, None), header, body, notes)
    names = [str(at) for at in range(len(header.names))]
    chunks, lines = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))], list[int]()
    while chunk := list(islice(records, _CHUNK)):
        lines.extend(line for line, _ in chunk)
        columns = zip(names, zip(*(cells for _, cells in chunk), strict=True), strict=True)
        chunks.append(pl.DataFrame([pl.Series(name, cells, pl.String) for name, cells in columns]))
    return stripped(pl.concat(chunks, rechunk=True)), np.array(lines, np.int64)


def _table(
    records: Iterator[Record], header: _Header, body: _Body, notes: list[str]
) -> Iterator[Record]:
    """Rows of the table's width; raises DataError at the first that is not.

    In a file of one column a blank line between others is a missing cell.
    """
    width, comments = len(header.names), 0
    blank: list[Record] = []
    for line, cells in records:
        if len(cells) == width:
            yield from blank
            blank.clear()
            yield line, cells
        elif width == 1 and not cells:
            blank.append((line, [""]))
        else:
            comments += _is_comment(line, cells, header, body)
    _note_comments(comments, notes)


def _unquoted(
    body: _Body, delimiter: str, header: _Header, notes: list[str]
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """The same, ten times as fast: without quotes every line is a row, and every delimiter cuts."""
    width = len(header.names)
    rows = pl.Series(_lines(body.text)[header.rows :], dtype=pl.String)
    lines = np.arange(len(rows)) + body.skipped + header.rows + 1
    fitting = (rows.str.count_matches(delimiter, literal=True) == width - 1).to_numpy()
    odd = np.flatnonzero(~fitting)
    _note_comments(
        sum(
            _is_comment(int(lines[at]), rows[int(at)].split(delimiter), header, body) for at in odd
        ),
        notes,
    )
    kept = rows.filter(pl.Series(fitting))
    return stripped(kept.str.split_exact(delimiter, width - 1).struct.unnest()), lines[fitting]


def _lines(text: str) -> list[str]:
    """Without the blank ones at the end."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.rstrip("\n").split("\n")


def _is_comment(line: int, cells: list[str], header: _Header, body: _Body) -> bool:
    """Of a row that does not fit: a comment, or blank. Raises DataError if it is neither."""
    if cells and cells[0].startswith("#"):
        return True
    if not _is_blank(cells):
        raise DataError(f"{body.origin}, line {line}: {_ragged(cells, header)}")
    return False


def _note_comments(count: int, notes: list[str]) -> None:
    if count:
        notes.append(f"comments (#) between the rows, left out: {count}")


def _is_blank(cells: list[str]) -> bool:
    return not cells or (len(cells) == 1 and not cells[0].strip())


def _ragged(cells: list[str], header: _Header) -> str:
    expected = f"the header (line {header.line})" if header.line else "the first row"
    width = f"{counted(len(cells), 'cell')}, {expected} has {len(header.names)}"
    if is_note(cells, len(header.names)):
        note = short(cells[0].strip())
        return f"{width}; {note} looks like a note: remove it, or begin it with #"
    return f"{width}; quote cells that hold the delimiter, or name another one with --delimiter"


def _what_there_is(header: _Header) -> str:
    return "a header" if header.line else "no header"


def stripped(cells: pl.DataFrame) -> pl.DataFrame:
    """Without white space around the cells; null where nothing is left."""
    bare = cells.select(pl.all().str.strip_chars())
    return bare.select(pl.when(pl.all() != "").then(pl.all()))


def _without_tail(
    cells: pl.DataFrame, lines: NDArray[np.int64], notes: list[str]
) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Excel writes rows of nothing but delimiters below the last one."""
    if cells.width == 1:
        return cells, lines
    filled = cells.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()
    kept = int(np.flatnonzero(filled)[-1]) + 1 if filled.any() else 0
    if kept == len(cells):
        return cells, lines
    notes.append(f"empty rows at the end, left out: {len(cells) - kept}")
    return cells.head(kept), lines[:kept]
