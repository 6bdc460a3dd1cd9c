"""The views of the state, each against NumPy on what the API says of the same trace."""

import re
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_accessibility import axe, violations

__all__ = ["axe"]

Array = NDArray[np.float64]
STEPS = 64

# The views alone, on a page of the service: nothing else is asked for.
_SHOW = """async ([name, id, step]) => {
    const load = (...paths) => Promise.all(paths.map(path => import(`/inspector/${path}.js`)));
    const [{Stage}, {OpenTrace}, {VIEWS}, {listModels}] =
        await load("stage", "open-trace", "views/all", "api");
    const model = (await listModels()).find(one => one.name === name);
    const stage = window.stage = new Stage();
    const views = VIEWS.map(Kind => new Kind(stage));
    document.querySelector("main").replaceChildren(...views.map(view => view.node));
    views.forEach(view => view.node.classList.remove("view"));
    stage.cursor.move({step});
    stage.show(await OpenTrace.make(model, {model: name, sample: true}));
    document.getElementById(id).open = true;
    return stage.trace.id;
}"""


class StateViews:
    """One open view of the sample's trace."""

    def __init__(self, visit: Visit, api: httpx.Client) -> None:
        self.page: Page = visit.page
        self._api = api
        self.trace = ""

    def open(self, model: str, view: str, step: int) -> Locator:
        self.page.goto("/docs?lang=en")
        self.trace = self.page.evaluate(_SHOW, [model, view, step])
        return self.page.locator(f"#{view}")

    def ask(self, view: str, trace: str | None = None, **query: str | float) -> dict[str, Any]:
        answer = self._api.get(f"/v1/traces/{trace or self.trace}/{view}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def hidden(self, trace: str | None = None) -> Array:
        return np.array(self.ask("window", trace, tensor="hidden")["values"])

    def outputs(self, trace: str | None = None) -> Array:
        return np.array(self.ask("outputs", trace)["outputs"])

    def made(self, **body: object) -> str:
        answer = self._api.post("/v1/traces", json=body)
        assert answer.status_code == 201, answer.text
        trace_id: str = answer.json()["trace_id"]
        return trace_id

    def drop(self, trace: str) -> None:
        assert self._api.delete(f"/v1/traces/{trace}").status_code == 204

    def step(self) -> int:
        step: int = self.page.evaluate("stage.cursor.position.step")
        return step


@pytest.fixture
def state(visit: Visit, api: httpx.Client) -> StateViews:
    return StateViews(visit, api)


def numbers(text: str) -> list[float]:
    """All of a sentence, powers of ten as well."""
    plain = text.replace("−", "-").replace(" × 10", "e").translate(SUPERSCRIPTS)
    return [float(found) for found in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def apart(ours: Array, theirs: Array) -> Array:
    """The root mean square over the units, step by step."""
    return np.asarray(np.sqrt(((ours - theirs) ** 2).mean(axis=1)))


def test_the_way_of_the_state(state: StateViews) -> None:
    view = state.open("weather", "trajectory-view", 20)
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("participation ratio")
    hidden = state.hidden()
    variances, axes = np.linalg.eigh(np.cov(hidden.T, bias=True))
    variances, axes = variances[::-1], axes[:, ::-1]
    dimensions, units, first, second = numbers(sentence.inner_text())
    assert dimensions == pytest.approx(variances.sum() ** 2 / (variances**2).sum(), abs=0.051)
    assert units == hidden.shape[1]
    assert first == pytest.approx(100 * variances[0] / variances.sum(), rel=0.05)
    assert second == pytest.approx(100 * variances[1] / variances.sum(), rel=0.05)

    points = (hidden - hidden.mean(axis=0)) @ axes[:, :2]
    here = view.locator(".hint", has_text="the state is at")
    x, y = numbers(here.inner_text())[1:3]
    points *= np.sign(points[20] * [x, y])
    np.testing.assert_allclose([x, y], points[20], atol=0.011)
    for click in (points[:, 0].argmax(), points[:, 1].argmin()):
        _click_point(view.locator("canvas"), points, int(click))
        assert state.step() == click
        expect(here).to_contain_text(f"At step {click} ")
    view.locator("canvas").press("Home")
    assert state.step() == 0


def _click_point(canvas: Locator, points: Array, at: int) -> None:
    """Both axes have one scale; the origin and all points are in the picture."""
    box = canvas.bounding_box()
    assert box is not None
    low, high = (find(points, axis=0) for find in (np.min, np.max))
    low, high = np.minimum(low, 0), np.maximum(high, 0)
    size = np.array([box["width"], box["height"]])
    scale = ((size - 52) / (high - low)).min()
    x, y = size / 2 + scale * (points[at] - (low + high) / 2) * [1, -1]
    canvas.click(position={"x": float(x), "y": float(y)})


def test_nearest_states(state: StateViews) -> None:
    view = state.open("letters", "nearest-view", 40)
    rows = view.locator(".nearest button")
    expect(rows).to_have_count(10)
    hidden = state.hidden()
    unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
    distance = 1 - unit @ unit[40]
    text = state.ask("inputs")["text"]

    def check(least: int) -> None:
        far = np.where(np.abs(np.arange(STEPS) - 40) >= least, distance, np.inf)
        order = np.argsort(far)[:10]
        for row, step in zip(rows.all(), order, strict=True):
            assert row.locator(".nearest-step").inner_text() == f"step {step}"
            shown = numbers(row.locator(".nearest-distance").inner_text())[0]
            assert shown == pytest.approx(far[step], rel=0.06, abs=1e-6)
            assert row.locator("mark").inner_text().replace("\xa0", " ") == text[step]
        followed = [step for step in order if step + 1 < STEPS]
        same = sum(text[step + 1] == text[41] for step in followed)
        expect(view.locator(".view-sentence")).to_contain_text(
            f"it follows {same} of the {len(followed)} steps"
        )

    check(10)
    view.locator("input[type=number]").fill("1")
    view.locator("input[type=number]").press("Enter")
    expect(rows.first.locator(".nearest-step")).to_have_text(
        f"step {np.argsort(np.where(np.arange(STEPS) == 40, np.inf, distance))[0]}"
    )
    check(1)
    step = rows.nth(2).locator(".nearest-step").inner_text()
    rows.nth(2).click()
    assert f"step {state.step()}" == step


def test_another_history_washes_out(state: StateViews) -> None:
    view = state.open("letters", "compare-view", 20)
    view.locator("textarea").first.fill("hgfedcba")
    view.get_by_role("button", name="Compare from step 20").click()
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("under the same input")
    text = state.ask("inputs")["text"]
    other = state.made(model="letters", text="hgfedcba" + text[20:])
    ours, theirs = state.hidden()[19:], state.hidden(other)[7:]
    assert text[19] != "a", "else both histories end alike, and are compared from earlier on"
    distance = apart(ours, theirs)
    washed_out = int(np.flatnonzero(distance < 0.05 * distance[0])[0])
    step, start, count, percent = numbers(sentence.inner_text())[:4]
    assert (step, count, percent) == (20, washed_out, 5)
    assert start == pytest.approx(distance[0], abs=6e-4)
    differences = np.abs(state.outputs()[20:] - state.outputs(other)[8:]).max(axis=1)
    steps, at, most = numbers(sentence.inner_text())[-3:]
    assert (steps, at) == (44, 20 + differences.argmax())
    assert most == pytest.approx(differences.max(), rel=0.05, abs=6e-4)
    # Another threshold says another number of steps.
    view.locator("input[type=number]").fill("50")
    view.locator("input[type=number]").press("Enter")
    half = int(np.flatnonzero(distance < 0.5 * distance[0])[0])
    expect(sentence).to_contain_text(f"it takes {half} steps until less than 50 %")


def test_other_input_from_here_on(state: StateViews) -> None:
    view = state.open("weather", "compare-view", 30)
    view.locator("select").first.select_option("fork")
    area = view.locator("textarea:visible")
    typed = area.input_value().splitlines()
    rows = state.ask("inputs")["inputs"]
    assert [[float(cell) for cell in line.split(",")] for line in typed] == rows[30:62]
    area.fill("\n".join(["30, 1000, 0.1", *typed[1:]]))
    view.get_by_role("button", name="Compare from step 30").click()
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("Forked before step 30: of 32 steps")
    other = state.made(model="weather", inputs=[*rows[:30], [30, 1000, 0.1], *rows[31:62]])
    distance = apart(state.hidden()[30:62], state.hidden(other)[30:])
    found = numbers(sentence.inner_text())
    assert found[2] == 30 + distance.argmax()
    assert found[3] == pytest.approx(distance.max(), rel=0.05)
    assert found[4] == pytest.approx(distance[-1], rel=0.06, abs=1e-6)
    # Shown on the page, the cursor stays beside the step where it was; and back again.
    view.get_by_role("button", name="Show this run").click()
    assert state.page.evaluate("stage.trace.described.kind") == "fork"
    assert (state.page.evaluate("stage.trace.inputs[0]"), state.step()) == ([30, 1000, 0.1], 0)
    view.get_by_role("button", name="Back to the run before").click()
    assert (state.page.evaluate("stage.trace.id"), state.step()) == (state.trace, 30)


def test_a_session_beside_the_trace(state: StateViews, visit: Visit, api: httpx.Client) -> None:
    view = state.open("letters", "compare-view", 20)
    session = api.post("/v1/sessions", json={"model": "letters"}).json()["session_id"]
    other = state.made(session_id=session)
    text = state.ask("inputs")["text"]
    assert api.post(f"/v1/sessions/{session}/steps", json={"text": text[-9:]}).status_code == 200
    view.locator("select").first.select_option("trace")
    view.get_by_role("textbox", name="Id of a trace").fill(session)
    view.get_by_role("button", name="Compare from").click()
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text(f"Before step {STEPS - 9} the two states are")
    before = np.sqrt((state.hidden()[STEPS - 10] ** 2).mean())
    assert numbers(sentence.inner_text())[1] == pytest.approx(before, abs=6e-4)
    view.get_by_role("textbox", name="Id of a trace").fill("nobody")
    view.get_by_role("button", name="Compare from").click()
    expect(view.locator(".problem").nth(1)).to_contain_text("there is no trace 'nobody'")
    # The browser says by itself that there was none.
    assert [one for one in visit.complaints if "404" not in one] == []
    visit.complaints.clear()
    assert api.delete(f"/v1/traces/{other}").status_code == 204


def test_a_gate_is_set_in_a_copy(state: StateViews) -> None:
    view = state.open("letters", "intervention-view", 12)
    choices = view.locator("select:visible")
    choices.nth(1).select_option("all")
    view.get_by_role("button", name="Run a copy").click()
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("update set to 0, layer 0, all units, steps 12 to 21.")
    state.page.wait_for_timeout(100)
    said = sentence.inner_text()
    view.get_by_role("button", name="Show this run").click()
    copy = state.page.evaluate("stage.trace.id")
    ours, theirs = state.hidden(), state.hidden(copy)
    # Held: what was there before stays.
    np.testing.assert_allclose(theirs[12:22], np.repeat(ours[11:12], 10, axis=0), atol=1e-6)
    distance = apart(ours, theirs)
    outputs = [state.outputs(), state.outputs(copy)]
    changed = np.flatnonzero(outputs[0].argmax(axis=1) != outputs[1].argmax(axis=1))
    differences = np.abs(outputs[0] - outputs[1]).max(axis=1)
    assert f"furthest apart after step {distance.argmax()}, by {distance.max():.3f}" in said
    assert f"outputs differ most at step {differences.argmax()}, by" in said
    assert f"At {len(changed)} of {STEPS - 12} steps another" in said
    assert f"first at step {changed[0]}:" in said
    view.get_by_role("button", name="Back").click()
    assert state.page.evaluate("stage.trace.id") == state.trace
    np.testing.assert_array_equal(state.hidden(), ours)


def test_some_units_scaled_and_units_that_are_not_there(state: StateViews) -> None:
    view = state.open("weather", "intervention-view", 5)
    choices = view.locator("select:visible")
    choices.nth(0).select_option("scale")
    choices = view.locator("select:visible")
    choices.nth(1).select_option("candidate")
    choices.nth(2).select_option("chosen")
    view.get_by_label("Value").fill("0.5")
    view.get_by_label("Unit numbers").fill("1-2, 99")
    view.get_by_role("button", name="Run a copy").click()
    expect(view.locator(".problem").nth(1)).to_contain_text("“99” is neither a unit up to 5")
    view.get_by_label("Unit numbers").fill("1-2, 4")
    view.get_by_role("button", name="Run a copy").click()
    expect(view.locator(".view-sentence")).to_contain_text(
        "candidate multiplied by 0.50, layer 0, units 1–2, 4, steps 5 to 14."
    )
    expect(view.locator(".problem").nth(1)).to_be_empty()
    copy = state.made(
        trace_id=state.trace,
        interventions=[
            {"gate": "candidate", "units": [1, 2, 4], "from": 5, "to": 15}
            | {"action": "scale", "value": 0.5}
        ],
    )
    distance = apart(state.hidden(), state.hidden(copy))
    assert f"after step {distance.argmax()}, by {distance.max():.3f}" in view.inner_text()


def test_why_it_said_that(state: StateViews) -> None:
    """The input that is named is moved by little, and all is run again."""
    view = state.open("weather", "sensitivity-view", 40)
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("What counts most")
    _check_strongest(state, sentence.inner_text(), 0)
    view.locator(".chips button", has_text="pressure").click()
    expect(sentence).to_contain_text("the output pressure")
    _check_strongest(state, sentence.inner_text(), 1)


def _check_strongest(state: StateViews, sentence: str, output: int) -> None:
    found = re.search(r"input of step (\d+).* it (raises|lowers) this by about (.*) \(", sentence)
    assert found is not None
    step, size = int(found[1]), numbers(found[3])[0] * (1 if found[2] == "raises" else -1)
    rows = np.array(state.ask("inputs")["inputs"])[:41]
    ends = [[_moved(state, rows, at, by, output) for by in (0.25, -0.25)] for at in range(30, 41)]
    slopes = [(ahead - behind) / 0.5 for ahead, behind in ends]
    strongest = int(np.abs(slopes).argmax())
    assert step == 30 + strongest
    assert size == pytest.approx(slopes[strongest], rel=0.02)


def _moved(state: StateViews, rows: Array, at: int, by: float, output: int) -> float:
    """An output after the last row, with one row moved away from the mean of all."""
    changed = rows.copy()
    changed[at] += by * (rows[at] - rows.mean(axis=0))
    trace = state.made(model="weather", inputs=changed.tolist(), ttl_seconds=5)
    value: float = state.outputs(trace)[-1, output]
    state.drop(trace)
    return value


def test_influence_in_the_text(state: StateViews) -> None:
    view = state.open("letters", "sensitivity-view", 30)
    sentence = view.locator(".view-sentence")
    expect(sentence).to_contain_text("After step 30, the probability of")
    likeliest = int(state.outputs()[30].argmax())
    found = state.ask("sensitivity", step=30, output=likeliest)
    influence = np.array(found["influence"])
    strongest = int(np.abs(influence).argmax())
    marks = view.locator(".influence span")
    expect(marks.last).to_have_attribute("data-step", "30")
    shown = {int(mark.get_attribute("data-step") or -1): mark for mark in marks.all()}
    colour = shown[found["from"] + strongest].evaluate("mark => mark.style.backgroundColor")
    ends = {True: "rgb(143, 47, 12)", False: "rgb(11, 60, 120)"}
    assert colour == ends[bool(influence[strongest] > 0)]
    least = min(shown)
    assert (np.abs(influence[: least - found["from"]]) < 0.01 * np.abs(influence).max()).all()
    # A click looks at another step; the view stays with the output that it is about.
    shown[25].click()
    assert state.step() == 25
    expect(sentence).to_contain_text("After step 30,")
    view.get_by_role("checkbox").uncheck()
    expect(sentence).to_contain_text("After step 25,")


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
@pytest.mark.parametrize("model", ["letters", "weather"])
def test_all_can_be_read(state: StateViews, axe: str, model: str) -> None:
    state.page.set_viewport_size({"width": 390, "height": 844})
    state.open(model, "compare-view", 20)
    state.page.evaluate("document.querySelectorAll('.panel').forEach(one => one.open = true)")
    for name in ("Compare from", "Run a copy"):
        state.page.get_by_role("button", name=name).click()
    expect(state.page.locator("#sensitivity-view .view-sentence")).to_contain_text("After step")
    expect(state.page.locator("#intervention-view .view-sentence")).to_contain_text("copy")
    expect(state.page.locator("#compare-view .view-sentence")).to_contain_text("Before step")
    expect(state.page.locator(".nearest button")).to_have_count(10)
    wide = state.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    assert violations(state.page, axe) == []
