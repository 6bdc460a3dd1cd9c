"""A log of events: sessions of items in the order of their times."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model_export.data.clock import Clock, clock_of
from model_export.data.column_report import ColumnReport, Role, report_of
from model_export.data.counted import counted
from model_export.data.frame import Frame, ReadOptions
from model_export.data.names import names_of, notes_on_merged
from model_export.data.read import read_frame
from model_export.data.source import Source
from model_export.data.telling import timed
from model_export.errors import DataError

OTHER = "(other)"
_FEWEST_SESSIONS = 10


@dataclass(frozen=True, slots=True)
class EventRoles:
    """Names of columns: which session an event belongs to, when it was, and of what."""

    session: str = "session"
    time: str = "time"
    item: str = "item"


@dataclass(frozen=True, slots=True)
class EventLog:
    """`sessions` of [n] int64 item ids, n ≥ 2, in the order of their starts.

    So none of the first sessions, which are for training, starts after one of a later part.
    `items[id]` is the item's name, the most frequent in training first; those too rare there, and
    those that it never meets, are `OTHER`, the last id. `starts` [S] is None where times count
    something else than seconds.
    """

    items: tuple[str, ...]
    sessions: tuple[NDArray[np.int64], ...]
    starts: NDArray[np.datetime64] | None
    columns: tuple[ColumnReport, ...]
    source: Source
    notes: tuple[str, ...]


def load_events(
    data: str,
    options: ReadOptions | None = None,
    roles: EventRoles | None = None,
    *,
    min_count: int = 5,
    train: float = 0.7,
    items: tuple[str, ...] | None = None,
) -> EventLog:
    """`min_count`: an item seen less often in the training part becomes `OTHER`; that part is the
    first `train` of the sessions, a share up to 1 or a number of them.

    With `items`, the vocabulary of a model, these are the items, and all others are `OTHER`. Raises
    DataError where a role has no column, a cell of one is missing, too little is left, or an item
    is not in a vocabulary without `OTHER`.
    """
    frame, roles = read_frame(data, options), roles or EventRoles()
    session, time, item = (frame.role(name, role) for role, name in asdict(roles).items())
    clock = clock_of(frame, time)
    session_ids, item_names = names_of(frame, session, "session"), names_of(frame, item, "item")
    names, starts, singles = _sessions(session_ids, clock.ticks, item_names)
    if len(names) < _FEWEST_SESSIONS:
        raise DataError(
            f"{frame.origin}: {counted(len(names), 'session')} of two events or more, at least "
            f"{_FEWEST_SESSIONS} are needed; --session names the column that tells sessions apart"
        )
    training = round(train * len(names)) if train <= 1 else int(train)
    items = items or _vocabulary(frame, names[:training], min_count)
    encoded = _encoded(frame, names, items)
    other = items.index(OTHER) if OTHER in items else -1
    return EventLog(
        items,
        encoded,
        clock.times(starts),
        tuple(
            _reports(frame, {session.name: "session", time.name: "time", item.name: "item"}, clock)
        ),
        frame.source,
        (
            *frame.notes,
            *notes_on_merged(session, session_ids, "session"),
            *notes_on_merged(item, item_names, "item"),
            *_notes_on_rows(frame, session_ids, clock.ticks, item_names),
            *_notes(encoded, other, singles),
        ),
    )


def _sessions(
    session: pl.Series, ticks: NDArray[np.int64], item: pl.Series
) -> tuple[list[list[str]], NDArray[np.int64], int]:
    """Items of every session of two events or more, by start; their starts; how many had one.

    What happened at the same time stays in the order of the file.
    """
    events = pl.DataFrame({"session": session, "tick": ticks, "item": item})
    sessions = (
        events.sort("tick", maintain_order=True)
        .group_by("session", maintain_order=True)
        .agg(pl.col("item"), pl.col("tick").first())
    )
    long = sessions.filter(pl.col("item").list.len() > 1)
    return long["item"].to_list(), long["tick"].to_numpy(), len(sessions) - len(long)


def _vocabulary(frame: Frame, sessions: list[list[str]], min_count: int) -> tuple[str, ...]:
    counts = Counter(name for session in sessions for name in session)
    if OTHER in counts:
        raise DataError(f"{frame.origin}: an item is named {OTHER!r}, as the rare ones will be")
    often = [(name, count) for name, count in counts.items() if count >= min_count]
    if not often:
        raise DataError(
            f"{frame.origin}: no item comes {min_count} times in the training part; the most "
            f"frequent comes {max(counts.values())} times; --min-count takes fewer"
        )
    often.sort(key=lambda pair: (-pair[1], pair[0]))
    return (*(name for name, _ in often), OTHER)


def _encoded(
    frame: Frame, sessions: list[list[str]], items: tuple[str, ...]
) -> tuple[NDArray[np.int64], ...]:
    ids = {name: at for at, name in enumerate(items)}
    unknown = {name for session in sessions for name in session} - ids.keys()
    if unknown and OTHER not in ids:
        raise DataError(
            f"{frame.origin}: {counted(len(unknown), 'item')} such as {min(unknown)!r} unknown to "
            f"the vocabulary, which has no {OTHER}"
        )
    return tuple(
        np.array([ids[name] if name in ids else ids[OTHER] for name in session], np.int64)
        for session in sessions
    )


def _reports(frame: Frame, roles: dict[str, Role], clock: Clock) -> Iterator[ColumnReport]:
    for column in frame.columns:
        role = roles.get(column.name)
        if role == "time":
            yield timed(report_of(column, role, done="used", why=""), clock)
        elif role is not None:
            yield report_of(column, role, done="used", why="")
        else:
            yield report_of(column, "left out", done="left out", why="has no role in events")


def _notes_on_rows(
    frame: Frame, session: pl.Series, ticks: NDArray[np.int64], item: pl.Series
) -> Iterator[str]:
    rows = pl.DataFrame({"session": session, "tick": ticks, "item": item})
    back = rows.select(pl.col("tick") < pl.col("tick").shift().over("session")).to_series().sum()
    if back:
        yield f"rows that went back in time within their session, sorted: {back}"
    cells = pl.DataFrame([column.cells for column in frame.columns])
    if again := len(cells) - cells.n_unique():
        yield f"rows that say what another one says in every column, kept: {again}"
    several = pl.col("item").n_unique().over("session", "tick") > 1
    if tied := rows.select(several).to_series().sum():
        yield f"events at the time of another item of their session, in the file's order: {tied}"


def _notes(sessions: Iterable[NDArray[np.int64]], other: int, singles: int) -> Iterator[str]:
    if singles:
        yield f"sessions of one event left out: {singles}"
    rare = sum(int((session == other).sum()) for session in sessions)
    if rare:
        yield f"events of items that are rare in the training part, or unknown, now {OTHER}: {rare}"
