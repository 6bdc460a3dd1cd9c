"""The answer of /metrics, by one process and by several."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from service.metrics.exposition import ModelInfo, render
from service.metrics.workers import FOLDER, counted_together, forget_open

COUNT = """
from service.metrics.catalogue import BATCH_SIZE, OPEN_STREAMS, SESSIONS, STEPS
STEPS.labels("m").inc(3)
OPEN_STREAMS.labels("websocket").inc(2)
BATCH_SIZE.observe(5)
SESSIONS.set({sessions})
"""
SHOW = """
from service.metrics.exposition import render
print(render("", [])[0].decode())
"""


def run(code: str) -> tuple[int, str]:
    """A process of its own: its pid, and what it printed."""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as done:
        printed, _ = done.communicate(timeout=60)
    assert done.returncode == 0
    return done.pid, printed


def values(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_running_is_shown() -> None:
    text = render("", [ModelInfo("a", 2, "P")])[0].decode()
    assert 'gatewise_model_info{model="a",provider="P",version="2"} 1.0' in text
    assert {"python_info", "process_open_fds"} <= {name.partition(" ")[0] for name in values(text)}


def test_one_of_several_answers_for_all() -> None:
    with counted_together():
        folder = Path(os.environ[FOLDER])
        first, _ = run(COUNT.format(sessions=7))
        run(COUNT.format(sessions=9))
        shown = values(run(SHOW)[1])
        assert shown["gatewise_steps_total m"] == 6
        assert (shown["gatewise_batch_size_count"], shown["gatewise_batch_size_sum"]) == (2, 10)
        assert [shown[f"gatewise_batch_size_bucket {le}"] for le in ("4.0", "8.0")] == [0, 2]
        assert shown["gatewise_sessions"] == 9
        assert shown["gatewise_open_streams websocket"] == 4
        forget_open(first)
        shown = values(run(SHOW)[1])
        assert shown["gatewise_open_streams websocket"] == 2
        assert shown["gatewise_steps_total m"] == 6
    assert FOLDER not in os.environ
    assert not folder.exists()
