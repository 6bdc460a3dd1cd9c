"""The looks at the clocks, kept in a SQLite file of sessions."""

from collections.abc import Mapping

from service.stores.clock import Look
from service.stores.sqlite.file import SqliteFile, changing, reading

_KEPT = 16

_WRITE = """
INSERT INTO clock_look (boot_id, boot_seconds, wall_seconds) VALUES (?, ?, ?)
ON CONFLICT (boot_id) DO UPDATE
SET boot_seconds = excluded.boot_seconds, wall_seconds = excluded.wall_seconds
"""
_FORGET_OTHERS = "DELETE FROM clock_look WHERE boot_id <> ?"
_FORGET_OLD = f"""
DELETE FROM clock_look WHERE boot_id NOT IN
(SELECT boot_id FROM clock_look ORDER BY wall_seconds DESC LIMIT {_KEPT})
"""


class SqliteLooks:
    """As `service/stores/clock.py` wants them."""

    def __init__(self, file: SqliteFile) -> None:
        self.file = file

    @reading
    def read_looks(self) -> Mapping[str, Look]:
        rows = self.file.connection.execute(
            "SELECT boot_id, boot_seconds, wall_seconds FROM clock_look"
        )
        return {boot_id: Look(*look) for boot_id, *look in rows}

    @changing
    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        execute = self.file.connection.execute
        with self.file.transaction():
            execute(_WRITE, (boot_id, *look))
            if alone:
                execute(_FORGET_OTHERS, (boot_id,))
            else:
                execute(_FORGET_OLD)
