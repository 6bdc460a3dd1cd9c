"""The answer of /metrics, by one process and by several."""

import os
import subprocess
import sys
from pathlib import Path

from service.metrics.exposition import FOLDER, ModelInfo, counted_together, forget_open, render
from tests.metrics_page import series_in, value_of

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


def test_what_is_running_is_shown() -> None:
    text = render("", [ModelInfo("a", 2, "P")])[0].decode()
    assert 'gatewise_model_info{model="a",provider="P",version="2"} 1.0' in text
    assert {"python_info", "process_open_fds"} <= {name for name, _ in series_in(text)}


def test_one_of_several_answers_for_all() -> None:
    with counted_together():
        folder = Path(os.environ[FOLDER])
        first, _ = run(COUNT.format(sessions=7))
        run(COUNT.format(sessions=9))
        shown = series_in(run(SHOW)[1])
        assert value_of(shown, "gatewise_steps_total", model="m") == 6
        assert value_of(shown, "gatewise_batch_size_count") == 2
        assert value_of(shown, "gatewise_batch_size_sum") == 10
        assert value_of(shown, "gatewise_batch_size_bucket", le="4.0") == 0
        assert value_of(shown, "gatewise_batch_size_bucket", le="8.0") == 2
        assert value_of(shown, "gatewise_sessions") == 9
        assert value_of(shown, "gatewise_open_streams", kind="websocket") == 4
        forget_open(first)
        shown = series_in(run(SHOW)[1])
        assert value_of(shown, "gatewise_open_streams", kind="websocket") == 2
        assert value_of(shown, "gatewise_steps_total", model="m") == 6
    assert FOLDER not in os.environ
    assert not folder.exists()
