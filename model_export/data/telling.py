"""What was found in a file and done about it, in words."""

from collections.abc import Iterator
from dataclasses import replace

from model_export.data.checking import Checked
from model_export.data.clock import Clock
from model_export.data.column_report import TO_THE_MINUTE, ColumnReport, report_of
from model_export.data.frame import Column, Frame
from model_export.data.roles import Assignment
from model_export.data.source import Source


def reports(frame: Frame, given: Assignment, checked: Checked) -> Iterator[ColumnReport]:
    """One for every column of the frame, in its order."""
    found = dict(zip((column.name for column in given.used), checked.found, strict=True))
    for column in frame.columns:
        reason = given.reasons[column.name]
        if column.name in checked.constant:
            yield report_of(column, "left out", done="left out", why="never changes")
            continue
        done = "left out" if reason.role == "left out" else "used"
        why = "; ".join(text for text in (reason.why, found.get(column.name, "")) if text)
        report = report_of(column, reason.role, done=done, why=why)
        yield timed(report, given.clock) if column is given.time and given.clock else report


def timed(report: ColumnReport, clock: Clock) -> ColumnReport:
    """With the range of the clock, which may read whole numbers as dates."""
    if not clock.dates or not len(clock.ticks):
        return report
    low, high = (
        clock.text(tick)[:TO_THE_MINUTE] for tick in (clock.ticks.min(), clock.ticks.max())
    )
    return replace(report, low=low, high=high)


def described(source: Source, changes: tuple[str, ...]) -> Source:
    """The origin with what was changed on the way in."""
    told = f" ({'; '.join(changes)})" if changes else ""
    return replace(source, description=source.description + told)


def notes_on(time: Column | None, clock: Clock | None, checked: Checked) -> Iterator[str]:
    """On the order of rows and what was changed in them."""
    if time is None:
        yield "no column of times: the rows are taken in the order of the file, evenly spaced"
    elif clock is not None and clock.reading:
        yield f"{time.name!r} is read as {clock.reading}"
    if time is not None and checked.step is None:
        yield f"{time.name!r} has no regular step: the rows are taken as evenly spaced"
    yield from checked.notes
    yield from checked.changes
