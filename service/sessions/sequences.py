"""Whole sequences without a session: computed and forgotten."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from service.batcher.compute import Computed, Row, compute
from service.errors import Overloaded


class Sequences:
    """Runs whole sequences on a thread of their own, so that steps of sessions do not wait."""

    def __init__(self, max_waiting: int) -> None:
        self._max_waiting = max_waiting
        self._waiting = 0
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sequences")

    async def run(self, rows: Sequence[Row]) -> list[Computed]:
        """All rows, or the exception of the first that fails. Raises Overloaded."""
        if self._waiting >= self._max_waiting:
            raise Overloaded(f"{self._waiting} requests for sequences are waiting already")
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            outcomes = await loop.run_in_executor(self._executor, compute, rows)
        finally:
            self._waiting -= 1
        computed = [outcome for outcome in outcomes if isinstance(outcome, Computed)]
        if len(computed) < len(outcomes):
            raise next(outcome for outcome in outcomes if isinstance(outcome, Exception))
        return computed

    def close(self) -> None:
        self._executor.shutdown()
