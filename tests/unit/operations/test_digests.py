"""Digests: the same for two requests that mean the same, another one for any other request."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.bundle.manifest import GRU_GATES, HIDDEN, Manifest
from service.operations.conditions import Conditions
from service.operations.gates import ALL_GATES, GateSelection
from service.operations.inputs import Inputs, JsonBlock, JsonRows, TensorBlock, Text
from service.operations.keys import Key
from service.operations.limits import Limits
from service.operations.requests import Create, Fork, Migrate, NewSession, PutState, Steps
from service.operations.rollout import Rollout
from service.repository.models import Models
from service.stores.store import Identity
from tests.bundles import VOCABULARY

SHOWN = (*GRU_GATES, HIDDEN)
LIMITS = Limits(10**6)
NUMBER = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = st.lists(st.lists(NUMBER, min_size=3, max_size=3), min_size=1, max_size=4)
TEXTS = st.text(st.sampled_from(VOCABULARY), min_size=1, max_size=8)

same_models = settings(
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def weather(models: Models) -> Manifest:
    return models.default("weather").manifest


@pytest.fixture(scope="module")
def letters(models: Models) -> Manifest:
    return models.default("letters").manifest


def digest(step: Steps, manifest: Manifest, row: int = 0) -> bytes:
    return step.digest(row, step.read((row,), manifest, LIMITS)[0], manifest)


def of_inputs(inputs: Inputs, manifest: Manifest) -> bytes:
    return digest(Steps.of("s", inputs), manifest)


def of_tensor(array: NDArray[Any], manifest: Manifest) -> bytes:
    return of_inputs(TensorBlock(array[np.newaxis]), manifest)


def in_a_block(array: NDArray[Any], manifest: Manifest) -> bytes:
    """Of one in a block of several."""
    tensors = np.stack([array * 0, array, array * 0])
    return digest(Steps([Identity("", one) for one in "rst"], TensorBlock(tensors)), manifest, 1)


@given(rows=ROWS)
@same_models
def test_numbers_mean_the_same_in_every_form(weather: Manifest, rows: list[list[float]]) -> None:
    array = np.array(rows, np.float32)
    forms: list[Inputs] = [
        JsonRows(rows),
        JsonRows(np.array(rows)),
        JsonBlock([rows], array[np.newaxis]),
        # As arrays of a frame may lie in memory.
        TensorBlock(np.asfortranarray(array[np.newaxis])),
    ]
    digests = {of_inputs(inputs, weather) for inputs in forms}
    assert digests == {in_a_block(array, weather)}


@given(text=TEXTS)
@same_models
def test_tokens_mean_the_same_in_every_form(letters: Manifest, text: str) -> None:
    tokens = [VOCABULARY.index(character) for character in text]
    array = np.array(tokens, np.int64)
    forms: list[Inputs] = [
        Text(text),
        JsonRows(list(tokens)),
        JsonRows(array),
    ]
    assert {of_inputs(inputs, letters) for inputs in forms} == {in_a_block(array, letters)}


def test_whole_numbers_are_numbers(weather: Manifest) -> None:
    assert of_inputs(JsonRows([[20, 1000, 1]]), weather) == of_inputs(
        JsonRows([[20.0, 1e3, 1.0]]), weather
    )


@given(first=ROWS, second=ROWS)
@same_models
def test_other_numbers_mean_something_else(
    weather: Manifest, first: list[list[float]], second: list[list[float]]
) -> None:
    one, other = np.array(first, np.float32), np.array(second, np.float32)
    same = of_tensor(one, weather) == of_tensor(other, weather)
    assert same == np.array_equal(one, other)


@given(rows=ROWS, place=st.integers(0, 11))
@same_models
def test_the_least_difference_is_one(
    weather: Manifest, rows: list[list[float]], place: int
) -> None:
    array = np.array(rows, np.float32)
    other = array.copy()
    flat = other.reshape(-1)
    flat[place % flat.size] = np.nextafter(flat[place % flat.size], np.float32(0))
    changed = not np.array_equal(array, other)
    assert (of_tensor(array, weather) != of_tensor(other, weather)) == changed


def test_zero_is_zero_whatever_its_sign(weather: Manifest) -> None:
    """JavaScript writes -0 as 0, so that a retry as JSON has lost the sign of a binary frame."""
    minus, plus = np.array([[-0.0, 1, 2]], np.float32), np.array([[0.0, 1, 2]], np.float32)
    forms: list[Inputs] = [
        TensorBlock(minus[np.newaxis]),
        TensorBlock(plus[np.newaxis]),
        JsonRows([[-0.0, 1, 2]]),
        JsonRows([[0, 1, 2]]),
    ]
    assert len({of_inputs(inputs, weather) for inputs in forms}) == 1
    assert np.signbit(minus[0, 0]), "what was sent stays as it is"
    state = np.array([-0.0, 1], np.float32)
    assert PutState("s", 0, state).digest() == PutState("s", 0, abs(state)).digest()


def test_the_same_numbers_in_another_shape(models: Models) -> None:
    """Shapes that one model takes differ in their number of steps alone."""
    manifest = models.default("letters").manifest
    zeros = [Text("a" * count) for count in (1, 2, 3)]
    assert len({of_inputs(inputs, manifest) for inputs in zeros}) == 3
    states = [np.zeros(size, np.float32) for size in (1, 2, 3)]
    assert len({PutState("s", 0, state).digest() for state in states}) == 3


def test_floats_and_tokens_of_the_same_bytes(models: Models) -> None:
    step = Steps.of("s", Text("a"))
    manifest = models.default("letters").manifest
    tokens = step.read((0,), manifest, LIMITS)[0]
    floats = tokens.view(np.float64)
    assert step.digest(0, tokens, manifest) != step.digest(0, floats, manifest)


INPUTS = JsonRows([[20.0, 1000.0, 0.5]])
STEP = Steps.of("s", INPUTS, ALL_GATES, Conditions(at=7))


@pytest.mark.parametrize(
    "other",
    [
        replace(STEP, identities=[Identity("", "t")]),
        replace(STEP, inputs=JsonRows([[20.0, 1000.0, 0.25]])),
        replace(STEP, inputs=JsonRows(INPUTS.rows * 2)),
        replace(STEP, conditions=[Conditions(at=8)]),
        replace(STEP, conditions=[Conditions(at=0)]),
        replace(STEP, conditions=[Conditions()]),
        replace(STEP, gates=None),
        replace(STEP, gates=GateSelection(include=["reset"])),
        replace(STEP, gates=GateSelection(layers=[0])),
        replace(STEP, gates=GateSelection(units=[0])),
        replace(STEP, gates=GateSelection(steps="last")),
        replace(STEP, gates=GateSelection(reduce="mean")),
    ],
)
def test_another_step(weather: Manifest, other: Steps) -> None:
    assert digest(other, weather) != digest(STEP, weather)


@pytest.mark.parametrize(
    "conditions",
    [
        Conditions(Key.of(b"one"), 7),
        Conditions(Key.of(b"w:2"), 7),
        Conditions(at=7, if_match=frozenset(["abc"])),
        Conditions(at=7, if_match=frozenset(["*"])),
    ],
)
def test_neither_the_key_nor_a_tag_is_part_of_what_is_asked(
    weather: Manifest, conditions: Conditions
) -> None:
    assert digest(replace(STEP, conditions=[conditions]), weather) == digest(STEP, weather)


@given(st.permutations(SHOWN), st.permutations([0, 1, 2]), st.permutations([0, 3, 5]))
@same_models
def test_the_order_in_which_gates_are_named_means_nothing(
    include: list[Any], layers: list[int], units: list[int]
) -> None:
    assert GateSelection(include=include).normalised(SHOWN) == ALL_GATES.normalised(SHOWN)
    some = GateSelection(include=include[:2], layers=layers, units=units)
    names = [name for name in SHOWN if name in include[:2]]
    ordered = GateSelection(include=names, layers=sorted(layers), units=sorted(units))
    assert some.normalised(SHOWN) == ordered.normalised(SHOWN)


def test_true_and_all_gates_by_name_are_the_same(weather: Manifest) -> None:
    named = GateSelection(include=["hidden", "update", "candidate", "reset"])
    assert digest(replace(STEP, gates=named), weather) == digest(STEP, weather)


STATE = np.array([0.5, 0.25], np.float32)
NEW = NewSession("s", 60.0, b'{"n":1}')
ROLLOUT = Rollout("s", Text("ab"), 3, seed=7)


def of_rollout(rollout: Rollout) -> Callable[[Models], bytes]:
    def digest_of(models: Models) -> bytes:
        manifest = models.default("letters").manifest
        return rollout.digest(rollout.plan(manifest, LIMITS), manifest)

    return digest_of


@pytest.mark.parametrize(
    ("first", "others"),
    [
        (
            Create("m", NEW, STATE),
            [
                Create("n", NEW, STATE),
                Create("m", NEW),
                Create("m", NEW, STATE * 2),
                Create("m", replace(NEW, session_id="t"), STATE),
                Create("m", replace(NEW, session_id=None), STATE),
                Create("m", replace(NEW, ttl_seconds=61.0), STATE),
                Create("m", replace(NEW, ttl_seconds=None), STATE),
                Create("m", replace(NEW, metadata=b"{}"), STATE),
                Create("m", replace(NEW, metadata=None), STATE),
            ],
        ),
        (
            Fork("a", NEW, Conditions(at=3)),
            [
                Fork("b", NEW, Conditions(at=3)),
                Fork("a", NEW, Conditions(at=4)),
                Fork("a", NEW),
                Fork("a", replace(NEW, ttl_seconds=61.0), Conditions(at=3)),
            ],
        ),
        (
            PutState("a", 1, STATE, "m", 2),
            [
                PutState("b", 1, STATE, "m", 2),
                PutState("a", 2, STATE, "m", 2),
                PutState("a", 1, STATE * 2, "m", 2),
                PutState("a", 1, STATE, None, 2),
                PutState("a", 1, STATE, "m", None),
            ],
        ),
        (Migrate("a", 2), [Migrate("b", 2), Migrate("a", 3), Migrate("a")]),
    ],
)
def test_other_requests(first: Create, others: list[Create]) -> None:
    assert len({one.digest() for one in (first, *others)}) == 1 + len(others)
    keyed = replace(first, key=Key.of(b"k")) if isinstance(first, Create) else first
    assert keyed.digest() == first.digest()


@pytest.mark.parametrize(
    "other",
    [
        replace(ROLLOUT, session_id="t"),
        replace(ROLLOUT, inputs=Text("ba")),
        replace(ROLLOUT, steps=4),
        replace(ROLLOUT, seed=8),
        replace(ROLLOUT, temperature=0.5),
        replace(ROLLOUT, top_k=2),
        replace(ROLLOUT, stop=("a",)),
        replace(ROLLOUT, gates=ALL_GATES),
        replace(ROLLOUT, conditions=Conditions(at=2)),
    ],
)
def test_another_rollout(models: Models, other: Rollout) -> None:
    assert of_rollout(other)(models) != of_rollout(ROLLOUT)(models)


@pytest.mark.parametrize(
    "other",
    [
        replace(ROLLOUT, inputs=JsonRows([0, 1])),
        replace(ROLLOUT, temperature=1.0),
        replace(ROLLOUT, stop=()),
        replace(ROLLOUT, conditions=Conditions(Key.of(b"k"), if_match=frozenset(["x"]))),
    ],
)
def test_the_same_rollout(models: Models, other: Rollout) -> None:
    assert of_rollout(other)(models) == of_rollout(ROLLOUT)(models)


def test_a_rollout_without_a_seed_draws_the_same_for_every_try_of_its_key() -> None:
    """A process that has never seen the first try computes the same answer."""
    tries = [Rollout("s", Text("ab"), 3, conditions=Conditions(Key.of(b"k"))) for _ in range(3)]
    assert len({one.drawn_with for one in tries}) == 1
    assert tries[0].drawn_with != replace(tries[0], conditions=Conditions(Key.of(b"l"))).drawn_with
    assert Rollout("s", Text("ab"), 3).drawn_with != Rollout("s", Text("ab"), 3).drawn_with


def test_operations_are_told_apart(weather: Manifest) -> None:
    rows = JsonRows([[20.0, 1000.0, 0.5]])
    rollout = Rollout("s", rows, 1)
    digests = [
        digest(Steps.of("s", rows), weather),
        rollout.digest(rollout.plan(weather, LIMITS), weather),
        Migrate("s").digest(),
        Create("s").digest(),
        Fork("s").digest(),
        PutState("s", 0, STATE).digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert {len(one) for one in digests} == {8}
