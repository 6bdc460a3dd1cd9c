"""The inspector shows what the API answers."""

import re
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.colour_tables import expected_pixels
from tests.browser.conftest import Visit
from tests.browser.inspector_page import GATES, InspectorPage, canvas_pixels, gate_values
from tests.bundles import VALUE_NAMES

TEXT = "abc def. gab"
ROWS = [[20.5, 1001.0, 0.5], [21.25, 998.5, 0.25], [-3.0, 1010.0, 0.75], [19.0, 1000.0, 0.5]]
TYPED_ROWS = "20.5, 1001, 0.5\n21.25 998.5 0.25\n-3;1010;0.75\n19.0\t1000.0\t0.5\n"


@pytest.fixture
def inspector(visit: Visit) -> InspectorPage:
    return InspectorPage(visit)


def answer_of(api: httpx.Client, model: str, **body: object) -> dict[str, Any]:
    """What the API says to one sequence, asked without the page."""
    answer = api.post(f"/v1/models/{model}/sequences", json={**body, "gates": True})
    sequence: dict[str, Any] = answer.raise_for_status().json()["sequences"][0]
    return sequence


def decimal(value: float) -> str:
    return f"{value:.3f}".replace("-", "−")


def test_lists_the_models_and_what_they_are(visit: Visit, api: httpx.Client) -> None:
    visit.page.goto("/")
    names = [model["name"] for model in api.get("/v1/models").json()["models"]]
    options = visit.page.locator("#model option")
    expect(options).to_have_text(names)
    visit.page.select_option("#model", "weather-deep")
    card = visit.page.locator("#model-card")
    expect(card).to_contain_text("6 + 4 + 5 units")
    expect(card).to_contain_text("temperature [°C], pressure [hPa], humidity")
    expect(card).to_contain_text("after")
    expect(card.get_by_text("Report", exact=True)).to_have_attribute(
        "href", "v1/models/weather-deep/report"
    )
    expect(visit.page).to_have_url(re.compile(r"\?model=weather-deep$"))


def test_shows_a_text_model(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("letters")
    inspector.run(TEXT)
    inspector.expect_progress(f"Ran {len(TEXT)} time steps")
    answer = answer_of(api, "letters", text=TEXT)
    for unit, step in ((4, 0), (0, 7), (5, len(TEXT) - 1)):
        inspector.point_at(0, "update", unit, step)
        value = gate_values(answer, 0, "update")[step][unit]
        character = "space" if TEXT[step] == " " else TEXT[step]
        said = f"layer 0, unit {unit}, step {step} (“{character}”): update {decimal(value)} — "
        assert inspector.sentence().startswith(said)
        expect(inspector.page.locator("#text .marked")).to_have_text(TEXT[step])
        expected = [
            (token["text"].replace(" ", "␣"), round(token["probability"], 3))
            for token in answer["next"][step]
        ]
        shown = inspector.next_characters()
        assert [text for text, _ in shown] == [text for text, _ in expected]
        for (_, percent), (_, probability) in zip(shown, expected, strict=True):
            assert float(percent.split()[0]) == pytest.approx(100 * probability, abs=0.51)


def test_shows_a_values_model(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("weather-deep")
    inspector.run(TYPED_ROWS)
    inspector.expect_progress("Ran 4 time steps")
    answer = answer_of(api, "weather-deep", inputs=[ROWS])
    step = 2
    inspector.point_at(1, "candidate", 3, step)
    value = gate_values(answer, 1, "candidate")[step][3]
    assert inspector.sentence().startswith(
        f"layer 1, unit 3, step 2: candidate {decimal(value)} — "
    )
    figures = inspector.figures()
    assert list(figures) == list(VALUE_NAMES)
    for column, name in enumerate(VALUE_NAMES):
        given, predicted, came = figures[name]
        assert given == ROWS[step][column]
        assert came == ROWS[step + 1][column]
        assert predicted == pytest.approx(answer["outputs"][step][column], rel=1e-3, abs=1e-4)


def test_draws_predictions_one_step_later(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("weather")
    inspector.run(TYPED_ROWS)
    inspector.expect_progress("Ran 4 time steps")
    answer = answer_of(api, "weather", inputs=[ROWS])
    pixels = canvas_pixels(inspector.page.get_by_role("img", name="temperature over time"))
    given = [row[0] for row in ROWS]
    predicted = [row[0] for row in answer["outputs"]]
    low, high = min(given + predicted), max(given + predicted)
    cell = inspector.heat_map(0, "update").evaluate("canvas => canvas.offsetWidth") / len(ROWS)
    for step, value in enumerate(predicted):
        y = 88 - 80 * (value - low) / (high - low)
        assert pixels[round(y), round((step + 1.5) * cell)].tolist() == [0x1B, 0x5F, 0xB0, 255]


@pytest.mark.parametrize("visit", ["light", "dark"], indirect=True)
def test_heat_maps_are_the_colour_table_of_the_values(
    inspector: InspectorPage, api: httpx.Client, request: pytest.FixtureRequest
) -> None:
    inspector.open("letters-deep")
    inspector.run(TEXT)
    inspector.expect_progress(f"Ran {len(TEXT)} time steps")
    answer = answer_of(api, "letters-deep", text=TEXT)
    scheme = request.node.callspec.params["visit"]
    for layer in range(3):
        for gate in GATES:
            expected = expected_pixels(gate, gate_values(answer, layer, gate), scheme)
            assert np.array_equal(inspector.pixels(layer, gate), expected), (layer, gate)


def test_keyboard_moves_the_cursor(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("letters")
    inspector.run(TEXT)
    inspector.expect_progress(f"Ran {len(TEXT)} time steps")
    answer = answer_of(api, "letters", text=TEXT)
    last = len(TEXT) - 1
    inspector.heat_map(0, "reset").focus()
    expect(inspector.heat_map(0, "reset")).to_be_focused()
    for key, unit, step in (
        *(("Home", 0, 0), ("ArrowLeft", 0, 0), ("ArrowRight", 0, 1), ("ArrowDown", 1, 1)),
        *(("ArrowUp", 0, 1), ("ArrowUp", 0, 1), ("PageDown", 0, 11), ("End", 0, last)),
        *(("PageUp", 0, last - 10), ("ArrowDown", 1, last - 10)),
    ):
        inspector.page.keyboard.press(key)
        value = gate_values(answer, 0, "reset")[step][unit]
        said = inspector.sentence()
        assert said.startswith(f"layer 0, unit {unit}, step {step} "), key
        assert f"reset {decimal(value)} — " in said
    inspector.page.keyboard.press("Tab")
    assert "update" in inspector.sentence()


@pytest.mark.parametrize(
    ("model", "source", "steps"), [("letters-deep", TEXT[:4], 4), ("weather-deep", TYPED_ROWS, 4)]
)
def test_stepping_shows_the_same_as_running(
    inspector: InspectorPage, api: httpx.Client, model: str, source: str, steps: int
) -> None:
    inspector.open(model)
    inspector.run(source)
    inspector.expect_progress(f"Ran {steps} time steps")
    maps = [(layer, gate) for layer in range(3) for gate in GATES]
    ran = {key: inspector.pixels(*key) for key in maps}
    inspector.point_at(0, "hidden", 2, steps - 1)
    sentence, outputs = inspector.sentence(), inspector.page.inner_text("#outputs")

    inspector.page.click("#reset-session")
    expect(inspector.page.locator("#timeline-panel")).to_be_hidden()
    for step in range(steps):
        inspector.page.click("#step")
        inspector.expect_progress(f"{step + 1} of {steps} steps fed")
        assert inspector.pixels(2, "hidden").shape == (5, step + 1, 4)
    for key in maps:
        # The step graph and the fused one differ in the last bits of float32.
        difference = inspector.pixels(*key).astype(int) - ran[key].astype(int)
        assert np.abs(difference).max() <= 4, key
    assert inspector.sentence() == sentence
    assert inspector.page.inner_text("#outputs") == outputs
    assert len(api.get("/v1/sessions").json()["sessions"]) == 1
    inspector.page.click("#step")
    inspector.expect_progress(f"All {steps} steps are fed")
    with inspector.page.expect_response(lambda response: response.request.method == "DELETE"):
        inspector.page.click("#reset-session")
    assert api.get("/v1/sessions").json()["sessions"] == []


def test_play_feeds_everything(inspector: InspectorPage) -> None:
    inspector.open("letters")
    inspector.page.fill("#input", "abcd")
    inspector.page.click("#play")
    expect(inspector.page.locator("#play")).to_have_text("Pause")
    inspector.expect_progress("All 4 steps are fed")
    expect(inspector.page.locator("#play")).to_have_text("Play")
    assert inspector.pixels(0, "update").shape == (6, 4, 4)


@pytest.mark.parametrize(
    ("model", "source", "path"),
    [
        ("letters", "abcz", "$.text[3]"),
        ("letters", "", "$.text"),
        ("weather", "1, 2, 3\n4, 5", "$.inputs[0][1]"),
        ("weather", "1, 2, three", "$.inputs[0][0][2]"),
    ],
)
def test_shows_what_the_api_objects_to(
    visit: Visit, inspector: InspectorPage, model: str, source: str, path: str
) -> None:
    inspector.open(model)
    with visit.page.expect_response(lambda answer: answer.status == 422) as refused:
        inspector.run(source)
    fault = refused.value.json()["errors"][0]
    assert fault["path"] == path
    problem = visit.page.locator("#problem")
    expect(problem).to_contain_text(f"{fault['path']} {fault['message']}")
    expect(visit.page.locator("#input")).to_have_attribute("aria-invalid", "true")
    assert [text for text in visit.complaints if "422" not in text] == []
    visit.complaints.clear()

    inspector.run("abc" if model == "letters" else "1, 2, 3")
    expect(problem).to_be_empty()


def test_long_sequences_scroll_and_zoom(inspector: InspectorPage) -> None:
    inspector.open("letters")
    inspector.run("abcdefgh. " * 200)
    inspector.expect_progress("Ran 2000 time steps")
    width = "canvas => canvas.offsetWidth"
    assert inspector.heat_map(0, "update").evaluate(width) == 2000
    inspector.page.click("#zoom-in")
    assert inspector.heat_map(0, "update").evaluate(width) == 4000
    inspector.heat_map(0, "update").focus()
    inspector.page.keyboard.press("End")
    assert inspector.page.locator("#scroller").evaluate("scroller => scroller.scrollLeft") > 2000
    assert "step 1999 " in inspector.sentence()
    inspector.page.click("#zoom-fit")
    assert inspector.heat_map(0, "update").evaluate(width) == 2000
