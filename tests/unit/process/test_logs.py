"""A log call never raises, whatever it is given."""

import io
import json
import subprocess
import sys

import pytest

from service.process import logs

UNWRITABLE = ["'half a pair \\ud800'", "{'half': '\\udfff'}", "2**70", "{1: 2}", "object()"]


@pytest.mark.parametrize("value", UNWRITABLE)
@pytest.mark.parametrize("log_format", ["json", "console"])
def test_any_value_is_written_somehow(value: str, log_format: str) -> None:
    code = (
        "import structlog, sys; from service.process import logs; "
        "from service.settings import Settings; "
        f"logs.configure(Settings(log_format={log_format!r})); "
        "structlog.get_logger().warning('said', value=eval(sys.argv[1])); print('goes on')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, value], capture_output=True, timeout=30, check=True
    )
    assert ran.stdout == b"goes on\n"
    assert b"said" in ran.stderr
    if log_format == "json":
        assert json.loads(ran.stderr)["event"] == "said"


def test_a_stream_that_is_closed_is_no_reason_to_stop() -> None:
    stream = io.StringIO()
    lines = logs._Lines(stream)
    lines.msg("first")
    assert stream.getvalue() == "first\n"
    stream.close()
    lines.msg("second")
