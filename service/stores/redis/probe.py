"""Finds out when a node that stopped answering is back, without anybody waiting for it."""

import threading
import time

from service.errors import StoreError
from service.stores.redis.link import Access, Link, Node

_INTERVAL_SECONDS = 0.1


class Probe:
    """Asks a node in a thread of its own, over connections of its own, until it answers."""

    def __init__(self, node: Node, access: Access) -> None:
        self._link = Link(node, access)
        self._timeout_seconds = access.timeout_seconds
        self._answered = threading.Event()
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name=f"probe {node}", daemon=True).start()

    @property
    def answered(self) -> bool:
        return self._answered.is_set()

    def stop(self) -> None:
        """End soon; the thread may still wait for the answer to its last question."""
        self._stopped.set()

    def _run(self) -> None:
        while not (self._answers() or self._stopped.wait(_INTERVAL_SECONDS)):
            pass

    def _answers(self) -> bool:
        try:
            self._link.send([(b"PING",)], changes=False)
            (reply,) = self._link.receive(time.monotonic() + self._timeout_seconds)
        except StoreError:
            return False
        finally:
            self._link.close()
        if isinstance(reply, StoreError):
            return False
        self._answered.set()
        return True
