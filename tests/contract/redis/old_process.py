"""A process of the older release, and a store of this one beside it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from service.errors import StoreError
from service.stores.open import open_store
from service.stores.redis.store import RedisStore
from tests.contract.redis.stores import PATIENCE_SECONDS, RETENTION_SECONDS
from tests.redis_server import RedisServer

Answer = Any
"""What the older release makes of its sessions in JSON."""

_PROGRAM = Path(__file__).with_name("old_release.py")


class OldRelease:
    """A running process of the older release."""

    def __init__(self, server: RedisServer) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_PROGRAM), str(server.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str, session_id: str, **how: object) -> Answer:
        """Its answer; raises StoreError with what it says where it fails."""
        self.begin(what, session_id, **how)
        return self.answer()

    def begin(self, what: str, session_id: str, **how: object) -> None:
        """Ask, and let it work."""
        assert self._process.stdin is not None
        line = json.dumps({"do": what, "session_id": session_id, **how})
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def answer(self) -> Answer:
        """The answer to what was begun."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, "the older release has gone"
        answer = json.loads(said)
        if "error" in answer:
            raise StoreError(answer["error"])
        return answer["answer"]

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End it, and wait until it has gone."""
        self._process.communicate()


def opened(server: RedisServer) -> RedisStore:
    store = open_store(
        server.url,
        "normal",
        retention_seconds=RETENTION_SECONDS,
        timeout_seconds=PATIENCE_SECONDS,
    )
    assert isinstance(store, RedisStore)
    return store
