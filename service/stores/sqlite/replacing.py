"""Compare and set on a SQLite file, parts of which may be damaged."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from service.stores.columns import Moves, as_records
from service.stores.sqlite import rows
from service.stores.sqlite.errors import is_damage
from service.stores.sqlite.file import SqliteFile
from service.stores.sqlite.reading import blamed
from service.stores.store import Replaced, Session

Pair = tuple[Session, int]
"""A session, and the revision that the stored one must have."""


class _NotAll(Exception):
    """Not all of a group had the expected revision."""


def advance(file: SqliteFile, moves: Sequence[Moves]) -> list[Replaced]:
    """As `replace_group`, of sessions that have moved on by time steps."""
    if not all(all(one.sessions.rows) for one in moves):
        return replace_group(file, list(zip(*as_records(moves), strict=True)))
    try:
        if len(moves) == 1 and len(moves[0].sessions) == 1:
            # One statement is a transaction of its own, with three trips into SQLite less.
            statement, (values,) = rows.advances(moves[0])
            return [file.connection.execute(statement, values).rowcount == 1]
        with file.transaction():
            return [outcome for one in moves for outcome in _advance(file, one)]
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return replace_group(file, list(zip(*as_records(moves), strict=True)))


def _advance(file: SqliteFile, moves: Moves) -> Sequence[bool]:
    """Those whose revision is another one stay as they are, and the rest of the group moves on."""
    sessions = moves.sessions
    if file.connection.executemany(*rows.advances(moves)).rowcount == len(sessions):
        return [True] * len(sessions)
    found = rows.revisions(file.connection, sessions.rows)
    # A revision never comes twice: where the new one is found, it was set just now.
    return [
        found.get(row) == revision
        for row, revision in zip(sessions.rows, sessions.revisions, strict=True)
    ]


def replace_group(file: SqliteFile, pairs: list[Pair]) -> list[Replaced]:
    """The outcomes, in one commit. Raises sqlite3.Error, and has changed nothing then."""
    try:
        if _is_replaced_as_a_whole(file, pairs):
            return [True] * len(pairs)
        with file.transaction():
            return [_replace(file, *pair) for pair in pairs]
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        # SQLite commits nothing in which it has met a damaged page, so each is a commit.
        return [_replace_alone(file, *pair) for pair in pairs]


def _is_replaced_as_a_whole(file: SqliteFile, pairs: list[Pair]) -> bool:
    if len(pairs) == 1 and not pairs[0][0].finished:
        # One statement is a transaction of its own, with three trips into SQLite less.
        return _is_written(file, *pairs[0])
    try:
        with file.transaction():
            _replace_all(file, pairs)
    except _NotAll:
        return False
    return True


def _replace_all(file: SqliteFile, pairs: list[Pair]) -> None:
    """Raises _NotAll where one does not have its revision; which one, nobody knows."""
    if all(session.row for session, _ in pairs):
        statement, values_of = rows.REPLACE_BY_ROW, rows.replacement_by_row
    else:
        statement, values_of = rows.REPLACE_BY_IDENTITY, rows.replacement_by_identity
    values = [values_of(*pair) for pair in pairs]
    if file.connection.executemany(statement, values).rowcount != len(pairs):
        raise _NotAll
    for session, _ in pairs:
        if session.finished:
            _replace_resting(file, session)


def _is_written(file: SqliteFile, session: Session, expected: int) -> bool:
    if session.row:
        statement, values = rows.REPLACE_BY_ROW, rows.replacement_by_row(session, expected)
    else:
        statement = rows.REPLACE_BY_IDENTITY
        values = rows.replacement_by_identity(session, expected)
    return file.connection.execute(statement, values).rowcount == 1


def _replace(file: SqliteFile, session: Session, expected: int) -> bool:
    # The row of that number may be another session's by now, and this one's elsewhere.
    for known in (session, replace(session, row=0)):
        if _is_written(file, known, expected):
            if session.finished:
                _replace_resting(file, session)
            return True
    return False


def _replace_alone(file: SqliteFile, session: Session, expected: int) -> Replaced:
    try:
        with file.transaction():
            return _replace(file, session, expected)
    except sqlite3.Error as error:
        if not is_damage(error):
            raise
        return blamed(file, session.identity, error)


def _replace_resting(file: SqliteFile, session: Session) -> None:
    values = (session.metadata, session.constants, *session.identity)
    file.connection.execute(rows.REPLACE_RESTING, values)
