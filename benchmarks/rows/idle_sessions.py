"""What a session costs that nobody uses: bytes on disk beside the bare state."""

import tempfile
from pathlib import Path

from benchmarks.tools.filled_store import bytes_on_disk, fill, given
from benchmarks.tools.row import Plan, Row
from benchmarks.tools.workload import HIDDEN_SIZE

SESSIONS = 1_000_000
STATE_BYTES = 4 * HIDDEN_SIZE
TARGET = 1.5 * STATE_BYTES + 200


def rows(_: Plan) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "idle.db"
        fill(file, 0, SESSIONS, HIDDEN_SIZE, given)
        each = bytes_on_disk(file) / SESSIONS
    return [
        Row(
            f"an idle session on disk, of {SESSIONS:,}",
            [each],
            TARGET,
            "at most",
            "bytes",
            {"bare state, bytes": STATE_BYTES},
        )
    ]
