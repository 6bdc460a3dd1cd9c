"""Which peers there are, and how they are started and asked."""

import json
import os
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.peers.step import GRAPH_VARIABLE, PORT_VARIABLE
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import ROW, SESSIONS
from benchmarks.tools.wrk import Load
from service.bundle.manifest import STEP_FILE
from tests.service_process import free_port

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / ".peers"
READY_DEADLINE_SECONDS = 90.0


class PeerUnavailable(Exception):
    """Why a peer cannot be measured here."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A server beside Gatewise: its folder's name, and the request for a step of session {n}."""

    name: str
    title: str
    path: str
    body: str

    @property
    def folder(self) -> Path:
        return Path(__file__).parent / self.name

    @property
    def python(self) -> Path:
        """The interpreter of its own environment."""
        return ENVIRONMENTS / self.name / "bin" / "python"

    def load(self, server: Server) -> Load:
        """The same single step as everywhere, of one session after the other."""
        return Load(server.url, self.path, self.body, SESSIONS)


_BY_SESSION = json.dumps({"session_id": "s{n}", "inputs": [ROW]})
_INPUT = {"name": "inputs", "shape": [1, len(ROW)], "datatype": "FP32", "data": ROW}
_SESSION = {"name": "session_id", "shape": [1, 1], "datatype": "BYTES", "data": ["s{n}"]}

NAIVE = Peer("naive", "FastAPI by hand", "/v1/sessions/s{n}/steps", json.dumps({"inputs": [ROW]}))
PEERS = {
    peer.name: peer
    for peer in (
        Peer("litserve", "LitServe", "/predict", _BY_SESSION),
        Peer("bentoml", "BentoML", "/step", _BY_SESSION),
        Peer(
            "mlserver",
            "MLServer",
            "/v2/models/step/infer",
            json.dumps({"id": "s{n}", "inputs": [_INPUT]}),
        ),
        Peer("ray_serve", "Ray Serve", "/", _BY_SESSION),
        Peer(
            "pytriton",
            "pytriton",
            "/v2/models/step/infer",
            json.dumps({"inputs": [_SESSION, _INPUT]}),
        ),
    )
}


def start(peer: Peer, bundle: Path) -> Server:
    """The peer with the step graph of a bundle, answering. Raises PeerUnavailable."""
    if peer is NAIVE:
        python = Path(sys.executable)
    elif peer.python.exists():
        python = peer.python
    else:
        raise PeerUnavailable(f"not installed: python -m benchmarks.peers.setup {peer.name}")
    port = free_port()
    home = ENVIRONMENTS / peer.name / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = {
        GRAPH_VARIABLE: str(bundle / STEP_FILE),
        PORT_VARIABLE: str(port),
        "PYTHONPATH": str(ROOT),
        # Triton's Python backend loads the library of the interpreter that made the environment.
        "LD_LIBRARY_PATH": f"{sysconfig.get_config_var('LIBDIR')}:"
        + os.environ.get("LD_LIBRARY_PATH", ""),
        # Some leave files behind in the home folder, or report their use.
        "HOME": str(home),
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "BENTOML_DO_NOT_TRACK": "True",
    }
    try:
        server = Server([str(python), str(peer.folder / "server.py")], port, environment)
    except RuntimeError as error:
        raise PeerUnavailable(f"does not start here: {error}") from None
    try:
        _wait_until_it_steps(peer, server)
    except BaseException:
        server.stop()
        raise
    return server


def _wait_until_it_steps(peer: Peer, server: Server) -> None:
    """Some listen long before they answer."""
    deadline = time.monotonic() + READY_DEADLINE_SECONDS
    said = "nothing"
    while time.monotonic() < deadline:
        try:
            answer = httpx.post(
                server.url + peer.path.replace("{n}", "0"),
                content=peer.body.replace("{n}", "0"),
                headers={"content-type": "application/json"},
                timeout=10,
            )
        except httpx.TransportError as error:
            said = repr(error)
        else:
            if answer.status_code == 200:
                return
            said = f"{answer.status_code} {answer.text[:200]}"
        time.sleep(0.1)
    raise PeerUnavailable(f"does not answer here: {said}")
