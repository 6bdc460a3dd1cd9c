"""The contract, kept by the traces in memory."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Traces
from tests.contract.traces_contract import Opener, TracesContract


class SharedTraces(MemoryTraces):
    """As a second process would have them: closing it leaves the first one's."""

    def __init__(self, first: MemoryTraces) -> None:
        super().__init__()
        self._kept, self._lock = first._kept, first._lock

    def close(self) -> None:
        self._closed = True


class TestMemoryTraces(TracesContract):
    @pytest.fixture
    def traces(self) -> Iterator[Traces]:
        with closing(MemoryTraces()) as traces:
            yield traces

    @pytest.fixture
    def opener(self, traces: MemoryTraces) -> Opener:
        return lambda: SharedTraces(traces)
