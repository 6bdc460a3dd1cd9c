"""A run gives the same steps, however it is cut and whatever is kept."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.analysis.interventions import Intervention
from service.engine.engine import Engine
from service.engine.inspection import Inspection, Looked, SetGate
from service.repository.models import Models
from service.stores.traces.memory import MemoryTraces
from service.stores.traces.traces import Piece, Trace
from service.traces import run as module
from service.traces.kept import Kept
from service.traces.pieces import Pieces
from service.traces.run import Run, run_of
from tests.e2e.requests import inputs_for

STEPS = 70
ROOM = 10**9


@pytest.fixture(autouse=True)
def _short_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_SLICE", 16)


def drawn(engine: Engine) -> NDArray[Any]:
    name = engine.manifest.name
    return np.array(inputs_for(name, STEPS), engine.manifest.input.dtype)


def pieces_of(engine: Engine, cuts: list[int], *, first: int = 0) -> list[Piece]:
    """All inputs, cut before these steps; every piece has its state, as a session would have it."""
    inputs, made = drawn(engine), []
    state = engine.initial_states(1)
    for begin, end in zip([0, *cuts], [*cuts, STEPS], strict=True):
        made.append(Piece(first + begin, 1, begin + 1, begin, end, inputs[begin:end], state[0]))
        state = engine.sequence(inputs[np.newaxis, begin:end], state)[1][:, -1]
    return made


def run(
    engine: Engine,
    pieces: list[Piece],
    kept: Kept | None = None,
    interventions: tuple[Intervention, ...] = (),
) -> Run:
    trace = Trace("", "t", None, engine.manifest.name, 1, 0.0, 1e12, ROOM)
    store = MemoryTraces()
    store.create(trace, pieces, most=1)
    steps = Pieces(store, ROOM).of(trace)
    assert steps is not None
    return run_of(trace, steps, engine, interventions, kept or Kept(ROOM))


def tensors(one: Run, begin: int | None = None, end: int | None = None) -> dict[str, NDArray[Any]]:
    slices = list(one.slices(begin, end))
    for before, after in pairwise(slices):
        assert before.end == after.begin
    names = [name for name in slices[0].looked.tensors if not name.endswith("_mask")]
    joined = {name: np.concatenate([s.looked.tensors[name] for s in slices]) for name in names}
    return joined | {"output": np.concatenate([s.looked.output for s in slices])}


@pytest.fixture(params=["weather-deep", "letters"])
def engine(models: Models, request: pytest.FixtureRequest) -> Engine:
    return models.default(request.param)


@pytest.mark.parametrize("first", [0, 5, 1_000_003])
@pytest.mark.parametrize("cuts", [[], [20], [1, 2, 3, 40]])
def test_the_same_as_the_engine_says(engine: Engine, cuts: list[int], first: int) -> None:
    inputs, state = drawn(engine), engine.initial_states(1)
    output, states = engine.sequence(inputs[np.newaxis], state)
    gates = engine.gates_of(inputs, state[0], states[0])
    one = run(engine, pieces_of(engine, cuts, first=first))
    assert (one.begin, one.end) == (first, first + STEPS)
    found = tensors(one)
    for name in engine.manifest.shown_names:
        np.testing.assert_allclose(found[name], gates[name], atol=1e-5)
    np.testing.assert_allclose(found["output"], output[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("room", [0, 40_000, ROOM])
def test_any_part_of_it_whatever_is_kept(engine: Engine, room: int) -> None:
    pieces = pieces_of(engine, [])
    whole = tensors(run(engine, pieces))
    one = run(engine, pieces, Kept(room))
    for begin, end in ((64, 70), (0, 1), (15, 17), (40, 70), (16, 32), (3, 64)):
        found = tensors(one, begin, end)
        for name, tensor in whole.items():
            np.testing.assert_array_equal(found[name], tensor[begin:end])


def test_backwards(engine: Engine) -> None:
    one = run(engine, pieces_of(engine, [30]))
    slices = list(one.backwards(50))
    assert slices[0].end == 50
    assert slices[-1].begin == 0
    assert [s.begin for s in slices[:-1]] == [s.end for s in slices[1:]]


def test_states_between_steps(engine: Engine) -> None:
    inputs, state = drawn(engine), engine.initial_states(1)
    _, states = engine.sequence(inputs[np.newaxis], state)
    one = run(engine, pieces_of(engine, [33], first=7))
    np.testing.assert_array_equal(one.state_after(7), state[0])
    for step in (8, 20, 40, 77):
        np.testing.assert_allclose(one.state_after(step), states[0, step - 8], atol=1e-6)


def test_a_session_that_goes_on_has_its_last_slice_computed_alone(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look = Inspection.look

    def counted(
        inspection: Inspection,
        inputs: NDArray[Any],
        state: NDArray[np.float32],
        gates: Mapping[str, SetGate] | None = None,
    ) -> Looked:
        asked.append(len(inputs))
        return look(inspection, inputs, state, gates)

    monkeypatch.setattr(Inspection, "look", counted)
    pieces, kept = pieces_of(engine, list(range(1, STEPS))), Kept(ROOM)
    tensors(run(engine, pieces[:60], kept))
    assert sum(asked) == 60
    asked.clear()
    tensors(run(engine, pieces[:61], kept))
    assert asked == [61 - 48]


def test_the_same_steps_with_another_past_are_others(models: Models) -> None:
    """A session may be set back and given other inputs at the same steps."""
    engine, kept = models.default("weather"), Kept(ROOM)
    pieces = pieces_of(engine, [])
    found = tensors(run(engine, pieces, kept))["hidden"]
    other = replace(pieces[0], inputs=pieces[0].inputs[::-1].copy(), after=999)
    again = tensors(run(engine, [other], kept))["hidden"]
    assert np.abs(found - again).max() > 1e-3


def test_gates_that_are_set_are_so_in_every_slice(models: Models) -> None:
    engine = models.default("weather-deep")
    pieces = pieces_of(engine, [])
    plain = tensors(run(engine, pieces))
    change = Intervention(0, "update", (1,), 10, 40, "set", 0.0)
    one = run(engine, pieces, interventions=(change,))
    found = tensors(one)
    assert (found["update"][10:40, 1] == 0).all()
    np.testing.assert_allclose(found["hidden"][:10], plain["hidden"][:10], atol=1e-6)
    # The whole again, whichever part is asked for first.
    for begin, end in ((60, 70), (20, 21), (36, 44)):
        alone = tensors(run(engine, pieces, interventions=(change,)), begin, end)
        for name, tensor in alone.items():
            np.testing.assert_array_equal(tensor, found[name][begin:end])


def test_slices_are_as_long_as_memory_allows(models: Models) -> None:
    assert module.slice_length(models.default("weather").manifest) == 16
