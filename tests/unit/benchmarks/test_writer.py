"""The process that commits under measurement commits."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.tools.filled_store import fill
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Session
from tests.contract.sessions import identities

ROOT = Path(__file__).parents[3]


def test_a_writer_steps_its_own_sessions_and_says_how_long_each_commit_took(
    tmp_path: Path,
) -> None:
    file, out = tmp_path / "filled.db", tmp_path / "out.json"
    fill(file, 0, 6, 4)
    command = [sys.executable, "-m", "benchmarks.tools.writer", str(file), "--out", str(out)]
    command += ["--first", "2", "--sessions", "4", "--group", "2"]
    command += ["--pause", "0", "--seconds", "0.05"]
    subprocess.run(command, check=True, cwd=ROOT)
    taken = json.loads(out.read_text("ascii"))
    store = SqliteStore(file)
    found = store.read(identities(*(f"s{number}" for number in range(6))))
    store.close()
    steps = [one.step for one in found if isinstance(one, Session)]
    assert steps[:2] == [0, 0]
    assert sum(steps) == 2 * len(taken) > 0
    assert min(taken) > 0
