"""Single durable steps beside every peer, one peer after the other."""

import statistics
from collections import defaultdict
from pathlib import Path

from benchmarks.peers.peer import PEERS, Peer, PeerUnavailable, start
from benchmarks.tools.row import Plan, Row, left_out, ratios
from benchmarks.tools.servers import Server
from benchmarks.tools.workload import bundle_of, durable, single_steps, workplace
from benchmarks.tools.wrk import Measured, measure

BUSY = (32, 128)
TARGET = 3
DURABLE = "durable"

_Found = dict[tuple[str, int], list[Measured]]
"""What was measured of Gatewise and the peer at so many connections, one a round."""


def rows(plan: Plan) -> list[Row]:
    with workplace() as folder, durable(folder) as server:
        return [row for name in plan.peers for row in _beside(PEERS[name], server, folder, plan)]


def _beside(peer: Peer, server: Server, folder: Path, plan: Plan) -> list[Row]:
    try:
        running = start(peer, bundle_of(folder))
    except PeerUnavailable as why:
        return [
            *(left_out(_busy(peer, number), TARGET, "at least", str(why)) for number in BUSY),
            left_out(_idle(peer), 1, "at most", str(why)),
        ]
    with running:
        found = _measure(peer, running, server, plan)
    return [*(_busy_row(peer, number, found) for number in BUSY), _idle_row(peer, found)]


def _measure(peer: Peer, running: Server, server: Server, plan: Plan) -> _Found:
    loads = {DURABLE: single_steps(server), peer.title: peer.load(running)}
    measure(loads[peer.title], connections=32, seconds=1)
    found: _Found = defaultdict(list)
    for _ in range(plan.rounds):
        for connections in (1, *BUSY):
            for name, load in loads.items():
                measured = measure(load, connections=connections, seconds=plan.seconds)
                found[name, connections].append(measured)
    return found


def _busy(peer: Peer, connections: int) -> str:
    return f"single step, {connections} connections, durable / {peer.title}"


def _idle(peer: Peer) -> str:
    return f"p50 of a single step, 1 connection, durable / {peer.title}"


def _busy_row(peer: Peer, connections: int, found: _Found) -> Row:
    rates = {
        name: [one.requests_per_second for one in found[name, connections]]
        for name in (DURABLE, peer.title)
    }
    return Row(
        _busy(peer, connections),
        ratios(rates[DURABLE], rates[peer.title]),
        TARGET,
        "at least",
        figures={f"{name}, requests/s": statistics.median(rates[name]) for name in rates},
    )


def _idle_row(peer: Peer, found: _Found) -> Row:
    p50 = {name: [one.p50_us for one in found[name, 1]] for name in (DURABLE, peer.title)}
    return Row(
        _idle(peer),
        ratios(p50[DURABLE], p50[peer.title]),
        1,
        "at most",
        figures={f"{name}, µs": statistics.median(p50[name]) for name in p50},
    )
