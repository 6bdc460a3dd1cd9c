"""The clock of a SQLite file: one for all processes, real ones with wrong clocks among them."""

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from service.stores.sqlite.store import SqliteStore
from tests.contract.listing_contract import ids_of, listed
from tests.contract.sessions import found_in, session
from tests.manual_clocks import ManualClocks
from tests.system_programs import required

DAY = 86400.0
ROOT = Path(__file__).parents[3]


def opened(file: Path, machine: ManualClocks) -> SqliteStore:
    return SqliteStore(file, clocks=machine.clocks, retention_seconds=2 * DAY)


def test_a_file_knows_the_time_that_its_last_process_saw(file: Path) -> None:
    machine = ManualClocks()
    with closing(opened(file, machine)) as store:
        machine.pass_time(60)
        store.refresh_clock()
        last = store.now()
    machine.jump(40 * DAY)
    with closing(opened(file, machine)) as store:
        assert store.clock_held is not None
        assert store.now() == last


def test_a_file_that_nobody_used_for_long(file: Path) -> None:
    machine = ManualClocks()
    opened(file, machine).close()
    last = machine.wall
    machine.reboot("second", 3 * DAY)
    with closing(opened(file, machine)) as store:
        assert store.clock_held is not None
        assert store.now() == last
        store.accept_clock()
        assert store.now() == machine.wall


def test_accepting_is_for_all_processes(file: Path) -> None:
    machine = ManualClocks()
    with closing(opened(file, machine)) as first, closing(opened(file, machine)) as second:
        machine.jump(40 * DAY)
        for store in (first, second):
            store.refresh_clock()
            assert store.clock_held is not None
        first.accept_clock()
        second.refresh_clock()
        assert second.clock_held is None
        assert second.now() == first.now() == machine.wall


def test_accepting_forgets_what_another_boot_saw(file: Path) -> None:
    machine = ManualClocks()
    machine.jump(40 * DAY)
    opened(file, machine).close()
    machine.reboot("second")
    machine.jump(-40 * DAY)
    with closing(opened(file, machine)) as store:
        assert store.clock_held is not None
        store.accept_clock()
        with closing(opened(file, machine)) as another:
            assert another.clock_held is None
            assert another.now() == store.now() == machine.wall
    machine.reboot("third")
    with closing(opened(file, machine)) as store:
        assert store.clock_held is None


def test_the_looks_of_the_latest_boots_are_kept(file: Path) -> None:
    machine = ManualClocks()
    for number in range(40):
        machine.reboot(f"boot {number}")
        opened(file, machine).close()
    with closing(opened(file, machine)) as store:
        rows = store.file.connection.execute("SELECT boot_id FROM clock_look").fetchall()
    assert 8 <= len(rows) <= 16
    assert {("boot 39",), ("boot 38",)} <= set(rows)


# What upkeep does, and a creation; says what it went by, what it removed, and what it read.
USING = """
import json, sys, time
from dataclasses import replace
from pathlib import Path
from service.stores.sqlite.store import SqliteStore
from service.stores.store import Identity
from tests.contract.sessions import session

store = SqliteStore(Path(sys.argv[1]))
store.refresh_clock()
now = store.now()
purged = 0
if store.clock_held is None:
    purged = store.purge(now - 2 * 86400.0, 100)
store.create(session("new", created_at=now, expires_at=now + 3600.0, ttl_seconds=3600.0))
(found,) = store.read([Identity("", "s")])
print(json.dumps({
    "wall": time.time(), "now": now, "held": store.clock_held, "purged": purged,
    "alive": found.expires_at > now, "living": store.count(now),
}))
store.close()
"""


@pytest.mark.parametrize("days", [40, -40])
def test_a_real_process_whose_wall_is_wrong_by_days_harms_no_session(file: Path, days: int) -> None:
    command = [required("faketime"), "--exclude-monotonic", "-f", f"{days:+}d", sys.executable]
    now = time.time()
    with closing(SqliteStore(file)) as store:
        store.create(session(created_at=now, expires_at=now + 3600.0))
        done = subprocess.run(
            [*command, "-c", USING, str(file)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["wall"] == pytest.approx(now + days * DAY, abs=60), "its wall is wrong"
        assert said["now"] == pytest.approx(now, abs=60), "and it does not go by it"
        assert f"the clock has jumped by {days * 864:+}" in said["held"]
        assert (said["purged"], said["alive"], said["living"]) == (0, True, 2)
        store.refresh_clock()
        assert store.clock_held is None
        assert store.now() == pytest.approx(time.time(), abs=1)
        assert store.purge(store.now() - 2 * DAY, 100) == 0
        assert ids_of(listed(store)) == ["new", "s"]
        assert 3500 < found_in(store, "new").expires_at - store.now() < 3601
        assert store.count(store.now()) == 2
