"""What stores of traces promise to several processes, some of them killed."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

from service.stores.traces.traces import Traces, contiguous
from tests.contract.traces_contract import MOST, all_same, append, piece, trace
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0

# Appends piece after piece and says the number of each that the store has confirmed.
APPENDING = """
import sys
from itertools import count
from service.stores.traces.open import open_traces
from tests.contract.traces_contract import append, piece

url, confirmed, first = sys.argv[1:]
traces = open_traces(url, timeout_seconds=10)
with open(confirmed, "a", buffering=1) as log:
    for number in count(int(first)):
        append(traces, piece(number, stated=number % 10 == 0))
        log.write(f"{number}\\n")
"""


class Appender:
    """A process that appends to trace "t" until it is killed."""

    def __init__(self, url: str, folder: Path, first: int) -> None:
        self._confirmed = folder / f"confirmed {first}"
        command = [sys.executable, "-c", APPENDING, url, str(self._confirmed), str(first)]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)

    def confirmed(self) -> list[int]:
        if not self._confirmed.exists():
            return []
        written = self._confirmed.read_text("utf-8").rpartition("\n")[0]
        return [int(line) for line in written.splitlines()]

    def wait_for(self, count: int) -> None:
        wait_until(
            lambda: self._process.poll() is not None or len(self.confirmed()) >= count,
            lambda: f"{count} of {self.confirmed()}",
            DEADLINE_SECONDS,
        )
        assert self._process.poll() is None, self._process.communicate()[1]

    def kill(self) -> None:
        """With -9; it must not have ended by itself, on an error say."""
        self._process.kill()
        said = self._process.communicate(timeout=DEADLINE_SECONDS)[1]
        assert self._process.returncode == -signal.SIGKILL, said

    def end(self) -> None:
        """However the test went."""
        with self._process:
            self._process.kill()


@contextmanager
def appending(url: str, folder: Path, *firsts: int) -> Iterator[list[Appender]]:
    with ExitStack() as ending:
        appenders = []
        for first in firsts:
            appenders.append(Appender(url, folder, first))
            ending.callback(appenders[-1].end)
        yield appenders


class TracesOfProcessesContract:
    """Subclasses define the fixtures `traces`, an empty one, and `url`, which leads to it."""

    def test_a_killed_process_loses_nothing(self, traces: Traces, url: str, tmp_path: Path) -> None:
        traces.create(trace(max_bytes=2**24), [], most=MOST)
        with appending(url, tmp_path, 0) as (appender,):
            appender.wait_for(50)
            appender.kill()
        found, confirmed = traces.pieces("", "t"), appender.confirmed()
        assert len(confirmed) >= 50
        assert len(found) - len(confirmed) in (0, 1), "one may have been on its way"
        assert all_same(found, [piece(n, stated=n % 10 == 0) for n in range(len(found))])
        append(traces, piece(len(found)))
        assert len(contiguous(traces.pieces("", "t"))) == len(found) + 1

    def test_two_processes_that_trim_one_trace_while_they_are_killed(
        self, traces: Traces, url: str, tmp_path: Path
    ) -> None:
        most = 60 * piece(0).size
        traces.create(trace(max_bytes=most), [], most=MOST)
        with appending(url, tmp_path, 0, 1_000_000) as appenders:
            for appender in appenders:
                appender.wait_for(200)
            for appender in appenders:
                appender.kill()
        found = traces.pieces("", "t")
        assert found
        assert found[0].state is not None
        assert sum(one.size for one in found) <= most
        for appender, first in zip(appenders, (0, 1_000_000), strict=True):
            own = [one for one in found if first <= one.step < first + 1_000_000]
            numbers = [one.step for one in own]
            assert all(after == before + 1 for before, after in pairwise(numbers))
            assert all_same(own, [piece(n, stated=n % 10 == 0) for n in numbers])
            assert not own or numbers[-1] - appender.confirmed()[-1] in (0, 1)
