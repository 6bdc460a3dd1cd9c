"""A process that commits groups of random sessions to a SQLite file: `python -m` this, FILE.

Writes the seconds of each commit to --out. Between two commits it pauses, as long as a service
would compute.
"""

import argparse
import json
import random
import time
from dataclasses import replace
from pathlib import Path
from secrets import randbits

from benchmarks.tools.filled_store import counted
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity, Session

_READ_TOGETHER = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--first", type=int, help="the first of its sessions")
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--group", type=int, help="sessions in one commit")
    parser.add_argument("--pause", type=float, help="seconds between two commits")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    store = SqliteStore(arguments.file)
    numbers = range(arguments.first, arguments.first + arguments.sessions)
    sessions = _read(store, numbers)
    taken = []
    end = time.perf_counter() + arguments.seconds
    while time.perf_counter() < end:
        taken.append(_commit(store, sessions, random.sample(numbers, arguments.group)))
        time.sleep(arguments.pause)
    store.close()
    arguments.out.write_text(json.dumps(taken), "ascii")


def _read(store: SqliteStore, numbers: range) -> dict[int, Session]:
    """All sessions by their numbers."""
    known: dict[int, Session] = {}
    for start in range(0, len(numbers), _READ_TOGETHER):
        chunk = numbers[start : start + _READ_TOGETHER]
        found = store.read([Identity("", counted(number)) for number in chunk])
        pairs = zip(chunk, found, strict=True)
        known.update((number, one) for number, one in pairs if isinstance(one, Session))
    return known


def _commit(store: SqliteStore, sessions: dict[int, Session], chosen: list[int]) -> float:
    """One step of each; the seconds that the commit took."""
    before = [sessions[number] for number in chosen]
    after = [
        replace(one, step=one.step + 1, changes=one.changes + 1, revision=randbits(63))
        for one in before
    ]
    began = time.perf_counter()
    replaced = store.replace(after, [one.revision for one in before])
    taken = time.perf_counter() - began
    if not all(one is True for one in replaced):
        raise RuntimeError("a commit was refused")
    sessions.update(zip(chosen, after, strict=True))
    return taken


if __name__ == "__main__":
    main()
