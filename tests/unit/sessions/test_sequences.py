"""Whole sequences on their own thread."""

import asyncio
import threading

import numpy as np
import pytest

from service.batcher import compute as computing
from service.batcher.compute import Outcome, Row
from service.engine.models import Models
from service.errors import InvalidInput, Overloaded
from service.sessions import sequences as sequences_module
from service.sessions.sequences import Sequences


def row(models: Models, value: float = 20.0) -> Row:
    engine = models.latest("weather")
    inputs = np.array([[value, 1000.0, 0.5]] * 3, np.float32)
    return Row(engine, inputs, engine.initial_states(1)[0], gates=False)


async def test_rows_come_back_in_order(models: Models) -> None:
    sequences = Sequences(max_waiting=1)
    one, other = await sequences.run([row(models, 20.0), row(models, 25.0)])
    assert one.outputs[0, 0] < other.outputs[0, 0]
    sequences.close()


async def test_a_row_that_fails_fails_the_request(models: Models) -> None:
    sequences = Sequences(max_waiting=1)
    with pytest.raises(InvalidInput, match=r"\$\.inputs\[0\]: the model's arithmetic"):
        await sequences.run([row(models), row(models, np.inf)])
    sequences.close()


async def test_more_than_max_waiting_is_refused_at_once(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()

    def held(rows: list[Row]) -> list[Outcome]:
        gate.wait(10)
        return computing.compute(rows)

    monkeypatch.setattr(sequences_module, "compute", held)
    sequences = Sequences(max_waiting=1)
    first = asyncio.create_task(sequences.run([row(models)]))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await sequences.run([row(models)])
    gate.set()
    assert len(await first) == 1
    assert len(await sequences.run([row(models)])) == 1, "room again"
    sequences.close()
