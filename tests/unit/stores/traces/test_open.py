"""From the URL of a store of sessions to its traces."""

from contextlib import closing
from pathlib import Path

import pytest

from service.errors import StoreError
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.open import open_traces, traces_path


def test_memory() -> None:
    with closing(open_traces("memory://", timeout_seconds=1)) as traces:
        assert isinstance(traces, MemoryTraces)


@pytest.mark.parametrize("url", ["", "memory", "sqlite://", "sqlite:///", "redis://", "http://x"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(StoreError, match="is not understood"):
        open_traces(url, timeout_seconds=1)


def test_a_wrong_address_does_not_show_its_password() -> None:
    with pytest.raises(StoreError, match="several hosts make a cluster") as refused:
        open_traces("redis://me:secret@a,b", timeout_seconds=1)
    assert "secret" not in str(refused.value)


def test_the_file_has_the_name_of_the_sessions_file() -> None:
    assert traces_path(Path("/data/gatewise.db")) == Path("/data/gatewise-traces.db")
