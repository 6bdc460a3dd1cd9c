"""Own outputs fed back, against the oracle and by hand."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from model_export.model.config import ResidualHead
from model_export.model.network import Network
from model_export.package import publish_trained
from service.bundle.folders import read_repository
from service.bundle.manifest import Manifest
from service.bundle.signatures import Probabilities, Tokens, Values
from service.bundle.signatures.sampling import Sampling
from service.engine.engine import Engine
from service.engine.provider import Provider
from service.errors import InvalidInput
from service.operations.rollout import Plan, check_feedback
from service.repository.models import Models, load_models
from service.sessions.feedback import Rolled, shape_of_rollout
from tests.bundles import plain_report, served_models, values_model
from tests.oracle import Oracle, Trace, assert_agrees
from tests.rolled_out import roll

ORACLES = {trained.name: Oracle(trained.network) for trained in served_models()}
GREEDY = Sampling(seed=0, temperature=0.0)
VALUES = ["weather", "weather-deep"]
TOKENS = ["letters", "letters-deep"]


def state_of(engine: Engine, seed: int = 1) -> NDArray[np.float32]:
    size = engine.manifest.state_size
    return np.random.default_rng(seed).uniform(-1, 1, size).astype(np.float32)


def rolled(
    engine: Engine,
    *,
    time: int = 3,
    steps: int = 5,
    sampling: Sampling = GREEDY,
    gates: bool = False,
) -> Rolled:
    return roll(engine, Plan(engine.example[:time], steps, gates, sampling), state_of(engine))


def tokens_of(engine: Engine, sampling: Sampling, steps: int = 12) -> list[int]:
    tokens: list[int] = rolled(engine, steps=steps, sampling=sampling).result.outputs.tolist()
    return tokens


def oracle_fed_with(engine: Engine, outputs: NDArray[Any], time: int) -> Trace:
    """The oracle on the inputs and all outputs but the last, from the same state."""
    inputs = np.concatenate([engine.example[:time], outputs[:-1]])
    return ORACLES[engine.manifest.name].run(inputs[np.newaxis], state_of(engine)[np.newaxis])


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize(("time", "steps"), [(1, 1), (1, 6), (4, 1), (4, 6)])
def test_values_are_what_the_oracle_gives_fed_with_them(
    models: Models, name: str, time: int, steps: int
) -> None:
    engine = models.default(name)
    found = rolled(engine, time=time, steps=steps)
    outputs = found.result.outputs
    trace = oracle_fed_with(engine, outputs, time)
    assert (outputs.dtype.name, outputs.shape) == ("float32", (steps, 3))
    assert_agrees(outputs, trace.output[0, time - 1 :])
    assert_agrees(found.state, trace.state[0])
    assert found.steps == time + steps - 1
    assert found.result.gates is None


@pytest.mark.parametrize("name", VALUES + TOKENS)
def test_feeding_back_by_hand_gives_the_same_bits(models: Models, name: str) -> None:
    engine = models.default(name)
    found = rolled(engine, time=1, steps=5)
    given, state = engine.example[:1], state_of(engine)[np.newaxis]
    for shown in found.result.outputs:
        steps = engine.step(given, state, gates=False)
        if name in TOKENS:
            assert shown == steps.output[0].argmax()
            given = np.array([shown], np.int64)
        else:
            assert shown.tobytes() == steps.output[0].tobytes()
            given = steps.output
        state = steps.state
    assert found.state.tobytes() == steps.state[0].tobytes()


@pytest.mark.parametrize("name", TOKENS)
def test_greedy_tokens_are_the_most_likely_ones(models: Models, name: str) -> None:
    engine = models.default(name)
    outputs = rolled(engine, time=3, steps=20).result.outputs
    trace = oracle_fed_with(engine, outputs, 3)
    assert (outputs.dtype.name, outputs.shape) == ("int32", (20,))
    assert outputs.tolist() == trace.output[0, 2:].argmax(axis=1).tolist()


@pytest.mark.parametrize("name", ["weather", "letters-deep"])
@pytest.mark.parametrize(("time", "steps"), [(1, 1), (3, 1), (3, 5)])
def test_gates_of_every_step_that_was_consumed(
    models: Models, name: str, time: int, steps: int
) -> None:
    engine = models.default(name)
    found = rolled(engine, time=time, steps=steps, gates=True)
    trace = oracle_fed_with(engine, found.result.outputs, time)
    gates = found.result.gates
    assert gates is not None
    assert gates["update"].shape == (time + steps - 1, engine.manifest.gate_size)
    for gate in ("reset", "update", "candidate", "hidden"):
        assert_agrees(gates[gate], getattr(trace, gate)[0])
    assert found.state.tobytes() == gates["hidden"][-1].tobytes()


@pytest.mark.parametrize("name", ["weather", "letters-deep"])
@pytest.mark.parametrize("gates", [False, True])
def test_its_shape_is_known_before(models: Models, name: str, gates: bool) -> None:
    engine = models.default(name)
    plan = Plan(engine.example[:3], 4, gates, GREEDY)
    result = roll(engine, plan, state_of(engine)).result
    shape = shape_of_rollout(engine.manifest, plan)
    content = shape.pack(result)
    assert len(content) == shape.size(4)
    again = shape.unpack(content)
    assert again.outputs.tobytes() == result.outputs.tobytes()
    assert again.outputs.shape == result.outputs.shape
    assert (again.gates is None) == (not gates)
    if again.gates is not None and result.gates is not None:
        assert again.gates["candidate"].tobytes() == result.gates["candidate"].tobytes()


def test_the_same_seed_draws_the_same(models: Models) -> None:
    engine = models.default("letters")
    drawn = [tokens_of(engine, Sampling(seed)) for seed in range(5)]
    assert [tokens_of(engine, Sampling(seed)) for seed in range(5)] == drawn
    assert len({tuple(one) for one in drawn}) == 5
    assert tokens_of(engine, Sampling(seed=2**53 - 1))


def test_seeds_draw_the_same_in_every_release() -> None:
    """A retry may come after an update: what NumPy draws from a seed must not change."""
    random = np.random.Generator(np.random.PCG64(12345))
    assert random.random(3).tolist() == [
        0.22733602246716966,
        0.31675833970975287,
        0.7973654573327341,
    ]


def first_tokens(engine: Engine, count: int, sampling: Sampling) -> Counter[int]:
    """How often which token comes first, over so many seeds."""
    drawn = (
        rolled(engine, time=1, steps=1, sampling=replace(sampling, seed=seed))
        for seed in range(count)
    )
    return Counter(int(one.result.outputs[0]) for one in drawn)


def probabilities(engine: Engine, temperature: float) -> NDArray[np.float64]:
    """Of the first token, from the oracle: p^(1/temperature), made to sum to one."""
    trace = oracle_fed_with(engine, np.zeros(1, np.int64), 1)
    powers = trace.output[0, 0] ** (1 / temperature)
    return np.asarray(powers / powers.sum())


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_tokens_are_drawn_as_often_as_they_are_likely(models: Models, temperature: float) -> None:
    engine, count = models.default("letters"), 3000
    drawn = first_tokens(engine, count, Sampling(0, temperature))
    expected = count * probabilities(engine, temperature)
    found = np.array([drawn[token] for token in range(len(expected))])
    # Nine degrees of freedom: beyond 35 comes once in 15,000 times, and the seeds are fixed.
    assert ((found - expected) ** 2 / expected).sum() < 35


@pytest.mark.parametrize("k", [1, 3])
def test_only_the_k_most_likely_are_drawn(models: Models, k: int) -> None:
    engine = models.default("letters")
    likely = np.argsort(-probabilities(engine, 1.0))[:k].tolist()
    drawn = first_tokens(engine, 300, Sampling(0, top_k=k))
    assert sorted(drawn) == sorted(likely)


def test_more_than_there_are_is_all_of_them(models: Models) -> None:
    engine = models.default("letters")
    assert tokens_of(engine, Sampling(3, top_k=1000)) == tokens_of(engine, Sampling(3))


def test_a_low_temperature_is_greedy(models: Models) -> None:
    engine = models.default("letters")
    assert tokens_of(engine, Sampling(3, temperature=1e-3)) == tokens_of(engine, GREEDY)


def test_it_ends_after_a_stop(models: Models) -> None:
    engine = models.default("letters-deep")
    whole = tokens_of(engine, Sampling(7), steps=30)
    end = tuple(whole[4:6])
    place = next(i for i in range(2, 31) if tuple(whole[i - 2 : i]) == end)
    never = (*whole, 0)
    found = rolled(engine, time=3, steps=30, sampling=Sampling(7, stop=(never, end)), gates=True)
    assert found.result.outputs.tolist() == whole[:place]
    assert found.steps == 3 + place - 1
    assert found.result.gates is not None
    assert len(found.result.gates["update"]) == found.steps
    once = rolled(engine, steps=30, sampling=Sampling(7, stop=((whole[0],),)))
    assert once.result.outputs.tolist() == whole[:1]


def test_a_stop_in_the_inputs_does_not_count(models: Models) -> None:
    engine = models.default("letters")
    prompt = tuple(engine.example[:3].tolist())
    assert len(tokens_of(engine, Sampling(0, stop=(prompt,)))) == 12


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Every output is its input and 1e38, a good part of what float32 can hold."""
    trained = values_model("growing")
    network = Network(replace(trained.network.config, head=ResidualHead(scale=(1e38,) * 3)))
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(1.0)
    folder: Path = tmp_path_factory.mktemp("growing")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model_export.publish.write_report", plain_report)
        publish_trained(replace(trained, network=network), folder)
    yield load_models(read_repository(folder), Provider()).default("growing")


def test_outputs_that_leave_float32_say_how_far_they_came(growing: Engine) -> None:
    state = growing.initial_states(1)[0]
    plan = Plan(growing.example[:2], 100, gates=False, sampling=GREEDY)
    with pytest.raises(InvalidInput) as raised:
        roll(growing, plan, state)
    (fault,) = raised.value.faults
    assert fault.place == ("steps",)
    shown = int(fault.message.rsplit(" ", 3)[1])
    assert 1 <= shown < 100
    longest = roll(growing, replace(plan, steps=shown), state)
    assert np.isfinite(longest.result.outputs).all()
    with pytest.raises(InvalidInput):
        roll(growing, replace(plan, steps=shown + 1), state)


def test_inputs_that_leave_float32_are_named(growing: Engine) -> None:
    inputs = np.full((2, 3), 3.4e38, np.float32)
    with pytest.raises(InvalidInput) as raised:
        roll(growing, Plan(inputs, 3, gates=False, sampling=GREEDY), state_of(growing))
    assert raised.value.faults[0].place == ("inputs", 0)


SIGNATURES = {
    "values": Values(names=("a", "b"), units=("K", "m")),
    "other order": Values(names=("b", "a"), units=("m", "K")),
    "other units": Values(names=("a", "b"), units=("°C", "m")),
    "fewer": Values(names=("a",), units=("K",)),
    "tokens": Tokens(size=7),
    "likely": Probabilities(width=7),
    "classes": Probabilities(width=3),
}


@pytest.mark.parametrize(
    ("taken", "given", "feeds"),
    [
        ("values", "values", True),
        ("tokens", "likely", True),
        ("values", "other order", True),
        ("values", "other units", False),
        ("values", "fewer", False),
        ("values", "likely", False),
        ("tokens", "classes", False),
        ("tokens", "values", False),
    ],
)
def test_only_outputs_that_are_inputs_are_fed_back(
    models: Models, taken: str, given: str, feeds: bool
) -> None:
    manifest: Manifest = models.default("weather").manifest.model_copy(
        update={"input": SIGNATURES[taken], "output": SIGNATURES[given]}
    )
    if feeds:
        check_feedback(manifest)
        return
    with pytest.raises(InvalidInput, match="outputs of model 'weather' are not inputs"):
        check_feedback(manifest)
