"""A client that insists: any replica, the same request, until it is answered."""

import asyncio
from collections.abc import Sequence
from random import Random

from tests.faults.figures import Figures
from tests.faults.http_connection import Answer, HttpConnection
from tests.faults.requests import Request

_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.2
_GIVE_UP_SECONDS = 60.0
_AVOIDED_SECONDS = 4.0


class Unanswered(Exception):
    """A request that no replica has answered for a minute."""


class Client:
    """Sends requests one at a time, each attempt over a lane drawn at random.

    A lane is a connection to a port; several to one port reach several of the processes that
    share it. `patience_seconds` is how long one attempt may take. Who `waits_on` leaves an attempt
    that took longer where it is, be it in the socket of a process that hangs: it may be worked off
    when newer requests have long been answered.
    """

    def __init__(
        self,
        lanes: Sequence[int],
        random: Random,
        figures: Figures,
        patience_seconds: float,
        *,
        waits_on: bool = False,
    ) -> None:
        self._lanes = lanes
        self._random = random
        self._figures = figures
        self._patience_seconds = patience_seconds
        self._waits_on = waits_on
        self._avoided: dict[int, float] = {}
        """Lanes that did not answer, and until when others are taken, as a balancer does."""
        self._connections: dict[int, HttpConnection] = {}
        self._late: set[asyncio.Task[None]] = set()

    async def ask(self, request: Request) -> Answer:
        """The answer, once there is one that says what became of the request."""
        started = self._figures.seconds
        pause = _FIRST_PAUSE
        while True:
            outcome = await self.attempt(request)
            now = self._figures.seconds
            reason = outcome if isinstance(outcome, str) else _reason_to_retry(outcome)
            request.attempts[-1] += f" at {now:.3f} s"
            if isinstance(outcome, Answer) and reason is None:
                self._figures.answered(now - started)
                self._figures.replays += outcome.replayed
                return outcome
            self._figures.retries[reason or "?"] += 1
            if now - started > _GIVE_UP_SECONDS:
                raise Unanswered(f"{request}: {request.attempts}")
            await asyncio.sleep(pause * self._random.uniform(0.5, 1.5))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def attempt(self, request: Request) -> Answer | str:
        """The answer, or why there is none."""
        lane = self._draw_lane()
        if request.first_sent is None:
            request.first_sent = self._figures.seconds
        outcome: Answer | str
        try:
            outcome = await self._ask_at(lane, request)
        except ConnectionRefusedError:
            outcome = "refused"
        except TimeoutError:
            outcome = "timeout"
            self._avoided[lane] = self._figures.seconds + _AVOIDED_SECONDS
            if self._waits_on and lane in self._connections:
                self._leave(self._connections.pop(lane), request)
        except (OSError, EOFError):
            outcome = "connection lost"
        if isinstance(outcome, str):
            self._drop(lane)
        said = outcome if isinstance(outcome, str) else f"{outcome.status} {outcome.code or ''}"
        request.attempts.append(f"lane {lane}: {said}")
        return outcome

    def _draw_lane(self) -> int:
        now = self._figures.seconds
        lanes = range(len(self._lanes))
        preferred = [lane for lane in lanes if self._avoided.get(lane, 0.0) <= now]
        return self._random.choice(preferred or lanes)

    async def _ask_at(self, lane: int, request: Request) -> Answer:
        """One attempt over the given lane. Raises OSError, EOFError, TimeoutError."""
        async with asyncio.timeout(self._patience_seconds):
            connection = self._connections.get(lane)
            if connection is None:
                connection = await HttpConnection.open(self._lanes[lane])
                self._connections[lane] = connection
            answer = await connection.exchange(request.encoded())
        if connection.is_over:
            self._drop(lane)
        return answer

    async def abandon(self, request: Request) -> None:
        """Send it somewhere, and be gone before the answer comes."""
        lane = self._random.randrange(len(self._lanes))
        request.attempts.append(f"lane {lane}: abandoned at {self._figures.seconds:.3f} s")
        self._figures.abandoned += 1
        try:
            connection = await HttpConnection.open(self._lanes[lane])
        except OSError:
            return
        connection.send(request.encoded())
        await asyncio.sleep(self._random.choice([0, 0.001, 0.005]))
        connection.close(reset=self._random.random() < 0.5)

    def close(self) -> None:
        for late in self._late:
            late.cancel()
        for connection in self._connections.values():
            connection.close()

    def _leave(self, connection: HttpConnection, request: Request) -> None:
        """See what becomes of an attempt that nobody waits for."""

        async def wait() -> None:
            try:
                answer = await connection.receive()
            except (OSError, EOFError):
                return
            finally:
                connection.close()
            self._figures.late[_said_late(answer)] += 1
            request.attempts.append(f"late: {answer.status} {answer.code or ''}")

        late = asyncio.create_task(wait())
        self._late.add(late)
        late.add_done_callback(self._late.discard)

    def _drop(self, lane: int) -> None:
        if lane in self._connections:
            self._connections.pop(lane).close(reset=True)


def _reason_to_retry(answer: Answer) -> str | None:
    """None where the answer says what became of the request."""
    if answer.status >= 500 or answer.status == 429:
        return f"{answer.status} {answer.code}"
    return None


def _said_late(answer: Answer) -> str:
    if answer.status < 400:
        return "answered as the retry" if answer.replayed else "applied first"
    return f"{answer.status} {answer.code}"
