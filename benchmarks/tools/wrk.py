"""Load by wrk, from the second core."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from uuid import uuid4

from benchmarks.tools.cores import LOAD_CORE, pinned

_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}


@dataclass(frozen=True, slots=True)
class Load:
    """POSTs of JSON; `{n}` in path and body counts through so many sessions.

    Keyed ones carry an Idempotency-Key each, never the same. Taken at random, the sessions come
    in no order, as they do from many callers.
    """

    url: str
    path: str
    body: str
    sessions: int
    keyed: bool = False
    random: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    p50_us: float
    p99_us: float
    requests_per_second: float


def need_wrk() -> None:
    """Ends the program where wrk is not installed."""
    if shutil.which("wrk") is None:
        sys.exit("needs wrk: apt-get install wrk")


def measure(load: Load, *, connections: int, seconds: int) -> Measured:
    """Raises RuntimeError when any answer was not a success."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(load))
        script.flush()
        command = [*pinned(LOAD_CORE), "wrk", "-t1", "--latency", "--timeout", "30s"]
        finished = subprocess.run(
            [*command, f"-c{connections}", f"-d{seconds}s", "-s", script.name, load.url],
            capture_output=True,
            text=True,
            check=True,
        )
    return parse(finished.stdout)


# json.dumps makes what Lua reads as the same string: both know \\n, \\" and \\\\.
def _script(load: Load) -> str:
    key = f'wrk.headers["idempotency-key"] = "{uuid4()}-" .. count' if load.keyed else ""
    chosen = f"math.random(0, {load.sessions - 1})" if load.random else f"count % {load.sessions}"
    return f"""
local count = 0
local path = {json.dumps(load.path)}
local body = {json.dumps(load.body)}
wrk.headers["content-type"] = "application/json"
math.randomseed({uuid4().int % 2**31})
request = function()
  count = count + 1
  {key}
  local n = tostring({chosen})
  return wrk.format("POST", (path:gsub("{{n}}", n)), nil, (body:gsub("{{n}}", n)))
end
"""


def parse(output: str) -> Measured:
    """The figures in what wrk printed. Raises RuntimeError when answers failed, or are missing."""
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"some answers were errors:\n{output}")
    p50 = re.search(r"^ +50% +([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    p99 = re.search(r"^ +99% +([\d.]+)(us|ms|s|m)\s*$", output, re.MULTILINE)
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    if p50 is None or p99 is None or rate is None or not float(rate[1]):
        raise RuntimeError(f"wrk measured nothing:\n{output}")
    return Measured(
        p50_us=float(p50[1]) * _UNITS[p50[2]],
        p99_us=float(p99[1]) * _UNITS[p99[2]],
        requests_per_second=float(rate[1]),
    )
