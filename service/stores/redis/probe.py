"""Leaves a node alone that stopped answering, and finds out when it is back."""

import threading
import time
from collections.abc import Container

import structlog

from service.errors import StoreError
from service.metrics.catalogue import THREAD_FAILURES
from service.stores.redis.link import Access, Link, Node

_INTERVAL_SECONDS = 0.1

log = structlog.get_logger()


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
        except Exception:  # a mistake of ours; the node must be asked again
            THREAD_FAILURES.labels("probe").inc()
            log.exception("probe_failed")
            return False
        finally:
            self._link.close()
        if isinstance(reply, StoreError):
            return False
        self._answered.set()
        return True


class Patience:
    """Each node is waited for once: then it is left alone until it answers a probe."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._probes: dict[Node, Probe] = {}

    def check(self, node: Node) -> None:
        """Raises StoreError for a node that is being left alone."""
        if (probe := self._probes.get(node)) is not None:
            if not probe.answered:
                raise StoreError(f"Redis {node} has not answered for a while; try again")
            del self._probes[node]

    def is_away(self, node: Node) -> bool:
        return node in self._probes

    def lost(self, node: Node, since: float) -> None:
        """A node failed that was asked at a monotonic time: leave it alone if it let us wait."""
        if time.monotonic() - since > self._access.timeout_seconds / 2:
            self._probes[node] = Probe(node, self._access)

    def forget_others(self, nodes: Container[Node | None]) -> None:
        """Stop probing for all but these."""
        for node in [node for node in self._probes if node not in nodes]:
            self._probes.pop(node).stop()
