"""Single durable steps beside every peer, one peer after the other."""

from pathlib import Path

from benchmarks.peers.peer import PEERS, Peer, PeerUnavailable, start
from benchmarks.tools.rounds import Rounds, in_turns
from benchmarks.tools.row import Plan, Row, compared, left_out
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import bundle_of, durable, single_steps, workplace
from benchmarks.tools.wrk import measure

BUSY = (32, 128)
FASTER, SOONER = 8, 0.65
DURABLE = "durable"


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, durable(folder) as server:
        return [row for name in plan.peers for row in _beside(PEERS[name], server, folder, plan)]


def _beside(peer: Peer, server: Server, folder: Path, plan: Plan) -> list[Row]:
    try:
        running = start(peer, bundle_of(folder))
    except PeerUnavailable as why:
        return [
            *(left_out(_busy(peer, count), FASTER, "at least", str(why)) for count in BUSY),
            left_out(_idle(peer), SOONER, "at most", str(why)),
        ]
    with running:
        loads = {DURABLE: single_steps(server), peer.title: peer.load(running)}
        # Some compile, or start a thread, with their first requests.
        measure(loads[peer.title], connections=32, seconds=1)
        return _rows(peer, in_turns(loads, (1, *BUSY), plan))


def _rows(peer: Peer, found: Rounds) -> list[Row]:
    return [
        *(
            compared(
                _busy(peer, count),
                found.rate(DURABLE, count),
                found.rate(peer.title, count),
                FASTER,
                "at least",
            )
            for count in BUSY
        ),
        compared(_idle(peer), found.p50(DURABLE, 1), found.p50(peer.title, 1), SOONER, "at most"),
    ]


def _busy(peer: Peer, connections: int) -> str:
    return f"single step, {connections} connections, durable / {peer.title}"


def _idle(peer: Peer) -> str:
    return f"p50 of a single step, 1 connection, durable / {peer.title}"
