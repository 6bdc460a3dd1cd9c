"""The inspector shows what the API answers."""

import re
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tests.browser.colour_tables import expected_pixels
from tests.browser.conftest import Visit
from tests.browser.inspector_page import GATES, InspectorPage, canvas_pixels, gate_values
from tests.bundles import VALUE_NAMES

TEXT = "abc def. gab"
ROWS = [[20.5, 1001.0, 0.5], [21.25, 998.5, 0.25], [-3.0, 1010.0, 0.75], [19.0, 1000.0, 0.5]]
TYPED_ROWS = "20.5, 1001, 0.5\n21.25 998.5 0.25\n-3;1010;0.75\n19.0\t1000.0\t0.5\n"

Objection = tuple[str, str | None, str]
"""Its path, the place that is named, and what is selected there."""


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
    expect(visit.page).to_have_url(re.compile(r"\?model=weather-deep&"))


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
    pixels = canvas_pixels(inspector.chart("temperature").locator("canvas"))
    given = [row[0] for row in ROWS]
    predicted = [row[0] for row in answer["outputs"]]
    low, high = min(given + predicted), max(given + predicted)
    cell = inspector.heat_map(0, "update").evaluate("canvas => canvas.offsetWidth") / len(ROWS)
    gutter = inspector.page.locator(".axis .gutter").evaluate("gutter => gutter.offsetWidth")
    accent = [0x1B, 0x5F, 0xB0, 255]
    for step, value in enumerate(predicted):
        x, y = gutter + (step + 1.5) * cell, 10 + 100 * (high - value) / (high - low)
        dot = pixels[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2]
        assert (dot == accent).all(axis=-1).any(), step


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
    inspector.point_at(0, "reset", unit=0, step=5)
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
    sentence, outputs = inspector.sentence(), inspector.outputs()

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
    assert inspector.outputs() == outputs
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
    ("model", "source", "objection"),
    [
        ("letters", "abcz", ("$.text[3]", "line 1, character 4:", "z")),
        ("letters", "ab.\nhz", ("$.text[3]", "line 1, character 4:", "\n")),
        ("letters", "", ("$.text", None, "")),
        ("weather", "1, 2, 3\n\n 4, 5", ("$.inputs[1]", "line 3:", "4, 5")),
        ("weather", "1, 2, 3\n4; 5, three", ("$.inputs[1][2]", "line 2, number 3:", "three")),
    ],
)
def test_objections_name_the_place_that_was_typed(
    visit: Visit, inspector: InspectorPage, model: str, source: str, objection: Objection
) -> None:
    path, place, selected = objection
    inspector.open(model)
    with visit.page.expect_response(lambda answer: answer.status == 422) as refused:
        inspector.run(source)
    faults = refused.value.json()["errors"]
    assert faults[0]["path"] == path
    listed = visit.page.locator("#problem li")
    for index, fault in enumerate(faults):
        expect(listed.nth(index)).to_contain_text(fault["message"])
    expect(visit.page.locator("#input")).to_have_attribute("aria-invalid", "true")
    if place is not None:
        expect(listed.first.locator("button")).to_have_text(place)
        assert inspector.selected() == selected
    assert [text for text in visit.complaints if "422" not in text] == []
    visit.complaints.clear()

    inspector.run("abc" if model == "letters" else "1, 2, 3")
    expect(visit.page.locator("#problem")).to_be_empty()


def test_every_objection_leads_to_its_place(visit: Visit, inspector: InspectorPage) -> None:
    inspector.open("weather")
    faults = [
        {"path": "$.inputs[1][2]", "message": "is no number"},
        {"path": "$.inputs[0][0]", "message": "is too large"},
        {"path": "$.constants", "message": "are missing"},
    ]
    problem = {"title": "The input cannot be used", "detail": "three faults", "errors": faults}
    visit.page.route("**/v1/traces", lambda route: route.fulfill(status=422, json=problem))
    inspector.run("1e9, 2, 3\n4, 5, 66")
    listed = visit.page.locator("#problem li")
    expect(listed).to_have_text(
        [
            "line 2, number 3: is no number",
            "line 1, number 1: is too large",
            "$.constants are missing",
        ]
    )
    assert inspector.selected() == "66"
    listed.nth(1).locator("button").click()
    assert inspector.selected() == "1e9"
    visit.complaints.clear()


def test_words_and_missing_numbers_are_all_listed(visit: Visit, inspector: InspectorPage) -> None:
    """The service ends at the first of them."""
    inspector.open("weather")
    inspector.run("1, 2, 3\n4, five, 6\n7, 8\n9, 10, eleven")
    listed = visit.page.locator("#problem li")
    expect(listed).to_have_count(3)
    expect(listed.nth(0)).to_contain_text("line 2, number 2:")
    expect(listed.nth(1)).to_have_text("line 3: 2 numbers, where the model takes 3")
    expect(listed.nth(2)).to_have_text("line 4, number 3: “eleven” is no number")
    assert inspector.selected() == "five"
    listed.nth(2).locator("button").click()
    assert inspector.selected() == "eleven"
    visit.complaints.clear()


def test_values_far_from_the_sample_are_hinted_at(visit: Visit, inspector: InspectorPage) -> None:
    inspector.open("weather")
    example = visit.page.locator("#input").input_value()
    expect(visit.page.locator("#far")).to_be_empty()
    visit.page.fill("#input", f"{example}\n1e6, 1000, 0.5")
    line = len(example.splitlines()) + 1
    hint = visit.page.locator("#far p")
    expect(hint).to_contain_text(f"line {line}, number 1: temperature 1000000 °C lies far outside")
    visit.page.fill("#input", example)
    expect(hint).to_have_count(0)


def test_long_sequences_scroll_and_zoom(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("letters")
    text = "abcdefgh. " * 200
    inspector.run(text)
    inspector.expect_progress("Ran 2000 time steps")
    assert inspector.plot_width() == 2001
    seen = inspector.pixels(0, "update").shape[1]
    assert seen < 2000, "only what can be seen is drawn"
    inspector.page.click("#zoom-in")
    assert inspector.plot_width() == 4002
    inspector.heat_map(0, "update").focus()
    inspector.page.keyboard.press("End")
    assert "step 1999 " in inspector.sentence()
    answer = answer_of(api, "letters", text=text)
    expected = expected_pixels("update", gate_values(answer, 0, "update"), "light")
    first, width = inspector.columns(0, "update")
    assert first + width == 2000
    inspector.expect_pixels(0, "update", expected[:, first:])

    inspector.page.click("#zoom-fit")
    expect(inspector.page.locator("#reduced")).to_contain_text("Each column is")
    together = int(re.findall(r"\d+", inspector.page.inner_text("#reduced"))[0])
    assert inspector.plot_width() <= seen
    assert inspector.plot_width() > seen * (together - 1) / together - 2
    inspector.expect_pixels(0, "update", _extremes(expected, answer, together))


def _extremes(
    expected: NDArray[np.uint8], answer: dict[str, Any], together: int
) -> NDArray[np.uint8]:
    """The colours of the least and the greatest of so many steps, side by side."""
    values = np.array(gate_values(answer, 0, "update")).T
    columns = []
    for begin in range(0, values.shape[1], together):
        part = values[:, begin : begin + together]
        for pick in (np.argmin, np.argmax):
            picked = begin + pick(part, axis=1)
            columns.append(expected[np.arange(len(values)), picked])
    return np.stack(columns, axis=1)


def test_units_are_put_into_order_and_standardised(
    inspector: InspectorPage, api: httpx.Client
) -> None:
    inspector.open("letters")
    inspector.run(TEXT)
    inspector.expect_progress(f"Ran {len(TEXT)} time steps")
    values = np.array(gate_values(answer_of(api, "letters", text=TEXT), 0, "update"))
    # The longest memory first: −1 / mean ln keep.
    order = np.argsort(np.log1p(-values).mean(axis=0))[::-1]
    inspector.page.select_option("#order", "memory")
    in_order = expected_pixels("update", values[:, order].tolist(), "light")
    inspector.expect_pixels(0, "update", in_order)
    inspector.point_at(0, "update", unit=2, step=3)
    assert inspector.sentence().startswith(f"layer 0, unit {order[2]}, step 3 ")
    inspector.heat_map(0, "update").focus()
    inspector.page.keyboard.press("ArrowDown")
    assert inspector.sentence().startswith(f"layer 0, unit {order[3]}, step 3 ")

    inspector.page.check("#standard")
    scores = (values - values.mean(axis=0)) / values.std(axis=0)
    # The diverging colours, from −3 to 3.
    expected = expected_pixels("hidden", (scores[:, order] / 3).tolist(), "light")
    inspector.expect_pixels(0, "update", expected, within=4)


def test_the_values_can_be_read_as_a_table(inspector: InspectorPage, api: httpx.Client) -> None:
    inspector.open("letters")
    inspector.run(TEXT)
    answer = answer_of(api, "letters", text=TEXT)
    inspector.expect_progress(f"Ran {len(TEXT)} time steps")
    inspector.heat_map(0, "candidate").focus()
    inspector.page.locator("#table-panel summary").press("Enter")
    rows = inspector.page.locator("#value-table tbody tr")
    expect(inspector.page.locator("#value-table caption")).to_contain_text("candidate of layer 0")
    expect(rows).to_have_count(len(TEXT))
    values = gate_values(answer, 0, "candidate")
    shown = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert shown == [[decimal(value) for value in row] for row in values]
    expect(inspector.page.locator("#value-table caption")).to_contain_text("candidate of layer 0")


def test_of_a_long_text_only_what_is_seen_is_in_the_page(
    inspector: InspectorPage, api: httpx.Client
) -> None:
    text = "abcdefgh. " * 10_000
    inspector.open("letters")
    inspector.run(text)
    progress = inspector.page.locator("#progress")
    expect(progress).to_contain_text("Ran 100000 time steps", timeout=30_000)
    inspector.point_at(0, "update", unit=1, step=0)
    inspector.page.locator("#text").focus()
    inspector.page.keyboard.press("End")
    inspector.page.keyboard.press("ArrowLeft")
    marked = inspector.page.locator("#text .marked")
    expect(marked).to_have_text(".")
    expect(marked).to_be_in_viewport()
    assert inspector.page.locator("#text span").count() < 4000
    assert inspector.sentence().startswith("layer 0, unit 1, step 99998 (“.”)")
    # The gates settle: a text that repeats makes them repeat.
    answer = answer_of(api, "letters", text=text[:2000])
    [expected] = expected_pixels("update", [[gate_values(answer, 0, "update")[1998][1]]], "light")[
        0
    ]
    colour = marked.evaluate("mark => getComputedStyle(mark).backgroundColor")
    shown = [int(part) for part in re.findall(r"\d+", colour)]
    assert np.abs(np.array(shown) - expected[:3]).max() <= 3
