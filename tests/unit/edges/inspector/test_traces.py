"""/v1/traces against the equations, without a socket."""

import io

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from service.repository.models import Models
from tests.oracle import assert_agrees
from tests.unit.edges.inspector.asking import STEPS, Query, drawn, shown, traced
from tests.unit.edges.inspector.traced import TERMS, Expected

MODELS = ("weather", "weather-deep", "letters", "letters-deep")


@pytest.mark.parametrize("model", MODELS)
async def test_every_tensor_of_every_layer(client: httpx.AsyncClient, model: str) -> None:
    inputs = drawn(model)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    assert (trace["kind"], trace["from"], trace["to"]) == ("given", 0, STEPS)
    expected = Expected.of(model, inputs)
    names = ["reset", "update", "candidate", "hidden", *TERMS, "keep", "age"]
    for layer in trace["layers"]:
        index = layer["layer"]
        assert layer["tensors"] == names
        for tensor in names[:-1]:
            query = {"tensor": tensor, "layer": index}
            found = await shown(client, trace["trace_id"], "window", **query)
            assert_agrees(np.array(found["values"]), expected.tensor(tensor, index), 1e-4)
            assert found["units"] == list(range(layer["units"]))
    outputs = await shown(client, trace["trace_id"], "outputs")
    assert_agrees(np.array(outputs["outputs"]), expected.output, 1e-4)


@pytest.mark.parametrize("model", MODELS)
async def test_inputs_come_back_as_they_were_sent(client: httpx.AsyncClient, model: str) -> None:
    inputs = drawn(model)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    found = await shown(client, trace["trace_id"], "inputs", **{"from": 3, "to": 9})
    assert found.pop("from") == 3
    if model.startswith("weather"):
        np.testing.assert_array_equal(np.array(found["inputs"], np.float32), inputs[3:9])
    else:
        assert found == {"text": "".join("abcdefgh ."[one] for one in inputs[3:9])}


async def test_ages_count_from_the_beginning(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather")
    trace = await traced(client, model="weather", inputs=inputs.tolist())
    keep = Expected.of("weather", inputs).tensor("keep", 0)
    age, ages = np.zeros(keep.shape[1]), []
    for step in keep:
        age = step * (age + 1)
        ages.append(age)
    found = await shown(client, trace["trace_id"], "window", tensor="age", **{"from": 20, "to": 30})
    np.testing.assert_allclose(found["values"], ages[20:30], rtol=1e-3)


@pytest.mark.parametrize("columns", [1, 7, 10, 49, 50, 100])
async def test_windows_are_reduced_to_the_least_and_the_largest(
    client: httpx.AsyncClient, columns: int
) -> None:
    trace = await traced(client, model="letters", inputs=drawn("letters").tolist())
    about: dict[str, Query] = {"tensor": "candidate", "units": "4,1-2", "from": 1, "to": STEPS}
    whole = await shown(client, trace["trace_id"], "window", **about)
    assert whole["units"] == [4, 1, 2]
    values = np.array(whole["values"])
    found = await shown(client, trace["trace_id"], "window", **about, columns=columns)
    per_column = found["steps_per_column"]
    assert per_column == -(-len(values) // columns)
    if per_column == 1:
        assert found["values"] == whole["values"]
        return
    parts = [values[at : at + per_column] for at in range(0, len(values), per_column)]
    np.testing.assert_array_equal(found["min"], [part.min(axis=0) for part in parts])
    np.testing.assert_array_equal(found["max"], [part.max(axis=0) for part in parts])
    assert "values" not in found


@pytest.mark.parametrize("tensor", ["update", "hidden", "candidate_pre"])
@pytest.mark.parametrize("columns", [None, 9])
async def test_windows_in_binary(
    client: httpx.AsyncClient, tensor: str, columns: int | None
) -> None:
    trace = await traced(client, model="letters", inputs=drawn("letters").tolist())
    query: dict[str, Query] = {"tensor": tensor, "from": 5, "to": 45}
    query |= {} if columns is None else {"columns": columns}
    path = f"/v1/traces/{trace['trace_id']}/window"
    plain = (await client.get(path, params=query)).json()
    expected = np.array(plain["values"] if columns is None else [plain["min"], plain["max"]])
    exact = await client.get(path, params={**query, "encoding": "float32"})
    shape = tuple(map(int, exact.headers["gatewise-shape"].split(",")))
    np.testing.assert_array_equal(
        np.frombuffer(exact.content, "<f4").reshape(shape), expected.astype(np.float32)
    )
    assert exact.headers["gatewise-steps-per-column"] == str(plain["steps_per_column"])
    coarse = await client.get(path, params={**query, "encoding": "uint8"})
    low, high = (float(coarse.headers[f"gatewise-{end}"]) for end in ("low", "high"))
    if tensor == "update":
        assert (low, high) == (0, 1)
    levels = np.frombuffer(coarse.content, np.uint8).reshape(shape)
    assert levels.max() < 255
    read = low + (levels + 0.5) / 255 * (high - low)
    assert np.abs(read - expected).max() <= (high - low) / 510 * (1 + 1e-6)


@pytest.mark.parametrize("model", MODELS)
async def test_a_cell_at_a_step(client: httpx.AsyncClient, model: str) -> None:
    inputs = drawn(model)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    expected = Expected.of(model, inputs)
    layer = len(trace["layers"]) - 1
    found = await shown(client, trace["trace_id"], "cell", layer=layer, unit=3, step=17)
    numbers = found["numbers"]
    for name in ("reset", "update", "candidate", "hidden", "before", "keep", *TERMS):
        assert numbers[name] == pytest.approx(expected.tensor(name, layer)[17, 3], abs=1e-4)
    assert numbers["kept"] + numbers["written"] == pytest.approx(numbers["hidden"], abs=1e-6)
    assert numbers["change"] == pytest.approx(numbers["hidden"] - numbers["before"], abs=1e-6)
    last = await shown(client, trace["trace_id"], "cell")
    assert last["step"] == STEPS - 1


@pytest.mark.parametrize("model", MODELS)
async def test_statistics(client: httpx.AsyncClient, model: str) -> None:
    inputs = drawn(model)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    expected = Expected.of(model, inputs)
    for layer in range(len(trace["layers"])):
        found = await shown(client, trace["trace_id"], "statistics", layer=layer)
        assert found["steps"] == STEPS
        for name in ("reset", "update", "candidate", "hidden"):
            values, figures = expected.tensor(name, layer), found["tensors"][name]
            for figure in ("mean", "std", "min", "max"):
                wanted = getattr(values, figure)(axis=0)
                np.testing.assert_allclose(figures[figure], wanted, atol=1e-4)
            assert figures["peak"] == values.argmax(axis=0).tolist()
        update = expected.tensor("update", layer)
        wanted = (update < 0.1).mean(axis=0)
        np.testing.assert_allclose(found["tensors"]["update"]["near_0"], wanted)
        length = -1 / np.log1p(-update).mean(axis=0)
        np.testing.assert_allclose(found["memory"]["length"], length, rtol=1e-3)
        assert found["memory"]["outlasts"] == (length >= STEPS).tolist()
        hist, inp = (
            np.abs(expected.tensor(f"candidate_{one}", layer)) for one in ("history", "input")
        )
        share = (hist / (hist + inp)).mean(axis=0)
        np.testing.assert_allclose(found["reset"]["history_share"], share, atol=1e-3)


async def test_orders(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather")
    trace = await traced(client, model="weather", inputs=inputs.tolist())
    expected = Expected.of("weather", inputs)
    length = -1 / np.log(expected.tensor("keep", 0)).mean(axis=0)
    memory = await shown(client, trace["trace_id"], "order", by="memory")
    assert memory["units"] == np.argsort(-length).tolist()
    np.testing.assert_allclose(memory["values"], np.sort(length)[::-1], rtol=1e-3)
    peaks = expected.tensor("update", 0).argmax(axis=0)
    peak = await shown(client, trace["trace_id"], "order", by="peak", tensor="update")
    assert peak["values"] == np.sort(peaks).tolist()
    for by in ("component", "cluster"):
        found = await shown(client, trace["trace_id"], "order", by=by)
        assert sorted(found["units"]) == list(range(6))


@pytest.mark.parametrize("model", ["weather", "letters-deep"])
async def test_attribution_rebuilds_the_hidden_state(client: httpx.AsyncClient, model: str) -> None:
    inputs = drawn(model)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    expected, layer = Expected.of(model, inputs), len(trace["layers"]) - 1
    query = {"layer": layer, "unit": 2, "step": 30}
    held = await shown(client, trace["trace_id"], "attribution", **query)
    weights, first = np.array(held["weights"]), held["from"]
    update = expected.tensor("update", layer)[:, 2]
    wanted = [update[s] * np.prod(1 - update[s + 1 : 31]) for s in range(first, 31)]
    np.testing.assert_allclose(weights, wanted, atol=1e-5)
    assert weights.sum() + held["rest"] == pytest.approx(1, abs=1e-6)
    candidate = expected.tensor("candidate", layer)[first:31, 2]
    assert weights @ candidate == pytest.approx(expected.tensor("hidden", layer)[30, 2], abs=1e-4)


@pytest.mark.parametrize("model", MODELS)
async def test_sensitivity_is_what_nudging_an_input_shows(
    client: httpx.AsyncClient, model: str
) -> None:
    """The first layer's input at a step is moved by little, in float64, and all is run again."""
    inputs = drawn(model, 20)
    trace = await traced(client, model=model, inputs=inputs.tolist())
    expected = Expected.of(model, inputs)
    found = await shown(client, trace["trace_id"], "sensitivity", step=19, output=1, depth=12)
    assert (found["method"], found["from"]) == ("gradient", 8)
    assert found["value"] == pytest.approx(expected.output[19, 1], abs=1e-3)
    given = expected.given(0)
    gradients = np.array([_nudged(expected, given, step) for step in range(8, 20)])
    np.testing.assert_allclose(
        found["size"], np.sqrt((gradients**2).sum(axis=1)), rtol=0.02, atol=1e-4
    )
    apart = given[8:20] - given[8:20].mean(axis=0)
    np.testing.assert_allclose(
        found["influence"], (gradients * apart).sum(axis=1), rtol=0.02, atol=2e-4
    )


def _nudged(expected: Expected, given: NDArray[np.float64], step: int) -> list[float]:
    """∂output 1 at the end/∂(what the first layer is given at a step), by central differences."""
    slopes = []
    for column in range(given.shape[1]):
        ends = []
        for nudge in (1e-5, -1e-5):
            moved = given.copy()
            moved[step, column] += nudge
            ends.append(_end(expected, moved))
        slopes.append((ends[0] - ends[1]) / 2e-5)
    return slopes


def _end(expected: Expected, given: NDArray[np.float64]) -> float:
    """Output 1 after the last step; the last row is also what the output is added to."""
    oracle = expected.oracle
    hidden = [np.zeros((1, size)) for size in oracle.hidden_sizes]
    for x in given:
        below = x[np.newaxis]
        for index, layer in enumerate(oracle.layers):
            *_, hidden[index] = layer.step(below, hidden[index])
            below = hidden[index]
    last = expected.inputs[-1:]
    if last.dtype.kind == "f":
        # These models scale every column by itself: the row that is seen as given[-1].
        at_zero, at_one = (oracle.seen(np.full_like(last, row)) for row in (0, 1))
        last = (given[-1:] - at_zero) / (at_one - at_zero)
    found: float = oracle.output_of(below, last)[0, 1]
    return found


async def test_nearest_states(client: httpx.AsyncClient) -> None:
    inputs = drawn("letters")
    trace = await traced(client, model="letters", inputs=inputs.tolist())
    hidden = Expected.of("letters", inputs).tensor("hidden", 0)
    found = await shown(client, trace["trace_id"], "nearest", step=25, count=4, apart=6)
    unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    distance = 1 - unit @ unit[25]
    distance[20:31] = np.inf
    order = np.argsort(distance)[:4]
    assert [one["step"] for one in found["nearest"]] == order.tolist()
    np.testing.assert_allclose(
        [one["distance"] for one in found["nearest"]], distance[order], atol=1e-5
    )


async def test_projection(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather")
    trace = await traced(client, model="weather", inputs=inputs.tolist())
    hidden = Expected.of("weather", inputs).tensor("hidden", 0)
    found = await shown(client, trace["trace_id"], "projection")
    values, vectors = np.linalg.eigh(np.cov(hidden.T, bias=True))
    np.testing.assert_allclose(found["explained"], values[::-1] / values.sum(), atol=1e-4)
    assert found["participation_ratio"] == pytest.approx(
        values.sum() ** 2 / (values**2).sum(), rel=1e-3
    )
    wanted = (hidden - hidden.mean(axis=0)) @ vectors[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(found["points"]), np.abs(wanted), atol=1e-3)
    thinned = await shown(client, trace["trace_id"], "projection", points=7)
    assert thinned["steps_per_point"] == 8
    assert thinned["points"] == found["points"][::8]


async def test_units_that_follow_a_marking_of_ones_own(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather")
    trace = await traced(client, model="weather", inputs=inputs.tolist())
    hidden = Expected.of("weather", inputs).tensor("hidden", 0)
    # A marking that one unit follows but for noise, with a gap.
    noise = np.random.default_rng(0).normal(0, hidden[:, 4].std() / 10, STEPS)
    marking: list[float | None] = (hidden[:, 4] + noise).tolist()
    marking[10] = None
    path = f"/v1/traces/{trace['trace_id']}/following"
    answer = await client.post(path, json={"marking": marking, "count": 3})
    best = answer.json()["units"][0]
    assert (best["tensor"], best["layer"], best["unit"]) == ("hidden", 0, 4)
    seen = np.array([one is not None for one in marking])
    for figure, rows in (
        ("found", slice(0, 25)),
        ("confirmed", slice(25, 50)),
        ("overall", slice(50)),
    ):
        kept = np.arange(STEPS)[rows][seen[rows]]
        wanted = np.corrcoef(hidden[kept, 4], [marking[at] for at in kept])[0, 1]
        assert best[figure] == pytest.approx(wanted, abs=1e-3)
    named = await client.post(path, json={"marking": "temperature"})
    assert len(named.json()["units"]) == 20
    for wrong, says in (("nothing", "temperature"), ([1.0, 2.0], "2 numbers for 50 steps")):
        answer = await client.post(path, json={"marking": wrong})
        assert answer.status_code == 422
        assert says in answer.json()["detail"]


async def test_findings_name_what_is_confirmed(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather", 400)
    trace = await traced(client, model="weather", inputs=inputs.tolist())
    found = await shown(client, trace["trace_id"], "findings")
    assert found["findings"]
    expected = Expected.of("weather", inputs)
    columns = dict(zip(("temperature", "pressure", "humidity"), inputs.T, strict=True))
    for one in found["findings"]:
        if one["marking"] not in columns:
            continue
        values, marking = expected.tensor(one["tensor"], 0)[:, one["unit"]], columns[one["marking"]]
        for figure, rows in (("found", slice(0, 200)), ("confirmed", slice(200, 400))):
            wanted = np.corrcoef(values[rows], marking[rows])[0, 1]
            assert one[figure] == pytest.approx(wanted, abs=1e-3)
            assert abs(one[figure]) >= found["least"] == 0.5


async def test_a_gate_that_is_set_changes_what_follows(client: httpx.AsyncClient) -> None:
    inputs = drawn("weather-deep")
    source = await traced(client, model="weather-deep", inputs=inputs.tolist())
    change = {"layer": 1, "gate": "update", "units": [0, 2], "from": 10, "to": 20, "value": 0.0}
    made = await traced(client, trace_id=source["trace_id"], interventions=[change])
    assert (made["kind"], made["source"]) == ("intervention", source["trace_id"])
    assert made["interventions"] == [{**change, "action": "set"}]
    hidden = np.array((await shown(client, made["trace_id"], "window", layer=1))["values"])
    before = np.array((await shown(client, source["trace_id"], "window", layer=1))["values"])
    np.testing.assert_allclose(hidden[:10], before[:10], atol=1e-6)
    # Nothing is written: what was held at step 9 is held until step 19.
    np.testing.assert_array_equal(hidden[10:20][:, [0, 2]], np.tile(hidden[9, [0, 2]], (10, 1)))
    assert np.abs(hidden[20] - before[20]).max() > 1e-3
    compared = await shown(
        client, source["trace_id"], "comparison", layer=1, **{"with": made["trace_id"]}
    )
    assert (compared["from"], compared["steps"]) == (0, STEPS)
    wanted = np.sqrt(((hidden - before) ** 2).mean(axis=1))
    np.testing.assert_allclose(compared["distance"], [0, *wanted], atol=1e-6)
    # A second intervention on top of the first one.
    scale = {"layer": 0, "gate": "reset", "action": "scale", "value": 0.5}
    both = await traced(client, trace_id=made["trace_id"], interventions=[scale])
    assert [one["gate"] for one in both["interventions"]] == ["update", "reset"]
    reset = np.array((await shown(client, both["trace_id"], "window", tensor="reset"))["values"])
    plain = np.array((await shown(client, source["trace_id"], "window", tensor="reset"))["values"])
    np.testing.assert_allclose(reset[0], plain[0] / 2, rtol=1e-5)


async def test_a_fork_goes_on_from_a_step(client: httpx.AsyncClient) -> None:
    inputs, other = drawn("letters"), drawn("letters", 12, seed=1)
    source = await traced(client, model="letters", inputs=inputs.tolist())
    fork = await traced(client, trace_id=source["trace_id"], at=30, inputs=other.tolist())
    assert (fork["kind"], fork["at"], fork["from"], fork["to"]) == ("fork", 30, 30, 42)
    expected = Expected.of("letters", np.concatenate([inputs[:30], other]))
    hidden = await shown(client, fork["trace_id"], "window")
    assert_agrees(np.array(hidden["values"]), expected.tensor("hidden", 0)[30:], 1e-4)


async def test_how_fast_two_histories_wash_out(client: httpx.AsyncClient) -> None:
    tail = drawn("letters", 40, seed=2)
    runs = [np.concatenate([drawn("letters", n, seed=n), tail]) for n in (10, 15)]
    one, other = [await traced(client, model="letters", inputs=run.tolist()) for run in runs]
    found = await shown(
        client, one["trace_id"], "comparison", threshold=0.1, **{"with": other["trace_id"]}
    )
    steps = found["steps"]
    assert steps >= 40
    ours, theirs = (Expected.of("letters", run).tensor("hidden", 0) for run in runs)
    apart = np.sqrt(((ours[-steps:] - theirs[-steps:]) ** 2).mean(axis=1))
    np.testing.assert_allclose(found["distance"][1:], apart, atol=1e-4)
    relative = np.array(found["distance"]) / found["distance"][0]
    assert found["washed_out_at"] == int(np.argmax(relative < 0.1))


@pytest.mark.parametrize("form", ["npz", "csv"])
async def test_export(client: httpx.AsyncClient, form: str) -> None:
    inputs = drawn("weather-deep")
    trace = await traced(client, model="weather-deep", inputs=inputs.tolist())
    query: dict[str, Query] = {"format": form, "tensors": "update,hidden", "from": 5, "to": 15}
    answer = await client.get(f"/v1/traces/{trace['trace_id']}/export", params=query)
    assert answer.status_code == 200
    assert f'filename="trace-{trace["trace_id"]}.{form}"' in answer.headers["content-disposition"]
    expected = Expected.of("weather-deep", inputs)
    if form == "npz":
        arrays = np.load(io.BytesIO(answer.content))
        np.testing.assert_array_equal(arrays["step"], np.arange(5, 15))
        np.testing.assert_array_equal(arrays["input"], inputs[5:15])
        assert_agrees(arrays["output"], expected.output[5:15], 1e-4)
        for layer in range(3):
            assert_agrees(arrays[f"{layer}/update"], expected.tensor("update", layer)[5:15], 1e-4)
        return
    head, *rows = answer.text.splitlines()
    names = head.split(",")
    assert names[:4] == ["step", "input/temperature", "input/pressure", "input/humidity"]
    table = np.array([list(map(float, row.split(","))) for row in rows])
    np.testing.assert_array_equal(table[:, 0], np.arange(5, 15))
    np.testing.assert_array_equal(table[:, 1:4].astype(np.float32), inputs[5:15])
    column = table[:, names.index("2/hidden/3")]
    assert_agrees(column, expected.tensor("hidden", 2)[5:15, 3], 1e-4)


async def test_the_sample_of_a_model(client: httpx.AsyncClient, models: Models) -> None:
    trace = await traced(client, model="letters", sample=True)
    sample = models.default("letters").bundle.sample()
    assert (trace["from"], trace["to"]) == (0, len(sample) == 64 and 64)
    text = (await shown(client, trace["trace_id"], "inputs"))["text"]
    assert text == "".join("abcdefgh ."[one] for one in sample)
