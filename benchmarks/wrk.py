"""Load by wrk, from the second core."""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from uuid import uuid4

LOAD_CORE = "1"
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}


@dataclass(frozen=True, slots=True)
class Load:
    """POSTs of one body; `{n}` in the path counts through so many sessions.

    Keyed ones carry an Idempotency-Key each, never the same.
    """

    url: str
    path: str
    body: str
    sessions: int
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    p50_us: float
    requests_per_second: float


def measure(load: Load, *, connections: int, seconds: int) -> Measured:
    """Raises RuntimeError when any answer was not a success."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(load))
        script.flush()
        pinned = ["taskset", "--cpu-list", LOAD_CORE, "wrk", "-t1", "--latency"]
        finished = subprocess.run(
            [*pinned, f"-c{connections}", f"-d{seconds}s", "-s", script.name, load.url],
            capture_output=True,
            text=True,
            check=True,
        )
    return _parse(finished.stdout)


def _script(load: Load) -> str:
    before, _, after = load.path.partition("{n}")
    path = f'"{before}" .. (count % {load.sessions}) .. "{after}"' if after else f'"{before}"'
    key = f'wrk.headers["idempotency-key"] = "{uuid4()}-" .. count' if load.keyed else ""
    return f"""
local count = 0
wrk.headers["content-type"] = "application/json"
request = function()
  count = count + 1
  {key}
  return wrk.format("POST", {path}, nil, [==[{load.body}]==])
end
"""


def _parse(output: str) -> Measured:
    if "Non-2xx" in output:
        raise RuntimeError(f"some answers were errors:\n{output}")
    p50 = re.search(r"50%\s+([\d.]+)(us|ms|s)", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if p50 is None or rate is None:
        raise RuntimeError(f"wrk said something unexpected:\n{output}")
    return Measured(float(p50[1]) * _UNITS[p50[2]], float(rate[1]))
