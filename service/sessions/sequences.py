"""Whole sequences without a session: computed and forgotten."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from service.batcher.compute import Computed, Row, compute


class Sequences:
    """Runs whole sequences on a thread of their own, so that steps of sessions do not wait."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sequences")

    async def run(self, rows: Sequence[Row]) -> list[Computed]:
        """All rows, or the exception of the first that fails."""
        loop = asyncio.get_running_loop()
        outcomes = await loop.run_in_executor(self._executor, compute, rows)
        computed = [outcome for outcome in outcomes if isinstance(outcome, Computed)]
        if len(computed) < len(outcomes):
            raise next(outcome for outcome in outcomes if isinstance(outcome, Exception))
        return computed

    def close(self) -> None:
        self._executor.shutdown()
