"""What is fixed about the peers without starting one."""

import json
import re

import pytest

from benchmarks.peers.peer import NAIVE, PEERS, Peer

ALL = [NAIVE, *PEERS.values()]


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)
def test_a_request_is_json_and_names_its_session(peer: Peer) -> None:
    json.loads(peer.body)
    assert "{n}" in peer.path + peer.body


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)
def test_a_peer_has_a_server(peer: Peer) -> None:
    assert (peer.folder / "server.py").is_file()


@pytest.mark.parametrize("peer", PEERS.values(), ids=lambda peer: peer.name)
def test_every_version_of_an_environment_is_pinned(peer: Peer) -> None:
    lines = (peer.folder / "requirements.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.\-\[\]]+==[\w.!+]+", line)] == []
    assert any(line.startswith("onnxruntime==1.32.0") for line in lines)
